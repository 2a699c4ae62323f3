"""The explorer: one page to read a cohort's texts in, with all of them inside."""

from daydream.explorer.page import write_explorer

__all__ = ["write_explorer"]

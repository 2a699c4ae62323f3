"""The explorer: one page to read a cohort's texts in, with all of them inside."""

from daydream.explorer.page import shown_files, write_explorer

__all__ = ["shown_files", "write_explorer"]

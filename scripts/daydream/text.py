"""Tables in plain text, as a terminal and a log file both show them."""

from __future__ import annotations

from collections.abc import Sequence


def clipped(text: str, length: int) -> str:
    """Return a text that is not longer than `length`, with an ellipsis where it is cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> str:
    """Return a table whose first `texts` columns hold texts, and whose others hold numbers."""
    # A start that prints no table does without these imports: 0.04 s.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for place in range(len(header)):
        grid.add_column(justify="left" if place < texts else "right", no_wrap=True)
    for row in (header, *rows):
        # Text, not str: what stands in square brackets would be taken as markup.
        grid.add_row(*(Text(cell) for cell in row))
    console = Console(width=1000, color_system=None)
    with console.capture() as capture:
        console.print(grid)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())

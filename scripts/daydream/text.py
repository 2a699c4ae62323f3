"""Tables and trees in plain text, as a terminal and a log file both show them.

Nothing is coloured, wrapped or fitted to the width of a terminal: a row is one line wherever it is
read, and can be searched for. A cell is shown as it is, square brackets included: nothing in it is
taken as markup. Only control characters, which could move a terminal's cursor, become escapes, save
line breaks: a cell of several lines keeps them.

rich is imported where something is drawn: a start that prints none of it saves 0.04 s.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
# More than any row: rich would cut what is longer.
_WIDTH = 1_000_000


def clipped(text: str, length: int) -> str:
    """Return a text that is not longer than `length`, with an ellipsis where it is cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def plural(number: float, noun: str) -> str:
    """Return a number and what it counts."""
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


def percent(share: float, digits: int = 0) -> str:
    """Return a share in per cent. What is not quite nothing or all is not rounded to that."""
    text = f"{share:.{digits}%}"
    least = 10.0**-digits
    if share > 0 and float(text[:-1]) == 0:
        text = f"<{least:g}%"
    elif share < 1 and float(text[:-1]) == 100:
        text = f">{100 - least:g}%"
    return text.replace("%", " %")


def chance(probability: float) -> str:
    """Return a probability in per cent. An estimate of it is never quite nothing or all."""
    return percent(min(max(probability, 1e-9), 1 - 1e-9))


def table(
    rows: Iterable[Sequence[str]], *, left: Collection[int] = (0,), indent: int = 0, gap: int = 2
) -> str:
    """Return rows of as many cells as aligned lines; the first may be a header.

    Columns `left` hold texts, which begin together, the others numbers, which end together.
    """
    margin = " " * indent
    lines = _printed(_grid(rows, left=left, gap=gap))
    return "\n".join(f"{margin}{line}".rstrip() for line in lines)


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of a tree: its name, rows of texts about it, and the parts that grow from it."""

    name: str
    rows: Sequence[Sequence[str]] = ()
    branches: Sequence[Branch] = ()


def tree(root: Branch) -> str:
    """Return a tree with the rows of each part, aligned, below its name."""
    return "\n".join(_printed(_grown(root)))


def _grown(branch: Branch) -> Tree:
    from rich.console import Group  # noqa: PLC0415
    from rich.tree import Tree  # noqa: PLC0415

    # As wide as the guides of rich, so that the trunk leads to what grows from it.
    trunk = "│ " if branch.branches else "  "
    rows = [(trunk, *row) for row in branch.rows]
    if branch.branches:
        rows.append((trunk, *[""] * (len(rows[0]) - 1 if rows else 0)))
    grid = _grid(rows, left=range(len(rows[0]) if rows else 0), gap=2)
    found = Tree(Group(_text(branch.name), grid) if rows else _text(branch.name))
    found.children = [_grown(each) for each in branch.branches]
    return found


def _grid(rows: Iterable[Sequence[str]], *, left: Collection[int], gap: int) -> Table:
    from rich.table import Table  # noqa: PLC0415

    cells = [[_text(cell) for cell in row] for row in rows]
    grid = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), show_header=False)
    for place in range(len(cells[0]) if cells else 0):
        grid.add_column(justify="left" if place in left else "right", no_wrap=True)
    for row in cells:
        grid.add_row(*row)
    return grid


def _text(cell: str) -> Text:
    """Return a cell as rich shows it without taking any of it as markup or as an emoji's name."""
    from rich.text import Text  # noqa: PLC0415

    return Text(_CONTROL.sub(lambda found: repr(found[0])[1:-1], cell))


def _printed(drawing: RenderableType) -> list[str]:
    """Return the lines that rich draws, the same with any terminal and without one."""
    from rich.console import Console  # noqa: PLC0415

    page = io.StringIO()
    # Without a height, too, rich would take the size of the terminal.
    console = Console(file=page, width=_WIDTH, height=100, color_system=None, force_terminal=False)
    console.print(drawing)
    return [line.rstrip() for line in page.getvalue().splitlines()]

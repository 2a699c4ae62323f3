"""Tables and trees as lines of text, the same in a terminal and in a log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from daydream.text import Branch, chance, clipped, percent, table, tree

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


def test_a_rounded_share_is_true() -> None:
    """What is not nothing or all does not become so; a probability is neither."""
    shares = (0, 0.003, 0.47, 0.996, 1)
    assert [percent(share) for share in shares] == ["0 %", "<1 %", "47 %", ">99 %", "100 %"]
    assert [chance(share) for share in shares] == ["<1 %", "<1 %", "47 %", ">99 %", ">99 %"]
    assert [percent(share, 1) for share in (0.0003, 0.667)] == ["<0.1 %", "66.7 %"]


def test_texts_begin_and_numbers_end_together() -> None:
    """The first row may be a header; wide characters count as two columns."""
    rows = [("", "count", "note"), ("漢字", "7", "x"), ("a", "1,000", "")]
    assert table(rows, left=(0, 2)) == "      count  note\n漢字      7  x\na     1,000"
    assert table(rows, left=(0, 2), indent=2, gap=1).splitlines()[1] == "  漢字     7 x"
    assert table([]) == ""


def test_cells_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """No markup, no emoji, no colour, no wrapping, whatever the terminal; no control characters."""
    for name, value in {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": "20"}.items():
        monkeypatch.setenv(name, value)
    text = "[red]x[/red] [b :smile: https://example.org 0x7f " + "long " * 300 + "end"
    assert table([(text, "1")]) == f"{text}  1"
    assert table([("\x1b[2Ja\rb\x9bc",)]) == "\\x1b[2Ja\\rb\\x9bc"
    assert tree(Branch("[bold]name", [("[/]", text)])) == f"[bold]name\n    [/]  {text}"


def test_a_cell_of_several_lines_stays_in_its_column() -> None:
    """As an error of several problems does."""
    assert table([("1 ×", "[spec] a\n[spec] b"), ("", "c")], gap=1, left=(1,)) == (
        "1 × [spec] a\n    [spec] b\n    c"
    )


def test_a_tree_has_a_trunk_from_each_part_to_the_next() -> None:
    """With what there is to say of each below its name."""
    leaf = Branch("leaf", [("key", "1")])
    assert tree(Branch("root", [("a", "x"), ("bcd", "y")], [Branch("middle", (), [leaf])])) == (
        "root\n│   a    x\n│   bcd  y\n│\n└── middle\n    │\n    └── leaf\n            key  1"
    )


def test_what_is_clipped_is_never_longer() -> None:
    """The ellipsis counts."""
    assert clipped("abcd", 4) == "abcd"
    assert clipped("abcde", 4) == "abc…"


def test_rich_is_imported_where_something_is_drawn() -> None:
    """A start that prints no table does without."""
    program = "import sys, daydream.text; sys.exit('rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": str(SCRIPTS)})

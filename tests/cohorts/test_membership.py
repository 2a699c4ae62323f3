"""Memberships: design rows become generations, each once, and the table gives them back."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daydream.cohorts.membership import generations_of_design, membership_text, read_membership
from daydream.errors import InputError
from daydream.files import write_text
from daydream.generations.row import Generation, codec, own_axes
from support.stages import stage

CHAIN = {
    "draft": stage("draft"),
    "essay": stage("essay", "draft", "temperature"),
    "review": stage("review", "essay"),
}
AXES = ["combo_id", *(axis for link in CHAIN.values() for axis in own_axes(link))]

# Anything but control characters and lone surrogates, which the catalogs refuse.
cells = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6)


def expanded(rows: list[tuple[str, ...]]) -> list[Generation]:
    return generations_of_design(rows, AXES, cohort="c", stages=CHAIN.values())


@given(st.lists(st.tuples(*([cells] * len(AXES))), min_size=1, max_size=8))
def test_each_combination_of_a_stages_dimensions_is_one_generation(
    rows: list[tuple[str, ...]],
) -> None:
    """Stage by stage, the distinct prefixes of the rows; parents stand before their children."""
    generations = expanded(rows)
    ends = {"draft": 4, "essay": 8, "review": 11}
    for name, end in ends.items():
        found = [row for row in generations if row.stage == name]
        assert len(found) == len({row[:end] for row in rows})
    seen = {""}
    for row in generations:
        assert row.parent_gen_id in seen
        seen.add(row.gen_id)
    assert len(seen) == len(generations) + 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(*([cells] * len(AXES))), min_size=1, max_size=8))
def test_a_table_gives_back_what_was_written(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    """Every cell as it was, quotes and delimiters included."""
    path = tmp_path / "membership.csv"
    generations = expanded(rows)
    write_text(path, membership_text(generations, CHAIN))
    assert read_membership(path, CHAIN) == generations
    for row in generations:
        fields = codec(CHAIN[row.stage]).decode(row.key)
        assert tuple(fields.values()) == row.key_values


def test_the_model_is_part_of_every_id() -> None:
    """Two models of one stage never share an answer; neither do two replicates or temperatures."""
    levels = [["c"], ["t"], ["m"], ["1"], ["t"], ["m", "n"], ["1", "2"], ["0", "1"]]
    rows = [(*row, "t", "m", "1") for row in itertools.product(*levels)]
    ids = {row.gen_id for row in expanded(rows) if row.stage == "essay"}
    assert len(ids) == 8


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("plain", "plane", "line 2, column key"),
        ("draft,d_", "draught,d_", "line 2: found the row"),
        ("parent_gen_id", "parent", "line 1: the header is not"),
    ],
)
def test_an_edited_table_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    """A membership is made, not edited: its rows must still fit their keys."""
    path = tmp_path / "membership.csv"
    row = ("c", "plain", "m", "1", "t", "m", "1", "0", "t", "m", "1")
    write_text(path, membership_text(expanded([row]), CHAIN))
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=complaint):
        read_membership(path, CHAIN)

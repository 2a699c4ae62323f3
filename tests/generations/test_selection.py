"""Slices, checked against a filter of the table in which every row holds its ancestors' cells."""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from daydream.catalog.records import Catalog, Combo
from daydream.cohorts.membership import generations_of_design
from daydream.errors import InputError
from daydream.generations.row import Generation, own_axes
from daydream.generations.selection import check_dimensions, select
from support.stages import stage

STAGES = {
    "draft": stage("draft"),
    "essay": stage("essay", "draft"),
    "evaluation": stage("evaluation", "essay", "temperature"),
}
AXES = ["combo_id", *(axis for link in STAGES.values() for axis in own_axes(link))]
COMBOS = {
    "c1": Combo(combo_id="c1", concepts=(("tide", "sentence"), ("fog", "sentence"))),
    "c2": Combo(combo_id="c2", concepts=(("loom", "sentence"),)),
}
CATALOG = cast(Catalog, SimpleNamespace(combos=COMBOS))
LEVELS = [["c1", "c2"], *[["a", "ab", "b"], ["m1", "n1"], ["1", "2"]] * 3, ["0.5", "1"]]

designs = st.lists(st.tuples(*map(st.sampled_from, LEVELS)), min_size=1, max_size=12, unique=True)
LOW = ">0.5 <=1"
values = st.sampled_from(["c1", "tide", "a", "a*", "?", "m1", "*1", 1, 2, 0.5, "0.5", "[ab]", LOW])
conditions = st.dictionaries(
    st.sampled_from([*AXES, "concept_id"]), values | st.lists(values, min_size=1), max_size=3
)


def origin(*_path: str) -> str:
    return "--config"


def rows_of(design: list[tuple[str, ...]]) -> list[Generation]:
    return generations_of_design(design, AXES, cohort="c", stages=STAGES.values())


def chosen(rows: list[Generation], where: dict[str, Any], exclude: dict[str, Any]) -> list[str]:
    return [
        row.gen_id
        for row in select(
            rows, where=where, exclude=exclude, stages=STAGES, catalog=CATALOG, origin=origin
        )
    ]


def joined(rows: list[Generation]) -> dict[str, dict[str, list[str]]]:
    """Return, by id, every dimension that a row or an ancestor of it has, with its values."""
    table: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        cells = dict(table.get(row.parent_gen_id, {}))
        cells["combo_id"] = [row.combo_id]
        cells["concept_id"] = [concept for concept, _ in COMBOS[row.combo_id].concepts]
        for axis, value in zip(own_axes(STAGES[row.stage]), row.key_values[1:], strict=True):
            cells[axis] = [value]
        table[row.gen_id] = cells
    return table


def meets(cells: dict[str, list[str]], name: str, condition: Any) -> bool:
    patterns = condition if isinstance(condition, list) else [condition]
    return any(
        value == str(pattern)
        or fnmatchcase(value, str(pattern))
        or (pattern == LOW and value == "1")
        for value in cells.get(name, [])
        for pattern in patterns
    )


@given(designs, conditions, conditions)
def test_select_is_a_filter_of_the_joined_table(
    design: list[tuple[str, ...]], where: dict[str, Any], exclude: dict[str, Any]
) -> None:
    """Kept: what meets all of `where` and none of `exclude`, and the ancestors of that."""
    rows = rows_of(design)
    table = joined(rows)
    for name, condition in [*where.items(), *exclude.items()]:
        for pattern in condition if isinstance(condition, list) else [condition]:
            assume(any(meets(cells, name, pattern) for cells in table.values()))
    kept = {
        gen_id
        for gen_id, cells in table.items()
        if all(meets(cells, name, condition) for name, condition in where.items())
        and not any(meets(cells, name, condition) for name, condition in exclude.items())
    }
    parents = {row.gen_id: row.parent_gen_id for row in rows}
    for gen_id in list(kept):
        while gen_id := parents[gen_id]:
            kept.add(gen_id)
    assume(kept)
    assert chosen(rows, where, exclude) == [row.gen_id for row in rows if row.gen_id in kept]


FULL = rows_of(list(itertools.product(*LEVELS)))


def test_a_slice_keeps_the_ancestors_it_needs_and_no_others() -> None:
    """One judge's evaluations of one kind of draft: those drafts and their essays stay."""
    ids = set(chosen(FULL, {"draft_template": "a", "evaluation_llm": "n1"}, {}))
    kept = [row for row in FULL if row.gen_id in ids]
    assert {row.template_id for row in kept if row.stage == "draft"} == {"a"}
    assert {row.llm_model_id for row in kept if row.stage == "evaluation"} == {"n1"}
    assert len([row for row in kept if row.stage == "essay"]) == 2 * 2 * 2 * 12


def test_a_generation_is_selected_with_what_descends_from_it() -> None:
    """`gen_id` is a dimension like the others."""
    draft = FULL[0].gen_id
    ids = chosen(FULL, {"gen_id": draft}, {})
    assert ids[0] == draft
    assert len(ids) == 1 + 12 + 12 * 24


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ({"draft_template": "abc"}, "where.draft_template: found 'abc', .* did you mean"),
        ({"draft_template": ["a", "x*"]}, r"found 'x\*', which no generation has there"),
        ({"essay_replicate": 3}, "found '3'"),
    ],
)
def test_a_value_that_matches_nothing_is_refused(where: dict[str, Any], complaint: str) -> None:
    """A misspelt slice must not silently be an empty one."""
    with pytest.raises(InputError, match=complaint):
        chosen(FULL, where, {})


def test_conditions_that_leave_nothing_are_refused() -> None:
    """Each value occurs, but not together."""
    everything = {"draft_template": "*"}
    with pytest.raises(InputError, match=r"--config, where: no generation .*, exclude"):
        chosen(FULL, {"draft_llm": "m1"}, everything)
    with pytest.raises(InputError, match="--config, exclude: no generation matches"):
        chosen(FULL, {}, everything)


def test_an_unknown_dimension_is_refused() -> None:
    """With the nearest names."""
    where = {"draft_tempalte": "a", "evaluation_temperature": 1}
    with pytest.raises(
        InputError, match=r"exclude\.draft_tempalte: .* did you mean 'draft_template'"
    ) as refusal:
        check_dimensions(where, STAGES, setting="exclude", origin=origin)
    assert len(refusal.value.problems) == 1

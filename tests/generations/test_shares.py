"""Shards: which generations belong to one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daydream.cohorts.membership import generations_of_design
from daydream.generations.row import Generation, own_axes
from daydream.generations.shares import shards_of
from support.stages import stage

STAGES = {"draft": stage("draft"), "essay": stage("essay", "draft")}
AXES = ["combo_id", *(axis for link in STAGES.values() for axis in own_axes(link))]


def cohort(drafts: int) -> list[Generation]:
    rows = [
        ("c", "t", "m", str(draft), essay, "m", "1") for draft in range(drafts) for essay in "ab"
    ]
    return generations_of_design(rows, AXES, cohort="c", stages=STAGES.values())


@given(drafts=st.integers(1, 60), shards=st.integers(1, 20))
def test_each_generation_is_in_one_shard_with_its_parent(drafts: int, shards: int) -> None:
    """Every one has a shard, and its children have the same."""
    rows = cohort(drafts)
    found = shards_of(rows, shards)
    assert found.keys() == {row.gen_id for row in rows}
    assert set(found.values()) <= set(range(1, shards + 1))
    for row in rows:
        if row.parent_gen_id:
            assert found[row.gen_id] == found[row.parent_gen_id]


def test_the_shards_of_a_cohort_never_change() -> None:
    """A run that goes on, also after an update of the workflow, finds the same shards."""
    rows = [row._replace(gen_id=f"d_{n}") for n, row in enumerate(cohort(8)[:8])]
    found = shards_of(rows, 3)
    parts = [[name for name in found if found[name] == number] for number in (1, 2, 3)]
    assert [sorted(part) for part in parts] == [
        ["d_1", "d_2", "d_3"],
        ["d_0", "d_5", "d_7"],
        ["d_4", "d_6"],
    ]


@given(drafts=st.integers(1, 60), shards=st.integers(1, 20))
def test_shards_are_of_equal_size(drafts: int, shards: int) -> None:
    """No shard has more than one draft more than another."""
    rows = cohort(drafts)
    found = shards_of(rows, shards)
    drafts_of = [found[row.gen_id] for row in rows if not row.parent_gen_id]
    sizes = [drafts_of.count(number) for number in range(1, shards + 1)]
    assert max(sizes) - min(sizes) <= 1

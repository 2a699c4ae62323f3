"""After any edit one run leaves what a fresh directory would have, or says that it could not.

A machine edits a small project at random and runs it; after each run it is compared with a fresh
directory that got the same inputs and the same journal (`lab`). What it found is pinned below.

`DAYDREAM_STEPS=2000 pytest tests/workflow/test_any_edit.py` makes as many runs; each seed is a test
of its own, so that pytest's processes share them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

import edits
from lab import TIMES, WORDS, Lab, Run

STEPS = int(os.environ.get("DAYDREAM_STEPS", "210"))
STEPS_A_SEED = 15
SEEDS = range(-(-STEPS // STEPS_A_SEED))


one = st.sampled_from
place = one(edits.PLACES)


def any_of(kinds: Sequence[edits.Kind]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return a strategy of the edits of these kinds."""
    return st.one_of(
        *(
            st.tuples(st.just(kind), *(one(list(value)) for value in values))
            for kind, *values in kinds
        )
    )


INPUTS = any_of([*edits.INPUTS, *edits.COHORTS])
STORE = any_of(edits.STORE)
FAULTS = st.lists(
    st.tuples(
        one(["raises", "raises", "unparsable", "truncated"]),
        one([*WORDS.values()]),
        one(["half", "all"]),
    ),
    min_size=1,
    max_size=2,
)
WHERE = [
    "where={essay_template: grow}",
    "where={combo_id: pair}",
    "exclude={essay_template: gr*}",
    "exclude={combo_id: trio}",
]
TARGETS = [
    *["evaluations scores"] * 6,
    *["scores"] * 6,
    *["explorer"] * 4,
    *["drafts", "essays", "evaluations", "membership", "explorer scores"] * 2,
    "tables",
]
RUNS = st.builds(
    Run,
    target=st.one_of(one(TARGETS), one(TARGETS), one(TARGETS), st.builds("file:{}".format, place)),
    expand=one(["all", "pending"]),
    partial=one([False] * 11 + [True]),
    where=one([""] * 8 + WHERE),
    sampling=one([None] * 11 + [0.7]),
    refresh=one([False] * 14 + [True]),
    again=st.booleans(),
)
# What takes several seconds: figures, and shards, which are processes of their own.
SLOW = st.sampled_from([Run(target="all"), Run(target="all", shards=2), Run(target="report")])


class AnyEdit(RuleBasedStateMachine):
    """Edits and runs of one project."""

    @initialize(variety=st.integers(0, 2**32))
    def begin(self, variety: int) -> None:
        # The first example that Hypothesis tries draws the least of everything: it is left out.
        self.idle = variety == 0
        self.left = 1
        self.faulty = False
        if not self.idle:
            self.directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            self.lab = Lab(Path(self.directory.name))
            self.lab.run(Run())

    def change(self, *edits: tuple[Any, ...]) -> None:
        for one_edit in edits:
            self.lab.edit(*one_edit)

    @rule(edit=INPUTS, old=one([False, False, False, True]), run=RUNS)
    def edit_an_input(self, edit: tuple[Any, ...], old: bool, run: Run) -> None:
        if not self.idle:
            self.change(edit, *([("back_date", "edited", 0)] if old else []))
            self.lab.run(run)

    @rule(edit=STORE, run=RUNS)
    def edit_the_store(self, edit: tuple[Any, ...], run: Run) -> None:
        if not self.idle:
            self.change(edit)
            self.lab.run(run)

    @rule(first=INPUTS, second=st.one_of(INPUTS, STORE), run=RUNS)
    def edit_both(self, first: tuple[Any, ...], second: tuple[Any, ...], run: Run) -> None:
        if not self.idle:
            self.change(first, second)
            self.lab.run(run)

    @rule(faults=FAULTS, edit=st.one_of(INPUTS, any_of([("lose", edits.PLACES)])), run=RUNS)
    def fail(self, faults: list[Any], edit: tuple[Any, ...], run: Run) -> None:
        if not self.idle:
            # Every second time the provider is well again.
            self.faulty = not self.faulty
            self.change(("faults", *(faults if self.faulty else [])), edit)
            self.lab.run(run)

    @rule(run=RUNS)
    def run_alone(self, run: Run) -> None:
        if not self.idle:
            self.lab.run(run)

    @rule(run=SLOW, turn=st.integers(0, 19))
    def run_all(self, run: Run, turn: int) -> None:
        # Seconds: once in a while.
        if not self.idle:
            self.lab.run(run if turn == 7 else Run())

    def teardown(self) -> None:
        if not self.idle:
            self.directory.cleanup()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", SEEDS)
def test_any_edit_then_one_run_is_as_fresh(number: int) -> None:
    """Whatever is edited, and whatever is run."""
    run_state_machine_as_test(
        seed(number)(type("AnyEdit", (AnyEdit,), {})),
        settings=settings(
            max_examples=2,
            stateful_step_count=STEPS_A_SEED,
            deadline=None,
            database=None,
            print_blob=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"seed {number}: {TIMES}")

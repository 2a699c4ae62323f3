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

from support.workflow import edits
from support.workflow.lab import TEXTS, TIMES, WORDS, Edit, Lab, Run, replay

STEPS = int(os.environ.get("DAYDREAM_STEPS", "45"))
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
    tuning=one([True, True, False]),
)
# What takes several seconds: figures, and shards, which are processes of their own.
SLOW = st.sampled_from([Run(target="all"), Run(target="all", shards=2), Run(target="report")])


class AnyEdit(RuleBasedStateMachine):
    """Edits and runs of one project."""

    @initialize(variety=st.integers(0, 2**32))
    def begin(self, variety: int) -> None:
        # The first example that Hypothesis tries draws the least of everything: it is left out.
        self.idle = variety == 0
        self.faulty = False
        if not self.idle:
            self.directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            self.lab = Lab(Path(self.directory.name))
            self.lab.run(Run())

    def step(self, run: Run, *made: tuple[Any, ...]) -> None:
        """Do the edits, run, and take back what would have every later run refused."""
        if self.idle:
            return
        for one_edit in made:
            self.lab.edit(*one_edit)
        self.lab.run(run)
        for kind, *values in made:
            if kind == "broken_template":
                name = next(name for of, name in TEXTS if of == values[0])
                self.lab.edit("template", values[0], name, 0)
            if values[1:] == [["m3"]]:
                self.lab.edit(kind, values[0], ["m1"])

    @rule(edit=INPUTS, old=one([False, False, False, True]), run=RUNS)
    def edit_an_input(self, edit: tuple[Any, ...], old: bool, run: Run) -> None:
        self.step(run, edit, *([("back_date", "edited", 0)] if old else []))

    @rule(edit=STORE, run=RUNS)
    def edit_the_store(self, edit: tuple[Any, ...], run: Run) -> None:
        self.step(run, edit)

    @rule(first=INPUTS, second=st.one_of(INPUTS, STORE), run=RUNS)
    def edit_both(self, first: tuple[Any, ...], second: tuple[Any, ...], run: Run) -> None:
        self.step(run, first, second)

    @rule(faults=FAULTS, edit=st.one_of(INPUTS, any_of([("lose", edits.PLACES)])), run=RUNS)
    def fail(self, faults: list[Any], edit: tuple[Any, ...], run: Run) -> None:
        # Every second time the provider is well again.
        self.faulty = not self.faulty
        self.step(run, ("faults", *(faults if self.faulty else [])), edit)

    @rule(run=RUNS)
    def run_alone(self, run: Run) -> None:
        self.step(run)

    @rule(run=SLOW, turn=st.integers(0, 19))
    def run_all(self, run: Run, turn: int) -> None:
        # Seconds: once in a while.
        self.step(run if turn == 7 else Run())

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


# What was found, by the machine and by hand: each is a sequence of steps, as a failure prints it.
FOUND: dict[str, list[Edit | Run]] = {
    "a design that grows": [Run(), ("axis", "evaluation_replicate", [1, 2]), Run(target="scores")],
    "a design that shrinks": [Run(), ("axis", "essay_template", ["grow"]), Run(target="explorer")],
    "a second cohort": [Run(), ("cohorts", "c1", "mine"), Run(target="scores")],
    "another cohort, and a pending run": [
        Run(),
        ("cohorts", "mine"),
        Run(target="explorer", expand="pending"),
    ],
    "a longer chain": [Run(), ("chain", 4), Run()],
    "a file of the catalog older than the membership": [
        Run(),
        ("combo", 1),
        ("back_date", "edited", 0),
        Run(target="membership"),
    ],
    "a template older than its prompts": [
        Run(),
        ("template", "essay", "grow", 1),
        ("back_date", "edited", 0),
        Run(),
    ],
    "an answer deleted before the last stage": [
        Run(),
        ("delete", "raw.txt", 2),
        Run(target="scores"),
    ],
    "an answer lost before the last stage": [Run(), ("lose", 2), Run(target="explorer")],
    "an answer edited by hand, and the edit deleted": [
        Run(),
        ("hand", "raw.txt", 0, 4),
        Run(),
        ("delete", "raw.txt", 0),
        Run(),
    ],
    "a prompt edited by hand, and Snakemake's records deleted": [
        Run(),
        ("hand", "prompt.txt", 2, 4),
        Run(),
        ("delete", "snakemake", 0),
        Run(),
    ],
    "texts edited by hand, with old times": [
        Run(),
        ("hand", "parsed.txt", 0, 4),
        ("back_date", "everything", -1),
        Run(),
    ],
    "a parsed text edited by hand, and a pending run": [
        Run(),
        ("hand", "parsed.txt", 3, 4),
        Run(expand="pending"),
    ],
    "a number edited by hand, and a pending run": [
        Run(),
        ("hand", "parsed.txt", 7, 4),
        Run(target="scores", expand="pending"),
    ],
    "a scale that refuses old numbers": [
        Run(),
        ("row", "evaluation", "judge", "score_max", "5"),
        Run(target="explorer"),
    ],
    "a template edited, and the provider down": [
        Run(target="explorer"),
        ("faults", ["raises", "SCORE", "all"]),
        ("template", "essay", "grow", 1),
        Run(target="explorer"),
        Run(target="essays"),
        Run(target="scores", expand="pending"),
        ("faults",),
        Run(target="explorer"),
    ],
    "a slice, and then a pending run of the whole": [
        Run(target="scores", where="where={combo_id: pair}"),
        Run(target="scores", expand="pending"),
        Run(target="scores"),
    ],
    "a pending run of a slice after a restoration": [
        Run(),
        ("restore", 5),
        Run(target="evaluations", expand="pending", where="exclude={combo_id: trio}"),
    ],
    "a pending run after an edit": [
        Run(),
        ("template", "evaluation", "judge", 2),
        Run(expand="pending"),
    ],
    "a refresh of drafts": [Run(), Run(target="drafts", refresh=True), Run(target="essays")],
    "the manifest deleted": [Run(), ("delete", "manifest", 0), Run(target="membership")],
    "the manifest and the store deleted": [
        Run(),
        ("delete", "manifest", 0),
        ("delete", "store", 0),
        Run(),
    ],
    "a design that is refused": [Run(), ("axis", "draft_llm", ["m3"]), Run(target="scores")],
    "a template that is refused": [Run(), ("broken_template", "essay"), Run()],
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_found(tmp_path: Path, name: str) -> None:
    """Each step that is a run is as fresh."""
    replay(tmp_path / "lab", FOUND[name])

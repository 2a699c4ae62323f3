"""`diff`: what two cohorts share, which cells have no score, and which calls these cost."""

from __future__ import annotations

import csv
import shutil
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daydream.cohorts.membership import generations_of_design
from daydream.errors import InputError
from daydream.experiment.experiment import Experiment
from daydream.generations.row import Generation, own_axes
from daydream.planning.diff import Coverage, Store, compare, memberships_of
from support.experiment import compiled, experiment, make
from support.project import Project
from support.stages import stage


def write_spec(project: Project, name: str, **changes: Any) -> None:
    """Write a cohort like c1, but for some axes; or with `rules`."""
    rules = changes.pop("rules", None)
    spec = {"axes": {**project.spec["axes"], **changes}, **({"rules": rules} if rules else {})}
    project.write(f"data/cohorts/{name}/spec/config.yaml", yaml.safe_dump(spec, sort_keys=False))


@pytest.fixture
def two(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return the project with c1, which is made, and `more`, of two replicates and a hole.

    c1 has 2 combos x 2 essay templates; `more` leaves out the copy of the trio, in 2 replicates.
    """
    monkeypatch.chdir(project.dir)
    pairs = {"left": "combo_id", "right": "essay_template"}
    allowed = [["pair", "grow"], ["pair", "same"], ["trio", "grow"]]
    rules = {"pairs": {"hole": {**pairs, "allowed": allowed}}}
    write_spec(project, "more", evaluation_replicate=[1, 2], rules=rules)
    made = compiled(project, "c1", "more")
    make(made, [row.gen_id for row in made.memberships["c1"]])
    return project


def table(left: str, right: str) -> list[dict[str, str]]:
    with Path(f"data/cohorts/{left}/reports/diff/{right}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def counts(left: str, right: str, kind: str, cohort: str = "") -> dict[str, int]:
    rows = [row for row in table(left, right) if (row["kind"], row["cohort"]) == (kind, cohort)]
    return {row["stage"]: int(row["count"]) for row in rows}


def flat(text: str) -> str:
    return " ".join(text.split())


def test_generations_in_both_and_in_one(two: Project) -> None:
    """Counted by stage."""
    text = flat(compare(experiment(two), left="c1", right="more"))
    assert counts("c1", "more", "both") == {"draft": 2, "essay": 3, "evaluation": 3}
    assert counts("c1", "more", "only", "c1") == {"essay": 1, "evaluation": 1}
    assert counts("c1", "more", "only", "more") == {"evaluation": 3}
    assert "generations both c1 only more only draft 2 0 0 essay 3 1 0 evaluation 3 1 3" in text


def test_holes_of_the_design_are_told_from_missing_scores(two: Project) -> None:
    """The second replicates are asked for, the trio's copies are not; each with its calls."""
    text = flat(compare(experiment(two), left="more", right="c1"))
    assert "2 combo_id × 2 essay_template × 2 evaluation_replicate full factorial 8" in text
    assert "scored 3 unscored 3 3 calls left out 2 1 further call" in text
    holes = [row for row in table("more", "c1") if row["kind"] in ("unscored", "left_out")]
    cells = [
        (row["kind"], row["combo_id"], row["essay_template"], row["evaluation_replicate"])
        for row in holes
    ]
    assert cells == [
        ("unscored", "pair", "grow", "2"),
        ("unscored", "pair", "same", "2"),
        ("unscored", "trio", "grow", "2"),
        ("left_out", "trio", "same", "1"),
        ("left_out", "trio", "same", "2"),
    ]
    # c1 has made the first of the trio's copies, and so its evaluation costs nothing here.
    assert [row["calls"] for row in holes] == ["1", "1", "1", "0", "1"]


def test_the_calls_are_those_that_the_full_design_makes(two: Project) -> None:
    """Of the ids as well, which are those that the cells then have."""
    compare(experiment(two), left="more", right="c1")
    told = [row for row in table("more", "c1") if row["kind"] in ("unscored", "left_out")]
    write_spec(two, "full", evaluation_replicate=[1, 2])
    before = two.calls()
    made = compiled(two, "full")
    assert {row["gen_id"] for row in told} <= made.generations.keys()
    make(made)
    assert two.calls() - before == sum(int(row["calls"]) for row in told)
    text = flat(compare(experiment(two), left="full", right="full"))
    assert "scored 8 unscored 0 left out 0" in text
    assert "further calls" not in text


def test_calls_that_holes_share_are_counted_once(two: Project) -> None:
    """A deleted draft is paid for again once, and what is made of it then; a copy costs nothing."""
    (trio,) = (
        row
        for row in experiment(two).memberships["c1"]
        if row.stage == "draft" and row.combo_id == "trio"
    )
    shutil.rmtree(f"data/gens/draft/{trio.gen_id}")
    text = flat(compare(experiment(two), left="c1", right="more"))
    assert "c1: cells of evaluation 2 combo_id × 2 essay_template full factorial 4" in text
    assert "scored 2 unscored 2 4 calls left out 0" in text
    for path in Path("data/gens/draft").glob("*/raw.txt"):
        path.unlink()
    text = flat(compare(experiment(two), left="c1", right="c1"))
    assert "unscored 4 4 calls" in text, "the pair's texts are made from the journal"
    for path in Path("data/gens/draft").glob("*/parsed.txt"):
        path.unlink()
    assert "scored 0 unscored 4 4 calls" in flat(compare(experiment(two), left="c1", right="c1"))


def test_a_text_that_is_no_number_is_no_score(two: Project) -> None:
    """As in the score table."""
    first = next(Path("data/gens/evaluation").glob("*/parsed.txt"))
    first.write_text("seven\n")
    assert "scored 3 unscored 1" in flat(compare(experiment(two), left="c1", right="c1"))


def test_a_slice_is_compared_as_one(two: Project) -> None:
    """Both cohorts are cut alike, and the text says so."""
    two.config["where"] = {"essay_template": "grow"}
    two.save()
    text = flat(compare(experiment(two), left="c1", right="more"))
    assert text.startswith('Of the slice {"where": {"essay_template": "grow"}}')
    assert counts("c1", "more", "both") == {"draft": 2, "essay": 2, "evaluation": 2}


def test_many_cells_are_summed_up_by_level(two: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the table; the counts stay, and the calls become the most that there can be."""
    monkeypatch.setattr("daydream.planning.diff.report.LISTED", 1)
    compare(experiment(two), left="more", right="c1")
    margins = [row for row in table("more", "c1") if row["kind"] == "left_out"]
    assert {row["combo_id"]: row["count"] for row in margins if row["combo_id"]} == {
        "pair": "0",
        "trio": "2",
    }
    monkeypatch.setattr("daydream.planning.diff.coverage.LIMIT", 1)
    text = flat(compare(experiment(two), left="more", right="c1"))
    assert "left out 2 at most 2 further calls" in text


def test_cohorts_that_are_not_there(two: Project) -> None:
    """They are refused with the nearest name; and so is a comparison with nothing."""
    settings = experiment(two).settings
    with pytest.raises(InputError, match="did you mean 'more'"):
        memberships_of(settings, ("c1", "mroe"))
    with pytest.raises(InputError, match="found no left or no right"):
        memberships_of(settings, ("c1", None))


# The counts against a walk of the full factorial

STAGES = {"draft": stage("draft"), "judgement": stage("judgement", "draft", "temperature")}
AXES = ["combo_id", *(axis for link in STAGES.values() for axis in own_axes(link))]
LEVELS = [["c1", "c2"], ["a", "copy"], ["m", "n"], ["1"], ["j"], ["m", "n"], ["1", "2"], ["0", "1"]]
TEMPLATES = {
    "draft": {"a": SimpleNamespace(generator="llm"), "copy": SimpleNamespace(generator="copy")},
    "judgement": {"j": SimpleNamespace(generator="llm")},
}
designs = st.lists(st.tuples(*map(st.sampled_from, LEVELS)), min_size=1, max_size=12, unique=True)


class Shelf(Store):
    """A store of which is known what is answered."""

    def __init__(self, rows: list[Generation], answered: set[str]) -> None:
        by_id = {row.gen_id: row for row in rows}

        def lineage(row: Generation) -> list[Generation]:
            return [*([by_id[row.parent_gen_id]] if row.parent_gen_id else []), row]

        made = SimpleNamespace(
            settings=SimpleNamespace(stages={**STAGES}),
            memberships={"c": rows},
            selected=by_id,
            catalog=SimpleNamespace(templates=TEMPLATES),
            lineage=lineage,
        )
        super().__init__(cast(Experiment, made))
        self.answered = answered

    def has_score(self, generation: Generation) -> bool:
        return all(not self.needs_call(row) for row in self.experiment.lineage(generation))

    def unanswered(self, stage: str, template_id: str, name: str) -> bool:
        return template_id != "copy" and name not in self.answered

    def needs_call(self, generation: Generation) -> bool:
        return self.unanswered(generation.stage, generation.template_id, generation.gen_id)


@given(designs, st.data())
def test_holes_and_calls_are_those_of_a_walk(
    design: list[tuple[str, ...]], data: st.DataObject
) -> None:
    """Counting without a walk gives at least as many, and as many if all is answered."""
    rows = generations_of_design(design, AXES, cohort="c", stages=STAGES.values())
    ids = [row.gen_id for row in rows]
    answered = data.draw(st.sets(st.sampled_from(ids)) | st.just(set(ids)))
    coverage = Coverage(Shelf(rows, answered), "c", "judgement")

    levels = [sorted({row[place] for row in design}) for place in range(len(AXES))]
    whole = generations_of_design(product(*levels), AXES, cohort="c", stages=STAGES.values())
    by_id = {row.gen_id: row for row in whole}
    cells = {row.gen_id for row in whole if row.stage == "judgement"}
    assert coverage.total == len(cells)
    assert coverage.left_out == len(cells - set(ids))
    assert {hole.gen_id for hole in coverage.left_out_holes} == cells - set(ids)

    def calls(name: str) -> set[str]:
        names = {name, by_id[name].parent_gen_id}
        return {n for n in names if by_id[n].template_id != "copy" and n not in answered}

    unscored = {name for name in cells & set(ids) if calls(name)}
    assert {hole.gen_id for hole in coverage.unscored} == unscored
    for hole in (*coverage.unscored, *coverage.left_out_holes):
        assert hole.calls == calls(hole.gen_id)
    asked = set().union(*map(calls, unscored))
    further = set().union(*map(calls, cells - set(ids))) - asked
    assert coverage.further_calls == len(further)
    with patch("daydream.planning.diff.coverage.LIMIT", 0):
        counted = Coverage(Shelf(rows, answered), "c", "judgement")
        assert counted.further_calls >= len(further)
        for axis in AXES:
            exact, most = coverage.margins(axis), counted.margins(axis)
            assert sum(margin.left_out for margin in exact) == coverage.left_out
            for one, other in zip(exact, most, strict=True):
                assert one.further <= other.further
                assert (one.left_out, one.unscored) == (other.left_out, other.unscored)
                if answered == set(ids):
                    assert one.further == other.further


def test_what_an_edit_outdates_is_a_hole(two: Project) -> None:
    """The score table leaves it out, and the plan counts its calls."""
    two.edit("data/1_raw/templates/evaluation/judge.txt", "Judge:", "Judge strictly:")
    text = flat(compare(experiment(two), left="c1", right="c1"))
    assert "scored 0 unscored 4 4 calls" in text

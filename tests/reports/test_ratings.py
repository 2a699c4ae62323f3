"""Which ratings of a cohort count: those of texts as they are now."""

from __future__ import annotations

import csv
from contextlib import chdir

from daydream.experiment.experiment import Experiment
from daydream.files import text_sha256
from daydream.generations.row import Generation
from daydream.reports.ratings import ratings_told, write_ratings
from daydream.reports.sources import look
from support.explorer_cohort import Cohort
from support.project import Project

FILE = "data/ratings/anna.csv"


def listed(cohort: Cohort, experiment: Experiment) -> list[dict[str, str]]:
    path = cohort.project.path("ratings.csv")
    write_ratings(experiment, "c1", look(experiment, "c1"), str(path))
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_rating_is_of_the_text_that_was_read(project: Project) -> None:
    """One that was made again, is not made, or has left the design, does not count, and says so."""
    cohort = Cohort(project, generations=28, size=200)
    cohort.fill()
    cohort.build()
    kept, changed, undone = cohort.of("essay", "grow")[:3]

    def digest(row: Generation) -> str:
        return text_sha256(project.read(f"data/gens/essay/{row.gen_id}/parsed.txt"))[:16]

    texts = [kept, changed, undone]
    rows = [f"anna,judge,{row.gen_id},5,c1,{digest(row)}" for row in texts]
    rows.append("anna,judge,e_gone,5,c1,")
    header = "rater,template,gen_id,score,cohort,text_sha256"
    project.write(FILE, "\n".join([header, *rows, ""]))
    cohort.write(changed, prompt="Go", raw="Made again", parsed="Made again")
    cohort.build()
    project.path(f"data/gens/essay/{undone.gen_id}/parsed.txt").unlink()
    with chdir(project.dir):
        found = listed(cohort, cohort.experiment())
    assert [row["error"] for row in found] == [
        "",
        f"the text of {changed.gen_id} has changed since it was rated",
        found[2]["error"],
        "e_gone is not a text of the cohort any more",
    ]
    assert found[2]["error"].startswith("missing essay")
    assert found[0] == {
        **found[0],
        "kind": "single",
        "stage": "evaluation",
        "combo_id": kept.combo_id,
        "score": "5.0",
        "score_max": "9.0",
        "file": FILE,
        "line": "2",
    }
    project.config["where"] = {"combo_id": [changed.combo_id]}
    project.save()
    with chdir(project.dir):
        experiment = cohort.experiment()
        in_slice = [row["gen_id"] for row in listed(cohort, experiment)]
    selected = [row.gen_id for row in texts if row.combo_id == changed.combo_id]
    assert in_slice == [*selected, "e_gone"]


def test_what_is_said_twice_and_of_other_scales(project: Project) -> None:
    """With and without digests, a pair in either order, a score that was given of 100."""
    cohort = Cohort(project, generations=28, size=200)
    cohort.fill()
    cohort.build()
    one, other = (row.gen_id for row in cohort.of("essay", "grow")[:2])
    digest = text_sha256(project.read(f"data/gens/essay/{one}/parsed.txt"))[:16]
    header = "rater,template,gen_id,other_gen_id,choice,score,text_sha256,score_min,score_max"
    rows = [
        f"anna,judge,{one},,,5,{digest},0,9",
        f"anna,judge,{one},,,5,,,",
        f"anna,judge,{one},{other},a,,{digest},,",
        f"anna,judge,{other},{one},b,,,,",
        f"anna,judge,{other},,,50,,0,100",
    ]
    project.write(FILE, "\n".join([header, *rows, ""]))
    with chdir(project.dir):
        found = listed(cohort, cohort.experiment())
    assert [(row["line"], row["error"]) for row in found] == [
        ("2", ""),
        ("4", ""),
        ("6", "it was given on a scale of 0 to 100, and judge has another one now"),
    ]
    project.write(FILE, "\n".join([header, rows[2], f"anna,judge,{other},{one},a,,,,", ""]))
    with chdir(project.dir):
        found = listed(cohort, cohort.experiment())
    assert [row["error"] for row in found] == ["", f"it contradicts {FILE}, line 2"]


def told(cohort: Cohort) -> list[str]:
    with chdir(cohort.project.dir):
        experiment = cohort.experiment()
        return ratings_told(experiment, look(experiment, "c1"))


def test_recipes_that_nobody_rated_are_told(project: Project) -> None:
    """They leave the mean of all texts empty; copies under two models are one recipe."""
    project.spec["axes"]["essay_llm"] = ["m1", "m2"]
    models = project.read("data/1_raw/llm_models.csv")
    project.write("data/1_raw/llm_models.csv", models + "m2,echo-2,echo,Echo 2,general\n")
    cohort = Cohort(project, generations=28, size=200)
    cohort.fill()
    cohort.build()
    of_model = [
        next(row for row in cohort.of("essay", "grow") if row.llm_model_id == model)
        for model in ("m1", "m2")
    ]
    copy = next(row for row in cohort.of("essay", "same") if row.llm_model_id == "m2")
    rows = [f"anna,judge,{row.gen_id},5" for row in (*of_model, copy)]
    project.write(FILE, "\n".join(["rater,template,gen_id,score", rows[0], ""]))
    assert told(cohort) == [
        "Ratings: 1 of 1 count",
        "Ratings: of c1 by judge, 2 of 3 recipes have no rated text: until each has one, "
        "calibrated_means has no mean of all texts",
    ]
    project.write(FILE, "\n".join(["rater,template,gen_id,score", *rows, ""]))
    assert told(cohort) == ["Ratings: 3 of 3 count"]

"""No run leaves reports that contradict each other, also one that makes no text."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable

import pytest

from support.background import Run
from support.project import ROOT, Project

COHORT = "data/cohorts/c1"
SCORES = f"{COHORT}/reports/parsing/aggregated_scores.csv"
CALLS = f"{COHORT}/reports/parsing/calls.csv"
EXPLORER = f"{COHORT}/reports/explorer/index.html"
UNION = "data/7_cross_experiment/scores.csv"


@pytest.fixture
def reported(project: Project) -> Project:
    """Return the project with everything made but figures, which are as the tables are."""
    project.spec["axes"]["evaluation_replicate"] = [1, 2]
    project.save()
    project.snakemake("tables", "explorer", "evaluations", CALLS)
    project.write(f"{COHORT}/reports/figures/leaderboard.svg", "<svg/>")
    return project


def reports(project: Project) -> set[str]:
    """Return the reports that there are, without the records of what they were made of."""
    files = [
        *project.path(f"{COHORT}/reports").rglob("*.*"),
        *project.path("data/7_cross_experiment").rglob("*.*"),
    ]
    names = {str(path.relative_to(project.dir)) for path in files}
    return {name for name in names if "/provenance/" not in name}


def content(project: Project) -> dict[str, str]:
    files = [path for path in project.path("data").rglob("*") if path.is_file()]
    return {str(path.relative_to(project.dir)): path.read_text() for path in files}


def edit_score(project: Project) -> list[str]:
    """Edit a score by hand: no text is made again for it."""
    row = project.membership()[-1]
    path = f"data/gens/evaluation/{row['gen_id']}/parsed.txt"
    project.write(path, "9\n" if float(project.read(path)) < 9 else "1\n")
    return []


def add_model(project: Project) -> None:
    """Add a model that no cohort uses."""
    project.edit("data/1_raw/llm_models.csv", "\nm1,", "\nm9,echo-9,echo,Echo 9,general\nm1,")


def add_level(project: Project) -> None:
    """Make the design larger."""
    project.spec["axes"]["evaluation_replicate"] = [1, 2]
    project.save()


def record_of(project: Project) -> str:
    """Return the file that says what the scores were made of."""
    return f"{COHORT}/reports/provenance/scores.json"


def drop_level(project: Project) -> list[str]:
    """Make the design smaller: everything that is left is there already."""
    project.spec["axes"]["evaluation_replicate"] = [1]
    project.save()
    return []


def take_slice(project: Project) -> list[str]:
    return ["--config", "where={combo_id: pair}"]


@pytest.mark.parametrize("edit", [edit_score, drop_level, take_slice])
def test_what_a_run_rewrites_withdraws_the_rest(
    reported: Project, edit: Callable[[Project], list[str]]
) -> None:
    """Only the new table of scores is left; the tables of it come back with their target."""
    before = reports(reported)
    old = reported.read(SCORES)
    settings = edit(reported)
    reported.snakemake("scores", *settings)
    assert reported.read(SCORES) != old
    assert reports(reported) == {SCORES}
    if settings:
        # And back to the whole cohort.
        reported.snakemake("tables", *settings)
        reported.snakemake("scores")
        assert reported.read(SCORES) == old
        assert reports(reported) == {SCORES}
    reported.snakemake("tables", "explorer", CALLS)
    assert reports(reported) == {name for name in before if "figures" not in name}


@pytest.mark.parametrize("target", ["evaluations", "membership"])
def test_a_smaller_design_withdraws_the_reports_of_the_larger(
    reported: Project, target: str
) -> None:
    """Though the target is not a report."""
    drop_level(reported)
    reported.snakemake(target)
    assert not reports(reported)


@pytest.mark.parametrize("command", [["scores", "-n"], ["plan"], ["explorer", "-n"]])
def test_looking_withdraws_nothing(reported: Project, command: list[str]) -> None:
    """Nor does it write anything else than the plan."""
    drop_level(reported)
    before = content(reported)
    reported.snakemake(*command)
    after = content(reported)
    after.pop("data/plan.csv", None)
    assert after == before


def test_what_is_of_today_stays(reported: Project) -> None:
    """A missing report is made again; the others are not withdrawn for it, nor made again."""
    before = content(reported)
    reported.path(EXPLORER).unlink()
    reported.snakemake("explorer")
    assert content(reported).keys() == before.keys()
    assert reported.read(UNION) == before[UNION]


def test_a_partial_table_withdraws_what_it_contradicts(reported: Project) -> None:
    """The tables are of the scores before one of them was lost."""
    row = reported.membership()[-1]
    reported.path(f"data/gens/evaluation/{row['gen_id']}/parsed.txt").unlink()
    reported.snakemake("scores", "--config", "partial=true")
    with reported.path(SCORES).open(newline="") as file:
        assert [row["score"] for row in csv.DictReader(file)].count("") == 1
    assert reports(reported) == {SCORES}


def test_reports_of_another_version_are_made_again(project: Project) -> None:
    """It may count otherwise; texts are of answers, which stay."""

    def run() -> str:
        # A process of its own: the one that forks for the tests has imported the library already.
        return Run(project, "--cores", "4", "tables").wait()

    project.path("scripts").unlink()
    shutil.copytree(ROOT / "scripts", project.path("scripts"))
    run()
    table = f"{COHORT}/reports/summary/final_results.csv"
    calls, before = project.read("calls.log"), project.read(table)
    summary = "scripts/daydream/analysis/summary.py"
    project.edit(summary, '"mean": value.mean()', '"mean": value.mean() + 100')
    run()
    assert project.read("calls.log") == calls
    assert project.read(table) != before
    assert "Nothing to be done" in run()


@pytest.mark.parametrize(
    ("edit", "settings", "reason"),
    [
        (edit_score, (), "what is in the store changed"),
        (lambda project: None, ("--config", "panel=mean"), "panel changed"),
        (lambda project: project.path(SCORES).unlink(), (), "it is missing"),
        (lambda project: project.path(record_of(project)).unlink(), (), "is not recorded"),
        (add_model, (), "data/1_raw/llm_models.csv changed"),
        (add_level, (), "4 texts are to come, what is in the store changed"),
    ],
)
def test_a_dry_run_says_why_a_report_is_made_again(
    project: Project, edit: Callable[[Project], object], settings: tuple[str, ...], reason: str
) -> None:
    """Also where it is not a file that is newer."""
    project.snakemake("scores")
    edit(project)
    output = project.run("-c2", "-n", "scores", *settings)
    assert re.search(f"^aggregate_scores cohort=c1  # .*{re.escape(reason)}$", output, re.M), output
    assert project.path(SCORES).exists() == (reason != "it is missing")

"""What tables and pages count after a run in which an essay and a judge's answer were rejected."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from support.project import Project

REPORTS = "data/cohorts/c1/reports"
# Of the two essays that are not copies, one is blank and one gets no score.
ANSWER = """
    if "SCORE" in prompt:
        return "no idea" if "essay" in prompt else "SCORE: 7"
    if "Grow" in prompt:
        return "" if "murky" in prompt else f"essay {digest}"
    return f"{'murky' if 'Fog' in prompt else 'clear'} {digest}"
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project after a run with failures; then tables were made of what there is."""
    project = Project(tmp_path_factory.mktemp("counts") / "project")
    head, _, _ = project.read("echo.py").partition('    if "SCORE" in prompt:')
    project.write("echo.py", head + ANSWER.lstrip("\n"))
    summary = project.snakemake("tables", code=1)
    project.snakemake("tables", "--config", "partial=true")
    project.output = summary
    return project


def table(project: Project, name: str) -> list[dict[str, str]]:
    with Path(project.path(f"{REPORTS}/{name}")).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_judge_is_not_blamed_for_a_text_that_it_was_never_asked_about(finished: Project) -> None:
    """An evaluation without its essay names the essay; the error says why that failed."""
    kinds = {row["kind"]: row for row in table(finished, "analysis/coverage.csv")}
    assert {kind: row["missing"] for kind, row in kinds.items()} == {
        "parse": "1",
        "failed essay": "1",
    }
    error = kinds["failed essay"]["error"]
    assert re.match(r"failed essay (e_\w+): \[parse\] essay \1", error), error
    page = overview(finished)
    assert "parse: 1 evaluation (" in page
    assert "failed essay: 1 evaluation (" in page


def test_the_overview_counts_what_the_summary_counts(finished: Project) -> None:
    """Complete texts, and not answers: a rejected one is an answer, and costs."""
    complete = re.findall(r"^ *(draft|essay|evaluation) +(\d+) ", finished.output, re.MULTILINE)
    assert dict(complete) == {"draft": "2", "essay": "3", "evaluation": "2"}
    page = overview(finished)
    for stage, texts in (("draft", "2"), ("essay", "3 of 4"), ("evaluation", "2 of 4")):
        assert f'<th scope="row">{stage}</th> <td>{texts}</td>' in page
    states = [row["state"] for row in table(finished, "parsing/calls.csv")]
    assert sorted(states) == sorted(["complete"] * 7 + ["failed"] * 2 + ["blocked"])
    assert "7 answers of models" in page
    assert "Rejected answers are included, replaced ones are not." in page


def overview(project: Project) -> str:
    return " ".join(project.read(f"{REPORTS}/overview.html").split())

"""`snakemake tables`: every table of every cohort, of their union and of its views."""

from __future__ import annotations

import pandas as pd

from daydream.analysis import FOLDERS
from support.project import Project

CROSS = "data/7_cross_experiment"
CAPTIONS = {*FOLDERS, "template_model"}


def test_the_tables_of_a_run_and_their_report(project: Project) -> None:
    """All are made, say that they are of a slice, and are described; a wrong view is one line."""
    project.config["views"] = {
        "grown": {"where": {"essay_template": "gr*"}},
        "a.b": {"where": {"score": ">=0"}},
    }
    project.config["where"] = {"essay_llm": "m1"}
    project.save()
    project.snakemake("tables")
    paths = [f"data/cohorts/c1/reports/{folder}/{name}.csv" for name, folder in FOLDERS.items()]
    for path in [*paths, f"{CROSS}/template_model.csv", f"{CROSS}/views/grown/template_model.csv"]:
        table = pd.read_csv(project.path(path))
        assert table.columns[0] == "stage"
        assert all(note.startswith('{"where": {"essay_llm": "m1"}}') for note in table["slice"])
    for directory, rows in (
        (CROSS, 4),
        (f"{CROSS}/views/grown", 2),
        (f"{CROSS}/views/a.b", 4),
    ):
        assert len(pd.read_csv(project.path(f"{directory}/scores.csv"))) == rows

    project.snakemake("tables", "--report", "report.html")
    page = project.read("report.html")
    for name in CAPTIONS:
        caption = project.read(f"report/{name}.rst").splitlines()[0]
        assert caption[:40] in page, name

    project.config["views"]["grown"]["where"] = {"essay_templat": "grow"}
    project.save()
    project.edit("data/1_raw/templates/draft/plain.txt", "Join", "Now join")
    calls = project.calls()
    output = project.snakemake("tables", code=1)
    assert "[config] config/config.yaml, views.grown.where.essay_templat: found" in output
    assert project.calls() == calls, "refused before the first job"
    assert "did you mean 'essay_template'" in output
    assert "Traceback" not in output


def test_every_table_has_a_caption(project: Project) -> None:
    """And every caption a table; other captions are other reports'."""
    assert {path.stem for path in project.path("report").glob("*.rst")} >= CAPTIONS

"""`snakemake tables`: every table of every cohort, of their union and of its views."""

from __future__ import annotations

import csv
import shutil

import pandas as pd

from daydream.analysis import CRITERIA, FOLDERS, OF_RATINGS
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
    best = pd.read_csv(project.path("data/cohorts/c1/reports/summary/leaderboard.csv")).iloc[0]
    overview = project.read("data/cohorts/c1/reports/overview.html")
    score, adjusted = f"{best['panel_score']:.2f}", "Means are adjusted for combos, on the scale"
    for said in ("Cohort c1", "A slice, not the whole cohort:", score, adjusted):
        assert said in overview
        assert said in page, "the report begins with the overview"
    assert 'href=\\"data/cohorts/c1/reports/explorer/index.html' in page
    tables = project.read("data/cohorts/c1/reports/tables.html")
    for name, folder in FOLDERS.items():
        assert f'href="{folder}/{name}.csv"' in tables

    project.config["views"]["grown"]["where"] = {"essay_templat": "grow"}
    project.save()
    project.edit("data/1_raw/templates/draft/plain.txt", "Join", "Now join")
    calls = project.calls()
    output = project.snakemake("tables", code=1)
    assert "[config] config/config.yaml, views.grown.where.essay_templat: found" in output
    assert project.calls() == calls, "refused before the first job"
    assert "did you mean 'essay_template'" in output
    assert "Traceback" not in output


def test_the_rule_of_the_panel_is_stated_once(project: Project) -> None:
    """Another rule makes tables, overview, figures and explorer again, without a call."""
    models = "id,model,provider,display_name,specialization\n"
    models += "".join(f"m{n},echo-{n},echo,Echo {n},general\n" for n in (1, 2, 3))
    project.write("data/1_raw/llm_models.csv", models)
    project.edit(
        "echo.py",
        'if "SCORE" in prompt:',
        'if "SCORE" in prompt:\n'
        '        given = {"echo-1": 8, "echo-2": 7, "echo-3": 0}[body["model"]]\n'
        '        return f"SCORE: {given}"\n'
        "    if False:",
    )
    project.spec["axes"] |= {"combo_id": ["pair", "trio"], "evaluation_llm": ["m1", "m2", "m3"]}
    project.save()
    reports = "data/cohorts/c1/reports"
    found, pages, calls = {}, set(), []
    for rule in ("mean", "median"):
        project.snakemake("all", "--config", f"panel={rule}")
        board = pd.read_csv(project.path(f"{reports}/summary/leaderboard.csv"))
        texts = pd.read_csv(project.path(f"{reports}/summary/generation_scores.csv"))
        found[rule] = {*board["panel_score"], *texts["panel_score"], *texts["shrunk_mean"]}
        assert {*board["panel"], *texts["panel"]} == {rule}
        assert f"of each text’s {rule} over its judges" in project.read(f"{reports}/overview.html")
        assert f"{rule} over judges" in project.read(f"{reports}/figures/leaderboard.svg")
        pages.add(project.read(f"{reports}/explorer/index.html"))
        calls.append(project.calls())
    assert found == {"mean": {5.0}, "median": {7.0}}
    assert len(pages) == 2
    assert calls[0] == calls[1]
    output = project.snakemake("tables", "--config", "panel=mode", code=1)
    assert "[config] --config on the command line, panel: found 'mode'" in output


def test_another_rule_of_the_panel_needs_no_memory_of_snakemake(project: Project) -> None:
    """No report keeps another rule than the one of today, also where `.snakemake` was deleted."""
    project.spec["axes"]["evaluation_replicate"] = [1, 2]
    project.save()
    project.snakemake("tables", "explorer", "top", "--config", "panel=mean")
    shutil.rmtree(project.path(".snakemake"))
    project.snakemake("tables", "--config", "panel=median")
    reports = "data/cohorts/c1/reports"
    for table in ("leaderboard", "generation_scores"):
        rows = pd.read_csv(project.path(f"{reports}/summary/{table}.csv"))
        assert {*rows["panel"]} == {"median"}
    assert not project.path(f"{reports}/explorer/index.html").exists()
    assert not project.path("data/cohorts/c1/top.csv").exists()
    calls = project.calls()
    project.snakemake("explorer", "top", "--config", "panel=median")
    assert project.calls() == calls
    assert project.path("data/cohorts/c1/top.csv").exists()


def test_every_table_has_a_caption(project: Project) -> None:
    """And every caption a table; other captions are other reports'."""
    assert {path.stem for path in project.path("report").glob("*.rst")} >= CAPTIONS
    for folder, tables in (("criteria", CRITERIA), ("ratings", OF_RATINGS)):
        assert {path.stem for path in project.path(f"report/{folder}").glob("*.rst")} == {*tables}


def test_how_new_a_text_is_can_be_ranked_and_viewed(project: Project) -> None:
    """The columns of novelty are in the ranking and in views; the copied essays are all draft."""
    project.config["views"] = {"own": {"where": {"parent_share": "<0.5"}}}
    project.write(
        "echo.py",
        "import random\n\n"
        "def complete(body):\n"
        "    rng = random.Random(str(body))\n"
        "    words = ' '.join(rng.choice(['tide', 'loom', 'fog', 'salt']) for _ in range(60))\n"
        "    text = f'{words}\\nSCORE: 5'\n"
        "    return {'choices': [{'message': {'content': text}, 'finish_reason': 'stop'}]}\n",
    )
    project.save()
    project.snakemake("tables")
    with project.path("data/7_cross_experiment/views/own/scores.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    assert {row["essay_template"] for row in kept} == {"grow"}
    output = project.snakemake("top", "--config", "by=prompt_share")
    assert "4 of 4 texts by prompt_share" in output
    with project.path("data/cohorts/c1/top.csv").open(newline="") as file:
        shares = [float(row["prompt_share"]) for row in csv.DictReader(file)]
    assert shares == sorted(shares)
    table = project.read("data/cohorts/c1/reports/analysis/diversity.csv")
    assert "essay,essay_template,grow,2," not in table, "one text per combo has no diversity"
    assert "draft,overall," in table

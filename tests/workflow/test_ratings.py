"""From a text rated in the page to the tables that hold it; and what a file of ratings may do."""

from __future__ import annotations

import csv
import re

import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

from daydream.analysis import OF_RATINGS
from support.explorer_cohort import PAGE
from support.project import Project

REPORTS = "data/cohorts/c1/reports"
FILE = "data/ratings/anna.csv"
TABLES = [f"{REPORTS}/ratings/{name}.csv" for name in OF_RATINGS]
HEADER = "rater,template,gen_id,score,other_gen_id,choice\n"


def rate(browser: Browser, project: Project) -> dict[str, int]:
    """Rate 20 texts in the page by keyboard, put its file in place, and return the scores."""
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    page.goto(project.path(PAGE).as_uri() + "#?view=rate")
    page.locator("[name=rater]").fill("anna")
    page.keyboard.press("Enter")
    for number in range(20):
        expect(page.locator(".rate-head strong")).to_have_text(f"{number + 1} of 20")
        page.keyboard.press(str(number % 7))
        page.keyboard.press("Enter")
    with page.expect_download() as download:
        page.get_by_text("Export", exact=True).press("Enter")
    project.path(FILE).parent.mkdir()
    download.value.save_as(project.path(FILE))
    context.close()
    with project.path(FILE).open(newline="") as file:
        return {row["gen_id"]: int(row["score"]) for row in csv.DictReader(file)}


@pytest.fixture
def rated(project: Project) -> Project:
    """Return a project of 24 essays of two recipes and four combos."""
    rows = [
        f"{name},v1,{concept},sentence,1,2026-11-01"
        for name, concepts in {"one": ["tide"], "two": ["loom"]}.items()
        for concept in concepts
    ]
    table = project.read("data/combo_mappings.csv")
    project.write("data/combo_mappings.csv", table + "\n".join([*rows, ""]))
    project.spec["axes"] |= {"combo_id": ["pair", "trio", "one", "two"], "draft_replicate": 3}
    project.save()
    return project


def test_texts_rated_in_the_page_reach_the_tables(browser: Browser, rated: Project) -> None:
    """Rated, exported, taken in: agreement, calibrated means, the page; no call is made."""
    rated.snakemake("tables", "explorer")
    calls, plain = rated.calls(), rated.read(f"{REPORTS}/summary/leaderboard.csv")
    assert not any(rated.path(table).exists() for table in TABLES)
    said = rate(browser, rated)
    rated.snakemake("tables", "explorer")
    assert rated.calls() == calls
    assert rated.read(f"{REPORTS}/summary/leaderboard.csv") == plain

    agreement, means, shares = (pd.read_csv(rated.path(table)) for table in TABLES)
    scores = {row["parent_gen_id"]: float(row["score"]) for row in rated.scores()}
    both = pd.DataFrame({"human": said, "judge": {name: scores[name] for name in said}})
    assert len(both) == 20
    found = agreement.set_index("measure")
    assert set(found.index) == {"alpha", "ac2", "pearson", "spearman", "bias"}
    assert (found["kind"] == "human").all()
    assert set(found["judge"] + " " + found["other_judge"]) == {"anna_judge m1_judge"}
    assert found.loc["pearson", "value"] == pytest.approx(both.corr().iloc[0, 1], rel=1e-5)
    bias = (both["judge"] - both["human"]).mean()
    assert found.loc["bias", "value"] == pytest.approx(bias, rel=1e-5)
    overall = means[means["dimension"] == "overall"].iloc[0]
    assert (overall["texts"], overall["rated"], overall["raters"]) == (24, 20, 1)
    assert overall["human_mean"] == pytest.approx(both["human"].mean(), rel=1e-5)
    assert overall["ci_low"] < overall["calibrated_mean"] < overall["ci_high"]
    assert set(means["dimension"]) >= {"overall", "essay_template", "recipe"}
    assert shares.empty
    page = browser.new_page()
    text = next(iter(said))
    page.goto(rated.path(PAGE).as_uri() + f"#{text}")
    expect(page.locator(".person h3")).to_have_text(re.compile(rf"{said[text]}\s*anna · judge"))
    page.close()
    assert "Nothing to be done" in rated.snakemake("tables", "explorer")


def test_a_file_of_ratings_is_checked_followed_and_can_go(project: Project) -> None:
    """All mistakes at once, before any job; an edit counts; without the file all is as before."""
    project.snakemake("explorer", "scores")
    before = project.read(PAGE)
    essays = [row["gen_id"] for row in project.membership() if row["stage"] == "essay"]
    draft = next(row["gen_id"] for row in project.membership() if row["stage"] == "draft")
    project.write(FILE, f"{HEADER}anna,judge,{essays[0]},11,,\nanna,judgd,{essays[1]},3,,\n")
    project.write("data/ratings/ben.csv", f"{HEADER}ben,judge,{essays[0]},,{essays[1]},c\n")
    output = project.snakemake("explorer", code=1)
    for line in (
        f"[ratings] {FILE}, line 2, column score: found '11', which is outside the scale of judge; "
        "write a number from 0 to 9",
        f"[ratings] {FILE}, line 3, column template: found 'judgd', which is not a template of the "
        "stage evaluation; did you mean 'judge'?",
        "[ratings] data/ratings/ben.csv, line 2, column choice: found 'c', which is not a choice; "
        "write a (gen_id is better), b (other_gen_id is better) or tie",
    ):
        assert line in output
    assert "Traceback" not in output
    project.path("data/ratings/ben.csv").unlink()

    project.write(FILE, f"{HEADER}anna,judge,e_0,4,,\nanna,judge,{draft},4,,\n")
    output = project.snakemake("explorer", code=1)
    assert f"{FILE}, line 2, column gen_id: found 'e_0', which is not a text of" in output
    assert f"{FILE}, line 3, column gen_id: found '{draft}', a generation of the stage" in output
    assert "Traceback" not in output
    assert project.read(PAGE) == before, "nothing is written, or taken away"

    table, explorer = f"{REPORTS}/ratings/calibrated_means.csv", "explorer"
    project.write(FILE, f"{HEADER}anna,judge,{essays[0]},4,,\n")
    project.snakemake(table, explorer)
    assert pd.read_csv(project.path(table))["human_mean"].iloc[-1] == 4
    assert project.read(PAGE) != before
    project.edit(FILE, ",4,", ",5,")
    project.snakemake(table)
    assert pd.read_csv(project.path(table))["human_mean"].iloc[-1] == 5
    assert not project.path(PAGE).exists(), "withdrawn: it would show another number"
    project.path(FILE).unlink()
    project.snakemake("explorer", "scores")
    assert project.read(PAGE) == before
    assert not project.path(table).exists()


def test_it_is_told_how_many_count_and_why_not_the_others(project: Project) -> None:
    """At the end of a run, by a dry run and by the plan, with what was not read."""
    project.snakemake()
    assert "Ratings" not in project.output
    essays = [row["gen_id"] for row in project.membership() if row["stage"] == "essay"]
    header = "rater,template,gen_id,score,cohort,text_sha256,score_min,score_max"
    rows = [
        f"anna,judge,{essays[0]},5,c1,,,",
        f"anna,judge,{essays[1]},5,c1,00000000,,",
        f"anna,judge,{essays[2]},5,c1,00000000,,",
        f"anna,judge,{essays[1]},50,c1,,0,100",
        "anna,judge,e_gone,5,c1,,,",
        "anna,judge,e_1,5,c11,,,",
    ]
    project.write(FILE, "\n".join([header, *rows, ""]))
    project.write("data/ratings/ben.xlsx", "")
    told = (
        "Ratings: 1 of 6 count; not: 2 × the text has changed since, 1 × its scale is another now, "
        "1 × the text is gone, 1 × other reasons (`error` in reports/parsing/ratings.csv)",
        f"Ratings: {FILE}, line 7, column cohort: found 'c11', which is not a cohort here; did you "
        "mean 'c1'?",
        "Ratings: data/ratings holds ben.xlsx, which is not read: save tables there as CSV (UTF-8)",
    )
    table = f"{REPORTS}/ratings/calibrated_means.csv"
    for arguments in (["-n", table], ["plan"], [table]):
        output = project.snakemake(*arguments)
        assert [line for line in told if line not in output] == [], output
    assert f"Results: {REPORTS}/parsing/aggregated_scores.csv\n" in output
    assert f"{REPORTS}/ratings/\n" in output


def test_a_mistake_stops_what_shows_ratings_alone(project: Project) -> None:
    """Texts are made, and the mistake is told; of all, nothing is asked before it is corrected."""
    project.write(FILE, f"{HEADER}anna,judge,e_0,11,,\nanna,judgd,e_1,3,,\n")
    mistake = f"[ratings] {FILE}, line 2, column score: found '11', which is outside the scale"
    output = project.snakemake("all", code=1)
    assert mistake in output
    assert "Traceback" not in output
    assert project.calls() == 0
    assert mistake in project.snakemake("-n", "tables", code=1)
    assert mistake in project.snakemake("plan")
    assert "A run would end before its first job:" in project.output
    for arguments in (["-n", "drafts"], ["drafts"]):
        output = project.snakemake(*arguments)
        assert f"Ratings: what shows them cannot be made: {mistake}" in output
        assert "(and 1 more)" in output
    assert project.calls() == 2
    project.snakemake("scores")
    assert project.calls() > 2


def test_pairs_are_of_one_combo(project: Project) -> None:
    """As docs/ratings.md says, and the intervals of the shares need."""
    project.snakemake("scores")
    essays = [row for row in project.membership() if row["stage"] == "essay"]
    one, other = (next(r for r in essays if r["combo_id"] == name) for name in ("pair", "trio"))
    project.write(FILE, f"{HEADER}anna,judge,{one['gen_id']},,{other['gen_id']},a\n")
    output = project.snakemake("explorer", code=1)
    assert (
        f"[ratings] {FILE}, line 2, column other_gen_id: found a text of the combo trio, and "
        "gen_id is one of pair; compare two texts of one combo"
    ) in output

"""A ranking to choose from, and a cohort built on the choice."""

from __future__ import annotations

import csv

from support.project import Project

SPEC = """
from: {stage: essay, gen_ids: '@file:top.csv'}
axes:
  evaluation_template: [judge]
  evaluation_llm: [m1]
  evaluation_replicate: [2]
"""
TOP = "data/cohorts/c1/top.csv"


def ranking(project: Project) -> list[dict[str, str]]:
    with project.path(TOP).open(newline="") as file:
        return list(csv.DictReader(file))


def test_from_a_ranking_to_a_cohort(project: Project) -> None:
    """The best come first; what was selected stays selected, and becomes parents."""
    project.snakemake()
    output = project.snakemake("top", "--config", "count=3")
    assert "3 of 4 texts by shrunk_mean" in output
    rows = ranking(project)
    assert [row["place"] for row in rows] == ["1", "2", "3"]
    numbers = [float(row["shrunk_mean"]) for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert all(row["beginning"] for row in rows)
    chosen = rows[1]["gen_id"]
    project.edit(TOP, f",2,{chosen}", f"yes,2,{chosen}")
    project.snakemake("top", "--config", "count=4", "by=normalised_mean")
    assert [row["gen_id"] for row in ranking(project) if row["selected"]] == [chosen]
    # As a spreadsheet program saves it where numbers have decimal commas.
    lines = project.read(TOP).replace(",", ";").splitlines()
    project.write(TOP, "\ufeff" + "\r\n".join(lines))
    output = project.snakemake("top", "--config", "count=3")
    assert [row["gen_id"] for row in ranking(project) if row["selected"]] == [chosen]
    assert "  place  gen_id              shrunk_mean  beginning\n      1  e_" in output
    # A mark stays, even below a shorter list.
    place = int(ranking(project)[-1]["place"])
    last = ranking(project)[-1]["gen_id"]
    project.edit(TOP, f",{place},{last}", f"yes,{place},{last}")
    project.snakemake("top", "--config", "count=1")
    assert {row["gen_id"] for row in ranking(project) if row["selected"]} == {chosen, last}
    project.edit(TOP, f"yes,{place},{last}", f",{place},{last}")
    project.write("data/cohorts/best/spec/top.csv", project.read(TOP))
    project.write("data/cohorts/best/spec/config.yaml", SPEC)
    calls = project.calls()
    project.snakemake("--config", "cohorts=[best]")
    assert project.calls() == calls + 1
    membership = project.read("data/cohorts/best/membership.csv")
    assert membership.count("essay,") == 1
    assert chosen in membership
    project.snakemake("top", "--config", "count=4", "by=rank")
    ranks = [float(row["rank"]) for row in ranking(project)]
    assert ranks[0] == 1
    assert ranks == sorted(ranks)
    output = project.snakemake("top", "--config", "by=shrunk_men", code=1)
    assert "found 'shrunk_men', which is not a column of" in output
    assert "did you mean 'shrunk_mean'?" in output
    assert "Traceback" not in output


def test_an_outdated_ranking_says_so_and_keeps_the_marks(project: Project) -> None:
    """Also of a run that makes no text, and of several."""
    project.snakemake("top")
    chosen = ranking(project)[-1]["gen_id"]
    project.edit(TOP, f",4,{chosen}", f"yes,4,{chosen}")
    project.snakemake("diff", "--config", "left=c1", "right=c1")
    compared = project.path("data/cohorts/c1/reports/diff/c1.csv")
    assert compared.exists()
    project.snakemake("scores")
    assert project.path(TOP).exists()
    outdated = project.path(TOP.replace(".csv", "-outdated.csv"))
    judge = "data/1_raw/templates/evaluation/judge.txt"
    for target, old, new in (("scores", "Judge:", "Judge this:"), ("drafts", "", "")):
        project.edit(judge, old, new)
        output = project.snakemake(target)
        assert (f"{TOP} is not of today's texts and scores" in output) is (target == "scores")
        assert not project.path(TOP).exists()
        assert not compared.exists()
        assert f"yes,4,{chosen}" in outdated.read_text()
    project.snakemake("top")
    assert [row["gen_id"] for row in ranking(project) if row["selected"]] == [chosen]
    assert not outdated.exists()
    # An edit by hand makes no text.
    evaluation = project.membership()[-1]["gen_id"]
    project.write(f"data/gens/evaluation/{evaluation}/parsed.txt", "0.5\n")
    project.snakemake("scores")
    assert outdated.exists()
    assert not project.path(TOP).exists()

"""Cohorts that share generations: one directory and one call, in any order of the cohorts."""

from __future__ import annotations

from support.project import Project

CALLS = 8


def other(project: Project, name: str, spec: str) -> None:
    project.write(f"data/cohorts/{name}/spec/config.yaml", spec)


def use(project: Project, *cohorts: str) -> tuple[str, str]:
    return ("--config", f"cohorts=[{', '.join(cohorts)}]")


def ids(project: Project, cohort: str) -> set[str]:
    lines = project.read(f"data/cohorts/{cohort}/membership.csv").splitlines()[1:]
    assert all(line.split(",")[2] == cohort for line in lines)
    return {line.split(",")[1] for line in lines}


EVALUATIONS = """
from: {stage: essay, gen_ids: '@file:best.csv'}
axes:
  evaluation_template: [judge]
  evaluation_llm: [m1]
  evaluation_replicate: [1, 2, 3]
"""


def test_later_stages_on_generations_that_exist(project: Project) -> None:
    """`from` adds only the later stages; what is selected may stand in a table."""
    project.snakemake()
    essays = [row["gen_id"] for row in project.membership() if row["stage"] == "essay"]
    rows = [f"{name},{mark}" for name, mark in zip(essays, ["yes", "", "no", "1"], strict=True)]
    project.write("data/cohorts/c2/spec/best.csv", "\n".join(["gen_id,selected", *rows, ""]))
    other(project, "c2", EVALUATIONS)
    project.snakemake(*use(project, "c2"))
    assert project.calls() == CALLS + 2 * 2
    lines = project.read("data/cohorts/c2/membership.csv").splitlines()[1:]
    stages = [line.split(",")[0] for line in lines]
    assert stages.count("essay") == 2
    assert stages.count("evaluation") == 6
    assert {essays[0], essays[3]} < ids(project, "c2")


def test_a_parent_that_is_not_there_is_refused(project: Project) -> None:
    """With its id; nothing is written."""
    other(project, "c2", EVALUATIONS.replace("'@file:best.csv'", "[e_none]"))
    output = project.snakemake(*use(project, "c2"), code=1)
    assert "found 'e_none', which the store does not hold as essay; make it first" in output
    assert "Traceback" not in output


def test_cohorts_added_and_taken_away(project: Project) -> None:
    """`base` takes over, the cohort's own axes add, `minus` leaves out all but needed ancestors."""
    axes = {**project.spec["axes"], "evaluation_replicate": [2]}
    listed = "\n".join(f"  {name}: {levels}" for name, levels in axes.items())
    other(project, "more", f"base: c1\naxes:\n{listed}\n")
    other(project, "rest", "base: [more]\nminus: c1\n")
    project.snakemake(*use(project, "c1", "more", "rest"))
    c1, more, rest = (ids(project, name) for name in ("c1", "more", "rest"))
    assert c1 < more
    assert len(more - c1) == 4
    assert rest == more - {name for name in c1 if name.startswith("v_")}
    assert project.calls() == CALLS + 4
    assert project.snakemake(*use(project, "rest")).count("Nothing to be done") == 1


def test_an_edit_of_the_base_expands_the_cohort_again(project: Project) -> None:
    """The base's spec is an input of the membership."""
    other(project, "more", "base: c1\n")
    project.snakemake("membership", *use(project, "more"))
    before = ids(project, "more")
    project.spec["axes"]["evaluation_replicate"] = 2
    project.save()
    project.snakemake("membership", *use(project, "more"))
    assert len(ids(project, "more") - before) == 4


def test_a_cohort_may_be_called_as_a_number(project: Project) -> None:
    """On the command line and as a base, whose edit counts as well."""
    other(project, "2026", project.read("data/cohorts/c1/spec/config.yaml"))
    other(project, "1.10", "base: 2026\n")
    project.snakemake("membership", *use(project, "2026", "'1.10'"))
    assert ids(project, "2026") == ids(project, "1.10")
    project.edit("data/cohorts/2026/spec/config.yaml", "  - trio\n", "")
    project.snakemake("membership", *use(project, "'1.10'"))
    assert len(ids(project, "1.10")) == 5


def test_cohorts_in_a_circle_are_refused(project: Project) -> None:
    """A cohort cannot be made of itself."""
    other(project, "left", "base: right\n")
    other(project, "right", "base: left\n")
    output = project.snakemake("membership", *use(project, "left"), code=1)
    assert "found 'left', which takes from this cohort: left -> right -> left" in output
    assert "Traceback" not in output


def test_a_slice_works_for_every_target(project: Project) -> None:
    """The table of a slice says that it is one; the whole comes back without a call."""
    where = ("--config", "where={essay_template: grow, combo_id: pair}")
    jobs = project.snakemake("membership") and project.snakemake("-n", *where)
    assert len([line for line in jobs.splitlines() if "gen_id=" in line]) == 3 * 3
    project.snakemake(*where)
    (row,) = project.scores()
    assert row["slice"] == '{"where": {"combo_id": "pair", "essay_template": "grow"}}'
    assert project.calls() == 3
    project.snakemake("essays", "--config", "exclude={essay_template: gr*}")
    assert project.calls() == 4
    project.snakemake()
    assert [row["slice"] for row in project.scores()] == [""] * 4
    output = project.snakemake("-n", "--config", "where={essay_tmplate: grow}", code=1)
    assert (
        "found 'essay_tmplate', which is not a dimension; did you mean 'essay_template'" in output
    )
    output = project.snakemake("-n", "--config", "where={essay_template: grown}", code=1)
    assert "found 'grown', which no generation has there; did you mean 'grow'?" in output
    assert "Traceback" not in output

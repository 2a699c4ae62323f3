"""A run that is split into shards."""

from __future__ import annotations

from support.project import Project

# Refuses one of the two drafts, until it is fixed.
MOODY = """

def _answer(body, echo=complete):
    text = body["messages"][-1]["content"]
    if "Fog" in text and not Path("fixed").exists():
        raise RuntimeError("the model is moody")
    return echo(body)


complete = _answer
"""


def test_a_run_in_shards(project: Project) -> None:
    """A shard fails, the others end; the next run starts it alone; a plain run finds all done."""
    project.write("echo.py", project.read("echo.py") + MOODY)
    output = project.snakemake("all", "--config", "shards=2", code=1)
    assert "the model is moody" in output
    marks = {path.name for path in project.path("logs/shards").glob("*.done")}
    assert len(marks) == 1
    before = project.calls()
    project.write("fixed", "")
    output = project.snakemake("all", "--config", "shards=2")
    assert "run shard 1" in " ".join(output.split())
    # What was spent is told once: the ledger of a shard has the open calls of the others.
    assert "This run: 4 calls" in output
    for log in project.path("logs/shards").glob("*.log"):
        assert "This run" not in log.read_text()
    assert before < project.calls() == 8
    assert "Nothing to be done" in project.snakemake("all", "--config", "shards=2")
    assert "Nothing to be done" in project.snakemake()
    assert len(project.scores()) == 4


def test_new_answers_in_shards(project: Project) -> None:
    """What is to be asked again is decided once, not by each shard and again at the end."""
    project.snakemake("drafts")
    assert project.calls() == 2
    project.snakemake("all", "--config", "shards=2", "refresh=true")
    assert project.calls() == 2 + 8


def test_shards_keep_a_budget_together(project: Project) -> None:
    """Five calls are five calls, however many processes ask; the next run goes on."""
    allowed = ("all", "--config", "shards=2", "budget={calls: 5}")
    output = project.snakemake(*allowed, code=1)
    assert project.calls() == 5
    assert "the budget of this run, 5 calls, allows no further call" in output
    project.snakemake("all", "--config", "shards=2")
    assert project.calls() == 8


def test_shards_make_everything_whatever_the_report_waits_for(project: Project) -> None:
    """`partial` says what the scores take; it does not keep a shard from its work."""
    project.snakemake("all", "--config", "shards=2", "partial=true")
    assert project.calls() == 8
    assert len(project.scores()) == 4

"""Shards: which generations belong to one, and a run split into them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.cohorts.membership import expand
from daydream.generations.row import Generation, own_axes
from daydream.generations.shares import shards_of
from daydream.workflow.subrun import Inner, ShardError, inner_arguments, inner_command, run_inner
from support.project import ROOT, Project
from support.stages import stage

STAGES = {"draft": stage("draft"), "essay": stage("essay", "draft")}
AXES = ["combo_id", *(axis for link in STAGES.values() for axis in own_axes(link))]

SCRIPTS = ROOT / "scripts"

# Refuses one of the two drafts, until it is mended.
MOODY = """

def _answer(body, echo=complete):
    text = body["messages"][-1]["content"]
    if "Fog" in text and not Path("mended").exists():
        raise RuntimeError("the model is moody")
    return echo(body)


complete = _answer
"""


def cohort(drafts: int) -> list[Generation]:
    rows = [
        ("c", "t", "m", str(draft), essay, "m", "1") for draft in range(drafts) for essay in "ab"
    ]
    return expand(rows, AXES, cohort="c", stages=STAGES.values())


@given(drafts=st.integers(1, 60), shards=st.integers(1, 20))
def test_each_generation_is_in_one_shard_with_its_parent(drafts: int, shards: int) -> None:
    """Every one has a shard, and its children have the same."""
    rows = cohort(drafts)
    found = shards_of(rows, shards)
    assert found.keys() == {row.gen_id for row in rows}
    assert set(found.values()) <= set(range(1, shards + 1))
    for row in rows:
        if row.parent_gen_id:
            assert found[row.gen_id] == found[row.parent_gen_id]


def test_the_shards_of_a_cohort_never_change() -> None:
    """A run that goes on, also after an update of the workflow, finds the same shards."""
    rows = [row._replace(gen_id=f"d_{n}") for n, row in enumerate(cohort(8)[:8])]
    found = shards_of(rows, 3)
    parts = [[name for name in found if found[name] == number] for number in (1, 2, 3)]
    assert [sorted(part) for part in parts] == [
        ["d_1", "d_2", "d_3"],
        ["d_0", "d_5", "d_7"],
        ["d_4", "d_6"],
    ]


@given(drafts=st.integers(1, 60), shards=st.integers(1, 20))
def test_shards_are_of_equal_size(drafts: int, shards: int) -> None:
    """No shard has more than one draft more than another."""
    rows = cohort(drafts)
    found = shards_of(rows, shards)
    drafts_of = [found[row.gen_id] for row in rows if not row.parent_gen_id]
    sizes = [drafts_of.count(number) for number in range(1, shards + 1)]
    assert max(sizes) - min(sizes) <= 1


def inner(*command: str, **settings: object) -> Inner:
    return Inner(command=list(command), settings=settings)


def test_the_command_hands_on_the_settings_of_the_outer_run() -> None:
    """Nothing sends it to a cluster; its own settings go through the environment."""
    run = inner_command(
        ["all"],
        snakefile="Snakefile",
        cores=8,
        profile="/x/profiles/default",
        configfiles=[Path("/x/mine.yaml")],
        config=["shards=4"],
        settings={"shard": 2},
    )
    assert " ".join(run.command[1:]) == (
        "-m snakemake all --nolock --executor local --profile none "
        "--workflow-profile /x/profiles/default --snakefile Snakefile "
        "--cores 8 --configfile /x/mine.yaml --config shards=4"
    )
    assert run.settings == {"shard": 2}


def test_an_inner_run_finds_the_settings_that_it_is_to_have(tmp_path: Path) -> None:
    """Whatever the process that starts it, and nobody else, has in its environment."""
    code = "from daydream.workflow.subrun import inner_arguments; print(*inner_arguments())"
    log = tmp_path / "1-of-2.log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(SCRIPTS))
        run_inner(inner(sys.executable, "-c", code, shard=1, refresh=False), log=str(log))
    assert log.read_text() == "shard=1 refresh=false\n"
    assert inner_arguments() == []


def test_a_failed_run_is_one_line_at_the_end_of_its_log(tmp_path: Path) -> None:
    """After what the run itself has said."""
    log = tmp_path / "2-of-4.log"
    with pytest.raises(ShardError, match=r"^\[shard\] 2-of-4: ended with code 3; "):
        run_inner(inner("sh", "-c", "echo said; exit 3"), log=str(log))
    lines = log.read_text().splitlines()
    assert lines[0] == "said"
    assert lines[1].startswith("[shard] 2-of-4: ended with code 3; ")


def test_a_shard_waits_for_one_that_outlived_its_run(tmp_path: Path) -> None:
    """The outer run was killed; the shard goes on, and the next run does not join in."""
    log, notes = tmp_path / "1-of-2.log", tmp_path / "notes"
    run = inner("sh", "-c", f"echo in >> {notes}; sleep 1; echo out >> {notes}")
    code = (
        "from daydream.workflow.subrun import Inner, run_inner; "
        f"run_inner({run!r}, log={str(log)!r})"
    )
    outer = subprocess.Popen([sys.executable, "-c", code], env={"PYTHONPATH": str(SCRIPTS)})
    while not notes.exists():
        time.sleep(0.01)
    outer.kill()
    outer.wait()
    run_inner(run, log=str(log))
    assert notes.read_text().split() == ["in", "out"] * 2


def test_a_run_in_shards(project: Project) -> None:
    """A shard fails, the others end; the next run starts it alone; a plain run finds all done."""
    project.write("echo.py", project.read("echo.py") + MOODY)
    output = project.snakemake("all", "--config", "shards=2", code=1)
    assert "the model is moody" in output
    marks = {path.name for path in project.path("logs/shards").glob("*.done")}
    assert len(marks) == 1
    before = project.calls()
    project.write("mended", "")
    output = project.snakemake("all", "--config", "shards=2")
    assert "run shard 1" in " ".join(output.split())
    assert before < project.calls() == 8
    assert "Nothing to be done" in project.snakemake("all", "--config", "shards=2")
    assert "Nothing to be done" in project.snakemake()
    assert len(project.scores()) == 4


def test_new_answers_in_shards(project: Project) -> None:
    """What is to be asked anew is decided once, not by each shard and again at the end."""
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

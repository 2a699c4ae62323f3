"""A run that another run starts: its command, its settings, its log."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from daydream.workflow.subrun import Inner, ShardError, inner_arguments, inner_command, run_inner
from support.project import ROOT

SCRIPTS = ROOT / "scripts"


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
        "-P -m snakemake all --nolock --executor local --profile none "
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

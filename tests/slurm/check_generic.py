"""Another executor than Slurm's: cluster-generic, which submits each job by a command, here `bash`.

    uv run --isolated --group cluster pytest -n 0 tests/slurm/check_generic.py

So what is true of Slurm's jobs is not true of Slurm alone. pytest does not collect this file by
itself: the plugin is optional.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from support.project import Project
from support.provider_server import ProviderServer

GENERIC = (
    *("--executor", "cluster-generic", "--cluster-generic-submit-cmd", "bash"),
    *("--jobs", "2", "--latency-wait", "5", "--retries", "1"),
)
DRAFTS = 8


def start(project: Project, *arguments: str) -> subprocess.Popen[bytes]:
    """Start snakemake as a user would, its output in a file."""
    with project.path("output.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *GENERIC, *arguments],
            cwd=project.dir,
            env={**os.environ, "TEST_API_KEY": "sk-test"},
            stdout=output,
            stderr=output,
        )


def test_calls_are_jobs(project: Project) -> None:
    """What is made is what a run in threads makes, by as many calls."""
    with ProviderServer() as server:
        project.serve(server.url)
        assert start(project, "drafts").wait(240) == 0, project.read("output.txt")
        assert len(server.history) == 2
        made = project.store()
        assert "Nothing to be done" in project.run("--cores", "2", "drafts")
        project.run("--cores", "2", "--forcerun", "generate_raw", "--", "drafts")
        assert project.store() == made
        assert len(server.history) == 2


def test_a_shard_is_killed(project: Project) -> None:
    """It is submitted again; no answer that was there is asked for again."""
    with ProviderServer(latency=0.3) as server:
        project.spec["axes"] |= {
            "combo_id": ["pair"],
            "draft_replicate": DRAFTS,
            "essay_template": ["grow"],
        }
        for stage in project.config["stages"].values():
            stage["sampling"] = {"seed": "gen_id"}
        project.serve(server.url)
        marks = [f"logs/shards/{number}-of-2.done" for number in (1, 2)]
        calls_at_once = ("--set-resources", "run_shard:calls=1")
        run = start(project, "--config", "shards=2", *calls_at_once, "--", *marks)
        journaled = kill_a_shard(project, run)
        assert run.wait(400) == 0, project.read("output.txt")
        calls = Counter(json.dumps(call.body, sort_keys=True) for call in server.history)
        assert len(calls) == 3 * DRAFTS
        assert calls.total() <= 3 * DRAFTS + 1
        assert all(calls[body] == 1 for body in journaled)
        assert "Nothing to be done" in project.run("--cores", "2", "evaluations")


def kill_a_shard(project: Project, run: subprocess.Popen[bytes]) -> list[str]:
    """Kill a shard in the middle of its work; return the requests that were answered."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and run.poll() is None:
        answers = list(project.path("data/gens").glob("*/*/responses/*.json"))
        if len(answers) >= 4 and (shards := shard_processes(project)):
            os.kill(shards[0], signal.SIGKILL)
            kept = project.path("data/gens").glob("*/*/responses/*.json")
            requests = [json.loads(path.read_text())["request"] for path in kept]
            return [json.dumps(request, sort_keys=True) for request in requests]
        time.sleep(0.1)
    pytest.fail(f"no shard was seen at work\n{project.read('output.txt')}")


def shard_processes(project: Project) -> list[int]:
    """Return the processes in the project's directory that make a shard."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = process.joinpath("cmdline").read_bytes().split(b"\0")
            settings = process.joinpath("environ").read_bytes()
            here = process.joinpath("cwd").readlink() == project.dir
            if here and b"snakemake" in command and b'"shard": ' in settings:
                found.append(int(process.name))
    return sorted(found)

"""The Slurm profile on a real Slurm (start.sh), one node of at least two cores.

    tests/slurm/start.sh
    uv run --isolated --group cluster pytest -n 0 tests/slurm/check_slurm.py
    tests/slurm/stop.sh

pytest does not collect this file by itself: it needs services.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from support.project import Project
from support.provider_server import ProviderServer

KEY = "sk-passed-to-the-jobs"
# Last on the command line, or the list of resources would take in a target.
PROFILE = (
    "--profile=profiles/slurm",
    # This Slurm has no accounting, and its jobs are short.
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=12",
    "--latency-wait=5",
    "--default-resources",
    "runtime=10",
    "mem_mb=300",
)
SHARDS = 4
DRAFTS = 16
CALLS = 3 * DRAFTS


def snakemake(project: Project, *arguments: str) -> subprocess.Popen[bytes]:
    """Start snakemake as a user would, its output in a file."""
    with project.path("output.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *arguments, *PROFILE],
            cwd=project.dir,
            stdout=output,
            stderr=output,
        )


def slurm_ids(project: Project) -> set[str]:
    """Return the Slurm jobs that the metadata of all generations name."""
    files = project.path("data/gens").glob("*/*/metadata.json")
    return {json.loads(file.read_text())["slurm_job_id"] for file in files}


def submitted(project: Project, rule: str) -> dict[str, set[str]]:
    """Return the Slurm jobs that Snakemake has submitted for a rule, by their wildcards."""
    logs = project.path(f".snakemake/slurm_logs/rule_{rule}")
    jobs: dict[str, set[str]] = {}
    for log in logs.rglob("*.log"):
        jobs.setdefault(str(log.parent.relative_to(logs)), set()).add(log.stem)
    return jobs


def test_calls_are_jobs_and_have_the_key(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call is a job of its own; the key is in its environment, and in no file."""
    monkeypatch.setenv("TEST_API_KEY", KEY)
    with ProviderServer() as server:
        project.serve(server.url)
        assert snakemake(project, "drafts").wait(120) == 0, project.read("output.txt")
        assert {call.headers["authorization"] for call in server.history} == {f"Bearer {KEY}"}
    jobs = submitted(project, "generate_raw")
    assert len(jobs) == 2
    assert slurm_ids(project) == set.union(*jobs.values())
    for path in project.dir.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_shards_one_of_them_killed(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killed shard alone is submitted again; store and scores are those of a single run."""
    monkeypatch.setenv("TEST_API_KEY", KEY)
    single = Project(tmp_path_factory.mktemp("single"))
    with ProviderServer(latency=0.2) as server:
        for each in (project, single):
            each.spec["axes"].update(
                combo_id=["pair"],
                draft_replicate=list(range(1, DRAFTS + 1)),
                essay_template=["grow"],
            )
            # Replicates ask the same thing; with a seed, each request tells whose it is.
            each.config["stages"]["draft"]["sampling"] = {"seed": "gen_id"}
            each.config["stages"]["essay"]["sampling"] = {"seed": "gen_id"}
            each.config["stages"]["evaluation"]["sampling"] = {"seed": "gen_id"}
            each.serve(server.url)
        run = snakemake(
            project,
            "--config",
            f"shards={SHARDS}",
            "--set-threads",
            "run_shard=1",
            "--set-resources",
            "run_shard:calls=1",
        )
        killed, journaled = kill_a_shard(project, run)
        assert run.wait(300) == 0, project.read("output.txt")

        calls = Counter(json.dumps(call.body, sort_keys=True) for call in server.history)
        assert len(calls) == CALLS
        # The one that was under way when its shard died has no answer to keep.
        assert calls.total() <= CALLS + 1
        assert all(calls[body] == 1 for body in journaled)

        jobs = submitted(project, "run_shard")
        assert sorted(map(len, jobs.values())) == [1] * (SHARDS - 1) + [2]
        assert killed in next(ids for ids in jobs.values() if len(ids) == 2)
        assert slurm_ids(project) <= set.union(*jobs.values())
        assert killed in slurm_ids(project)

        asked = len(server.history)
        assert "Nothing to be done" in project.snakemake()
        assert len(server.history) == asked
        server.latency = 0
        single.snakemake("--cores=8")
    assert project.store() == single.store()
    assert project.membership() == single.membership()
    assert [row["score"] for row in project.scores()] == [row["score"] for row in single.scores()]


def test_shards_keep_a_budget_together(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs' calls are counted as those of the run that submitted them."""
    monkeypatch.setenv("TEST_API_KEY", KEY)
    with ProviderServer(latency=0.2) as server:
        project.serve(server.url)
        limit = ("--config", "shards=2", "budget={calls: 5}")
        assert snakemake(project, *limit, "--retries=0").wait(120) == 1
        assert len(server.history) == 5, project.read("output.txt")
    assert len(submitted(project, "run_shard")) == 2


def kill_a_shard(project: Project, run: subprocess.Popen[bytes]) -> tuple[str, list[str]]:
    """Cancel the first shard seen in the middle of its work; return its job, what was answered."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and run.poll() is None:
        for job in sorted(set().union(*submitted(project, "run_shard").values())):
            if len(made_by(project, job)) >= 3:
                subprocess.run(["scancel", job], check=True)
                while subprocess.run(
                    ["squeue", "--noheader", f"--jobs={job}", "--states=RUNNING,COMPLETING"],
                    check=True,
                    capture_output=True,
                ).stdout:
                    time.sleep(0.1)
                entries = [
                    json.loads(entry.read_text())
                    for directory in made_by(project, job)
                    for entry in directory.glob("responses/*.json")
                ]
                return job, [json.dumps(entry["request"], sort_keys=True) for entry in entries]
        time.sleep(0.1)
    pytest.fail(f"no shard was seen at work\n{project.read('output.txt')}")


def made_by(project: Project, job: str) -> list[Path]:
    """Return the directories of the generations that a Slurm job has answered."""
    return [
        file.parent
        for file in project.path("data/gens").glob("*/*/metadata.json")
        if json.loads(file.read_text())["slurm_job_id"] == job
    ]

"""The Slurm profile on a real Slurm (start.sh), three nodes of at least two cores on one machine.

    tests/slurm/start.sh
    uv run --isolated --group cluster pytest -n 0 tests/slurm/check_slurm.py
    tests/slurm/stop.sh

pytest does not collect this file by itself: it needs services.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
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
IN_SHARDS = (
    "--config",
    f"shards={SHARDS}",
    "--set-threads",
    "run_shard=1",
    "--set-resources",
    "run_shard:calls=1",
)


def widen(project: Project, server: ProviderServer) -> None:
    """Make the cohort that many chains of three calls to a server."""
    project.spec["axes"].update(
        combo_id=["pair"],
        draft_replicate=list(range(1, DRAFTS + 1)),
        essay_template=["grow"],
    )
    # Replicates ask the same thing; with a seed, each request tells whose it is.
    for stage in project.config["stages"].values():
        stage["sampling"] = {"seed": "gen_id"}
    project.serve(server.url)


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
        assert snakemake(project, "drafts").wait(300) == 0, project.read("output.txt")
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
            widen(each, server)
        run = snakemake(project, *IN_SHARDS)
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


def test_a_node_dies(
    project: Project, node: Callable[[str], Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slurm gives its shards to other nodes; no answer that was there is asked for again."""
    monkeypatch.setenv("TEST_API_KEY", KEY)
    with ProviderServer(latency=0.2) as server:
        widen(project, server)
        marks = [f"logs/shards/{number}-of-{SHARDS}.done" for number in range(1, SHARDS + 1)]
        run = snakemake(project, *marks, *IN_SHARDS)
        job, journaled = wait_for_answers(project, run)
        lost = node(place_of(job))
        lost.kill()
        assert run.wait(300) == 0, project.read("output.txt")
        calls = Counter(json.dumps(call.body, sort_keys=True) for call in server.history)
        assert len(calls) == CALLS
        # One call was under way in each shard of the node.
        assert calls.total() <= CALLS + len(lost.jobs)
        assert all(calls[body] == 1 for body in journaled)
        assert place_of(job) not in ("", lost.name)
        assert "Nothing to be done" in project.run("--cores", "2", "evaluations")


def test_shards_keep_a_budget_together(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs' calls are counted as those of the run that submitted them."""
    monkeypatch.setenv("TEST_API_KEY", KEY)
    with ProviderServer(latency=0.2) as server:
        project.serve(server.url)
        limit = ("--config", "shards=2", "budget={calls: 5}")
        assert snakemake(project, *limit, "--retries=0").wait(300) == 1
        assert len(server.history) == 5, project.read("output.txt")
    assert len(submitted(project, "run_shard")) == 2


def kill_a_shard(project: Project, run: subprocess.Popen[bytes]) -> tuple[str, list[str]]:
    """Cancel the first shard seen in the middle of its work; return its job, what was answered."""
    job, _ = wait_for_answers(project, run)
    subprocess.run(["scancel", job], check=True)
    while subprocess.run(
        ["squeue", "--noheader", f"--jobs={job}", "--states=RUNNING,COMPLETING"],
        check=True,
        capture_output=True,
    ).stdout:
        time.sleep(0.1)
    return job, answered_by(project, job)


def wait_for_answers(project: Project, run: subprocess.Popen[bytes]) -> tuple[str, list[str]]:
    """Return the job of the first shard seen in the middle of its work, and what was answered."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and run.poll() is None:
        for job in sorted(set().union(*submitted(project, "run_shard").values())):
            if len(made_by(project, job)) >= 3:
                return job, answered_by(project, job)
        time.sleep(0.1)
    pytest.fail(f"no shard was seen at work\n{project.read('output.txt')}")


def answered_by(project: Project, job: str) -> list[str]:
    """Return the requests whose answers a Slurm job has journaled."""
    entries = [
        json.loads(entry.read_text())
        for directory in made_by(project, job)
        for entry in directory.glob("responses/*.json")
    ]
    return [json.dumps(entry["request"], sort_keys=True) for entry in entries]


def made_by(project: Project, job: str) -> list[Path]:
    """Return the directories of the generations that a Slurm job has answered."""
    return [
        file.parent
        for file in project.path("data/gens").glob("*/*/metadata.json")
        if json.loads(file.read_text())["slurm_job_id"] == job
    ]


class Node:
    """A node of start.sh, whose processes can be ended all at once, as when a machine fails."""

    def __init__(self, name: str) -> None:
        self.name = name
        found = subprocess.run(
            ["squeue", "--noheader", f"--nodelist={name}", "--format=%i"],
            check=True,
            capture_output=True,
            text=True,
        )
        self.jobs = found.stdout.split()

    def kill(self) -> None:
        """Kill its slurmd first, which would report the end of its jobs, and then these."""
        os.kill(int(self._pid_file.read_text()), signal.SIGKILL)
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = process.joinpath("cmdline").read_bytes().decode(errors="replace")
                variables = process.joinpath("environ").read_bytes().split(b"\0")
                steps = any(f"slurmstepd: [{job}." in command for job in self.jobs)
                if steps or f"SLURMD_NODENAME={self.name}".encode() in variables:
                    os.kill(int(process.name), signal.SIGKILL)

    def start(self) -> None:
        """Take it into service again."""
        subprocess.run(["slurmd", "-N", self.name], check=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            state = subprocess.run(
                ["sinfo", "--noheader", f"--nodes={self.name}", "--format=%T"],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
            # One that does not respond has a * behind its state. For minutes after a failure Slurm
            # may count a CPU as taken of which it has given the job to another node.
            if state in ("idle", "mixed"):
                return
            time.sleep(0.5)
        pytest.fail(f"node {self.name} does not come back: {state}")

    @property
    def _pid_file(self) -> Path:
        return Path("/etc/slurm/slurm.conf").resolve().parent / f"slurmd-{self.name}.pid"


@pytest.fixture
def node() -> Iterator[Callable[[str], Node]]:
    """Give nodes by name, and start them again at the end."""
    given: list[Node] = []

    def give(name: str) -> Node:
        given.append(Node(name))
        return given[-1]

    yield give
    for each in given:
        each.start()


def place_of(job: str) -> str:
    """Return the node that a Slurm job runs on, or ran on last."""
    command = ["scontrol", "show", "job", "--oneliner", job]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    fields = dict(field.split("=", 1) for field in shown.split() if "=" in field)
    return fields.get("NodeList", "")

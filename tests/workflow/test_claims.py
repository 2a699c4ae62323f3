"""No answer is paid for twice, however many runs ask for the same generations at once."""

from __future__ import annotations

from pathlib import Path

import yaml

from support.background import Run, until
from support.project import Project
from support.provider_server import ProviderServer


def distinct(server: ProviderServer) -> set[str]:
    """Return what the server was asked, without what is the same for all."""
    return {yaml.safe_dump(call.body) for call in server.history}


def test_ten_runs_of_two_fresh_cohorts_that_share_generations(project: Project) -> None:
    """Started at once, without a lock; none of them knows of the others' memberships."""
    project.config["stages"]["draft"]["sampling"] = {"seed": "gen_id"}
    project.config["stages"]["essay"]["sampling"] = {"seed": "gen_id"}
    project.config["stages"]["evaluation"]["sampling"] = {"seed": "gen_id"}
    project.spec["axes"]["draft_replicate"] = list(range(1, 9))
    with ProviderServer(latency=0.2) as server:
        project.serve(server.url)
        spec = project.path("data/cohorts/c1/spec/config.yaml")
        other = project.path("data/cohorts/c2/spec/config.yaml")
        other.parent.mkdir(parents=True)
        other.write_text(spec.read_text())
        runs = [
            Run(project, "--cores", "3", "--nolock", "scores", "--config", f"cohorts={cohort}")
            for cohort in ("c1", "c2") * 5
        ]
        # Without the lock they delete each other's texts, and may fail of that: answers stay.
        for run in runs:
            run.wait(timeout=240)
        project.snakemake("scores", "--config", "cohorts=c1")
        rows = {row["gen_id"]: row for row in project.membership()}
        calls = sum(row["template_id"] != "same" for row in rows.values())
        assert len(server.history) == calls
        assert len(distinct(server)) == calls
    assert not list(Path(project.path("data/gens")).rglob("*.part"))


def test_shards_end_with_the_run_that_started_them(project: Project) -> None:
    """Killed alone, it leaves no process that goes on paying; no answer is asked for again."""
    project.spec["axes"]["draft_replicate"] = list(range(1, 7))
    for stage in project.config["stages"].values():
        stage["sampling"] = {"seed": "gen_id"}
    with ProviderServer(latency=0.5) as server:
        project.serve(server.url)
        run = Run(project, "--cores", "2", "--config", "shards=2")
        until(lambda: len(server.history) > 2)
        shards = children(run.process.pid)
        assert len(shards) == 2
        run.process.kill()
        run.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in shards), timeout=120)
        calls = sum(row["template_id"] != "same" for row in project.membership())
        assert len(server.history) < calls
        project.snakemake("scores")
        assert len(distinct(server)) == len(server.history) == calls


def children(pid: int) -> list[int]:
    """Return the processes below one that run Snakemake."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and "snakemake" in command:
            found.append(int(path.parent.name))
    return found

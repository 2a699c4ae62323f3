"""No answer is paid for twice, however many runs ask for the same generations at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from project import Project
from provider_server import ProviderServer


def start(project: Project, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "8", *arguments],
        cwd=project.dir,
        env={**os.environ, "TEST_API_KEY": "sk-test-secret"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def distinct(server: ProviderServer) -> set[str]:
    """Return what the server was asked, without what is the same for all."""
    return {yaml.safe_dump(call.body) for call in server.history}


def test_two_fresh_cohorts_that_share_generations(project: Project) -> None:
    """Each answer is asked for once, though neither run knows of the other's memberships."""
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
            start(project, "--nolock", "scores", "--config", f"cohorts={cohort}")
            for cohort in ("c1", "c2", "c1", "c2")
        ]
        for run in runs:
            output, _ = run.communicate(timeout=240)
            assert "Traceback" not in output, output
        project.snakemake("scores", "--config", "cohorts=c1")
        rows = {row["gen_id"]: row for row in project.membership()}
        calls = sum(row["template_id"] != "same" for row in rows.values())
        assert len(server.history) == calls
        assert len(distinct(server)) == calls
    assert not list(Path(project.path("data/gens")).rglob("*.part"))

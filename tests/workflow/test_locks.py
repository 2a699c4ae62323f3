"""A look beside a run takes no lock and breaks none, so no answer is paid for twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from support.project import Project
from support.provider_server import ProviderServer

LOCKS = ".snakemake/locks"
PATIENCE_S = 60


def start(project: Project, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "4", *arguments],
        cwd=project.dir,
        env={**os.environ, "TEST_API_KEY": "sk-test-secret"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def locks(project: Project) -> dict[str, str]:
    return {path.name: path.read_text() for path in project.path(LOCKS).glob("*.lock")}


@pytest.mark.parametrize("look", [("plan",), ("explain", "--config"), ("diff", "--config")])
def test_a_look_beside_a_run_leaves_its_lock(project: Project, look: tuple[str, ...]) -> None:
    """A second run is still refused after it, and each generation is asked for once."""
    project.spec["axes"]["draft_replicate"] = list(range(1, 9))
    with ProviderServer(latency=0.3) as server:
        project.serve(server.url)
        project.snakemake("membership")
        gen_id = project.membership()[-1]["gen_id"]
        given = {
            "explain": (f"gen_id={gen_id}",),
            "diff": ("left=c1", "right=c1"),
        }.get(look[0], ())
        run = start(project, "scores")
        wait_for(lambda: server.history)
        before = locks(project)
        assert before
        seen = project.snakemake(*look, *given)
        assert "Traceback" not in seen
        assert locks(project) == before
        second = project.snakemake("scores", code=1)
        assert "another run makes the same files here" in second
        output, _ = run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0, output
        calls = sum(row["template_id"] != "same" for row in project.membership())
        assert len(server.history) == calls
        assert not locks(project)

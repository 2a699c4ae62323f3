"""Runs that may open few files: more are allowed to them, or they are refused before a call."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from support.project import Project
from support.provider_server import ProviderServer

DRAFTS = 120


@pytest.fixture
def wide(project: Project) -> Project:
    """As many drafts as are asked for here, each with a request of its own."""
    project.widen(DRAFTS)
    project.config["stages"]["draft"]["sampling"] = {"seed": "gen_id"}
    return project


def run(project: Project, *cores: str, soft: int, hard: int) -> str:
    """Run snakemake with these limits of open files, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *cores, "drafts"],
        check=False,
        cwd=project.dir,
        env={**os.environ, "TEST_API_KEY": "sk-test-secret", "COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )
    project.code = done.returncode
    return done.stdout


@pytest.mark.parametrize("cores", [("--cores", "100"), ("--jobs", "unlimited")])
def test_a_low_soft_limit(wide: Project, cores: tuple[str, str]) -> None:
    """It is raised as far as this run needs: each prompt is asked once, and nothing fails."""
    with ProviderServer(latency=1) as server:
        wide.serve(server.url)
        output = run(wide, *cores, soft=128, hard=4096)
        assert wide.code == 0, output
        assert server.max_in_flight > 60
        assert {*Counter(call.body["seed"] for call in server.history).values()} == {1}
        assert len(server.history) == DRAFTS
    assert "Too many open files" not in output


def test_the_files_of_a_run_stay_below_what_is_allowed_to_it(wide: Project) -> None:
    """What a job is taken to need, and a run beside its jobs, is at least what they have open."""
    with ProviderServer(latency=0.5) as server:
        wide.config["pools"] = {"echo": {"concurrent": 200}}
        wide.serve(server.url)
        run_of_all = [sys.executable, "-m", "snakemake", "--cores", "60", "drafts"]
        process = subprocess.Popen(
            run_of_all,
            cwd=wide.dir,
            env={**os.environ, "TEST_API_KEY": "sk-test-secret"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (64, 4096))
        most, allowed = 0, 0
        while process.poll() is None:
            with suppress(OSError):
                most = max(most, len([*Path(f"/proc/{process.pid}/fd").iterdir()]))
                allowed = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0]
            time.sleep(0.005)
    assert process.returncode == 0
    assert len(server.history) == DRAFTS
    # A third is kept for what happens at the same moment by chance.
    assert 60 * 5 < most < 0.85 * allowed


def test_a_low_hard_limit(wide: Project) -> None:
    """One line refuses the run before its first call, and one that does what it says ends well."""
    with ProviderServer(latency=0.3) as server:
        wide.serve(server.url)
        output = run(wide, "--cores", "100", soft=128, hard=256)
        assert wide.code == 1, output
        (line,) = [line for line in output.splitlines() if "open files" in line]
        assert re.search(r"\[run\] 100 jobs at once may need [\d,]+ open files, .* 256 are", line)
        assert "ulimit -n " in line
        assert not server.history
        (cores,) = re.findall(r"--cores (\d+)", line)
        output = run(wide, "--cores", cores, soft=128, hard=256)
        assert wide.code == 0, output
        assert len(server.history) == DRAFTS

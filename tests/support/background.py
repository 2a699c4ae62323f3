"""Runs of snakemake in the background, beside which a test does something else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count

from support.project import Project

_NUMBERS = count(1)


class Run:
    """A run of snakemake in the background, in a process group of its own."""

    def __init__(self, project: Project, *arguments: str) -> None:
        os.environ.pop("DAYDREAM_RUN", None)
        self.log = project.path(f"run-{next(_NUMBERS)}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *arguments],
                cwd=project.dir,
                env={**os.environ, "TEST_API_KEY": "sk-test-secret", "COLUMNS": "200"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the run."""
        os.killpg(self.process.pid, number)

    def wait(self, timeout: float = 60) -> str:
        """Wait for the end of the run, and return what it printed, without colours."""
        self.process.wait(timeout)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.log.read_text(errors="replace"))


def until(condition: Callable[[], object], timeout: float = 60) -> None:
    """Wait for a condition."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)

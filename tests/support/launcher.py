"""Starts snakemake from a process that has imported it already.

Imports are most of what a run of a small project takes, and the tests make hundreds of runs. So one
process imports Snakemake, and what the rules name, once; each run is a fork of that: Snakemake's
own command line, in a process of its own, with its own working directory, environment and output.

It reads a JSON object a line, ``{"arguments", "directory", "environment", "output"}``, and answers
each with the exit code. Who tests signals, or the start itself, starts snakemake without this.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

IN_EVERY_RUN = (
    "snakemake.cli",
    "snakemake.report",
    "snakemake.report.html_reporter",
    "snakemake_logger_plugin_rich.handler",
    "smart_open",
    "yte",
)


class Launcher:
    """The process that forks; one for each process of the tests, and one run at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self, arguments: Sequence[str], *, directory: Path, env: Mapping[str, str], output: Path
    ) -> int:
        """Run snakemake to its end, and return its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "arguments": list(arguments),
            "directory": str(directory),
            "environment": dict(env),
            "output": str(output),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@cache
def launcher() -> Launcher:
    """Return the launcher of this process, with which it ends."""
    return Launcher()


def _become(request: Mapping[str, Any]) -> int:
    """Run snakemake in this process as the request says, and return its exit code."""
    import snakemake.cli

    output = os.open(str(request["output"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", buffering=1)
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    os.chdir(str(request["directory"]))
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["snakemake", *request["arguments"]]
    try:
        snakemake.cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _import_what_runs_import() -> None:
    """Import Snakemake, what it imports late in every run, and what the rules import."""
    for name in IN_EVERY_RUN:
        importlib.import_module(name)
    root = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(root / "scripts"))
    for rules in sorted(root.glob("rules/*.smk")):
        for name in re.findall(r"^from (daydream[\w.]*) import", rules.read_text(), re.MULTILINE):
            importlib.import_module(name)
    # Each run adds the directory itself, of its own copy.
    sys.path.pop(0)


def main() -> None:
    """Fork for each request until there are no more."""
    import threading

    _import_what_runs_import()
    assert threading.active_count() == 1, "a fork would lose the other threads"
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = _become(json.loads(line))
                # As at the end of any process; not the rest of it, which is the parent's.
                atexit._run_exitfuncs()
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()

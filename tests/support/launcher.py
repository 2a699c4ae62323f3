"""Starts snakemake from a process that has imported it already.

A run of a small project is mostly imports, the search for Snakemake's plugins, and the parsing of
the rules, and the tests make thousands of runs. So one process does these once; each run is a fork
of that: Snakemake's own command line, in a process of its own, with its own working directory,
environment and output. Rules that a test has edited are parsed again.

It reads a JSON object a line, ``{"arguments", "directory", "environment", "output"}``, and answers
each with the exit code. Who tests signals, or the start itself, starts snakemake without this.
"""

from __future__ import annotations

import atexit
import importlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
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
    sys.path.insert(0, str(ROOT / "scripts"))
    for rules in sorted(ROOT.glob("rules/*.smk")):
        for name in re.findall(r"^from (daydream[\w.]*) import", rules.read_text(), re.MULTILINE):
            importlib.import_module(name)
    # Each run adds the directory itself, of its own copy.
    sys.path.pop(0)


def _find_plugins() -> None:
    """Let Snakemake find its plugins, which it does once per process."""
    from snakemake.cli import get_argument_parser

    get_argument_parser()


def _opened(file: object) -> io.StringIO:
    return io.StringIO(Path(str(file)).read_text())


def _parse_rules() -> None:
    """Parse the files of the workflow, and let Snakemake take what it parses of equal ones there.

    What it makes of a file depends on its text, its path, and the number of rules before it.
    """
    from snakemake import workflow as snakemake_workflow
    from snakemake.parser import parse
    from snakemake.sourcecache import LocalSourceFile, SourceFile

    known: dict[tuple[str, int], tuple[str, str, int, dict[int, int]]] = {}
    files = SimpleNamespace(sourcecache=SimpleNamespace(open=_opened))
    includes = re.findall(r'^include: "(.+)"', (ROOT / "Snakefile").read_text(), re.MULTILINE)
    before = 0
    for name in ("Snakefile", *includes):
        path, lines = ROOT / name, dict[int, int]()
        code, after = parse(LocalSourceFile(str(path)), files, lines, rulecount=before)
        known[path.read_text(), before] = (repr(str(path)), code, after, lines)
        before = after

    def parsed(
        path: SourceFile,
        workflow: object,
        linemap: dict[int, int],
        overwrite_shellcmd: str | None = None,
        rulecount: int = 0,
    ) -> tuple[str, int]:
        name = str(path.get_path_or_uri(secret_free=True))
        text = Path(name).read_text() if isinstance(path, LocalSourceFile) else ""
        if overwrite_shellcmd is not None or (text, rulecount) not in known:
            found: tuple[str, int] = parse(path, workflow, linemap, overwrite_shellcmd, rulecount)
            return found
        place, code, after, lines = known[text, rulecount]
        linemap.update(lines)
        return code.replace(place, repr(name)), after

    snakemake_workflow.parse = parsed


def main() -> None:
    """Fork for each request until there are no more."""
    import threading

    _import_what_runs_import()
    _find_plugins()
    _parse_rules()
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

"""The experiment that the benchmarks run: 10 generations a draft, answered at once.

Each draft has 3 essays, and each essay 2 evaluations, so `drafts` make 10 × drafts generations and
30 × drafts jobs. The model is a function that returns a constant.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.project import Project  # noqa: E402 - the tests' own small experiment, widened

INSTANT = """
def complete(body):
    return "A text.\\nSCORE: 5"
"""


class Run(NamedTuple):
    """What a command took: elapsed seconds, and the peak memory of its largest process in MB."""

    seconds: float
    megabytes: float
    output: str


def experiment(directory: Path, *, drafts: int) -> Project:
    """Return an experiment of 10 × `drafts` generations, not yet compiled."""
    project = Project(directory)
    raw = "data/1_raw"
    header = "template_id,parser,generator"
    for name, text in {
        "grow": "Grow {{ parent }}",
        "turn": "Turn {{ parent }}",
        "cut": "{{ parent }}",
    }.items():
        project.write(f"{raw}/templates/essay/{name}.txt", text)
    project.write(f"{raw}/essay_templates.csv", f"{header}\ngrow,,llm\nturn,,llm\ncut,,llm\n")
    project.spec["axes"] |= {
        "combo_id": ["pair"],
        "draft_replicate": drafts,
        "essay_template": ["grow", "turn", "cut"],
        "evaluation_replicate": 2,
    }
    project.write("echo.py", INSTANT)
    project.save()
    return project


def serve(project: Project, server: Server) -> None:
    """Let an experiment ask a server, each generation for an answer of its own."""
    for stage in project.config["stages"].values():
        stage["sampling"] = {"seed": "gen_id"}
    project.serve(f"http://127.0.0.1:{server.port}/v1", api_key_env=None)


def run(directory: Path, *arguments: str, snakemake: bool = True, check: bool = True) -> Run:
    """Run snakemake (or another command) in a directory, and return what it took."""
    command = [sys.executable, "-m", "snakemake", *arguments] if snakemake else list(arguments)
    begin = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    if check and process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output[-2000:]}")
    return Run(seconds, usage.ru_maxrss / 1024, output)


def floor(directory: Path, project: Project) -> Path:
    """Make a directory with the bare Snakefile and the DAG of a compiled experiment."""
    directory.mkdir()
    shutil.copy(ROOT / "benchmarks/floor/Snakefile", directory)
    shutil.copytree(ROOT / "profiles", directory / "profiles")
    parents = {"draft": "", "essay": "draft", "evaluation": "essay"}
    with (directory / "rows.csv").open("w") as file:
        for row in project.membership():
            stage = row["stage"]
            file.write(f"{stage},{row['gen_id']},{parents[stage]},{row['parent_gen_id']}\n")
    (directory / "template.txt").write_text("x")
    (directory / "concept.txt").write_text("x")
    return directory


class Server:
    """The tests' provider, in a process of its own."""

    def __init__(self, directory: Path, *, latency: float = 0) -> None:
        port_file = directory / "port"
        command = [sys.executable, str(ROOT / "tests/support/provider_server.py")]
        self._process = subprocess.Popen(
            [*command, "--port-file", str(port_file), "--latency", str(latency)]
        )
        while not port_file.exists() or not port_file.read_text():
            time.sleep(0.05)
        self.port = int(port_file.read_text())

    def history(self) -> dict[str, Any]:
        """Return the calls so far, and how many were in flight at the most."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/history") as answer:
            return dict(json.load(answer))

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait()

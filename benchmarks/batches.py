"""Many requests in batches, with spoiled rows and a process that is killed three times.

    uv run python benchmarks/batches.py [REQUESTS]          (10000)

A process of its own sends the requests of so many drafts in batches of 2,000 and collects them,
against a server that spoils one row in twenty. It is killed with SIGKILL while it uploads, between
the begin of a batch and the answer that says so, and while it journals; then it goes on. At the end
the server's own counts are compared with the journal and the ledger.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from workload import ROOT

sys.path.insert(0, str(ROOT / "tests"))

from support.batch_server import BatchServer, failed
from support.project import Project
from support.served import Row

IN, OUT = 3.0, 12.0
BATCH = 2_000
WORKER = """
import sys, yaml
from pathlib import Path
from daydream.experiment.batches import collect_batches, submit_batches
from daydream.experiment.experiment import Experiment
from daydream.experiment.phases import render_prompt
from daydream.experiment.recipes import prompt_inputs
from daydream.settings import load_settings
config = yaml.safe_load(Path("config/config.yaml").read_text())
experiment = Experiment(load_settings(config), mode="run")
rows = [row for row in experiment.selected.values() if row.stage == "draft"]
for row in rows:
    prompt = Path(f"data/gens/draft/{row.gen_id}/prompt.txt")
    if not prompt.exists():
        prompt.parent.mkdir(parents=True, exist_ok=True)
        render_prompt(experiment, row, **prompt_inputs(experiment, row), output=str(prompt))
print("rendered", flush=True)
submit_batches(experiment, rows)
collect_batches(experiment, rows)
"""


def project_of(directory: Path, requests: int, url: str) -> Project:
    """Return an experiment with so many drafts, answered by the server."""
    project = Project(directory)
    project.spec["axes"] |= {
        "combo_id": ["pair"],
        "draft_replicate": requests,
        "essay_template": ["same"],
    }
    header = "id,model,provider,usd_per_mtok_in,usd_per_mtok_out"
    project.write("data/1_raw/llm_models.csv", f"{header}\nm1,echo-1,echo,{IN},{OUT}\n")
    project.config["batch"] = {"stages": ["draft"]}
    sampling = {"max_tokens": 50, "seed": "gen_id"}
    project.config["stages"]["draft"]["sampling"] = sampling
    project.serve(url, batch={"poll": 0.2, "requests": BATCH, "attempts": 5})
    return project


class Killer:
    """Kills the worker at one of three moments per life."""

    def __init__(self) -> None:
        self.worker: subprocess.Popen[bytes] | None = None
        self.at = ["upload", "begin", "journal"]

    def refuse(self, method: str, path: str) -> str | None:
        """Kill at an upload, or break the connection once a batch has begun, and kill."""
        moments = {"/v1/files": "upload", "/v1/batches": "begin"}
        if method == "POST" and self.at and moments.get(path) == self.at[0]:
            self.kill()
            return "drop"
        return None

    def kill(self) -> None:
        """Kill the worker."""
        if self.worker is not None:
            self.at.pop(0)
            self.worker.send_signal(signal.SIGKILL)

    def watch(self, project: Project, enough: int) -> None:
        """Kill while answers are journaled."""
        while self.at and self.at[0] != "journal":
            time.sleep(0.05)
        while sum(1 for _ in project.dir.glob("data/gens/draft/*/responses/*.json")) < enough:
            time.sleep(0.05)
        self.kill()


def spoil(custom_id: str, row: Row, seen: Counter[str]) -> Row | list[Row] | None:
    """Spoil one row in twenty, the first time it is asked."""
    seen[custom_id] += 1
    kind = int(hashlib.sha256(custom_id.encode()).hexdigest(), 16) % 100
    if seen[custom_id] > 1 or kind > 4:
        return row
    return [None, [row, row], failed(row, 429), failed(row, 500), failed(row, 408)][kind]


def main(requests: int) -> None:
    """Run the worker until it ends by itself, and print what the server counted."""
    seen: Counter[str] = Counter()
    killer = Killer()
    with (
        tempfile.TemporaryDirectory() as name,
        BatchServer(
            answer=lambda body: f"text {body['seed']}",
            fault=lambda custom_id, row: spoil(custom_id, row, seen),
            refuse=killer.refuse,
        ) as server,
    ):
        project = project_of(Path(name, "p"), requests, server.url)
        threading.Thread(target=killer.watch, args=(project, requests // 3), daemon=True).start()
        begin, lives, code = time.perf_counter(), 0, -1
        while code != 0 and lives < 10:
            lives += 1
            command = [sys.executable, "-c", WORKER]
            environment = {"PYTHONPATH": str(ROOT / "scripts"), "TEST_API_KEY": "sk-test"}
            killer.worker = subprocess.Popen(command, cwd=project.dir, env=environment)
            code = killer.worker.wait()
        seconds = time.perf_counter() - begin
        tell(project, server, requests, lives, seconds)


def tell(project: Project, server: BatchServer, requests: int, lives: int, seconds: float) -> None:
    """Print the server's counts beside those of the journal and the ledger."""
    entries: list[dict[str, Any]] = [
        json.loads(line) for line in project.read("data/ledger.jsonl").splitlines()
    ]
    answers = Counter(
        path.parent.parent.name for path in project.dir.glob("data/gens/draft/*/responses/*.json")
    )
    ends = Counter(entry["call"] for entry in entries if entry["event"] == "end")
    charged = sum(entry["usd"] for entry in entries if entry["event"] == "end")
    times = Counter(server.sent.values())
    print(f"{requests:,} requests, {lives} lives, {len(server.batches)} batches, {seconds:.0f} s")
    print(f"sent once {times[1]:,}, again after a spoiled row {times[2]:,}, more {times[3]:,}")
    print(f"asked directly {len(server.direct):,}; journaled {sum(answers.values()):,}")
    print(f"generations with more than one answer: {sum(n > 1 for n in answers.values())}")
    print(f"calls that ended twice in the ledger: {sum(n > 1 for n in ends.values())}")
    print(f"ledger {charged:.6f} USD, server {server.bill(IN, OUT):.6f} USD")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)

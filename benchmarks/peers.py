"""Chains of three calls: this workflow, Inspect and a bare asyncio client, by the same server.

    uv run --group peers python benchmarks/peers.py [CHAINS] [LATENCY] [AT_ONCE] [ROUNDS]

A chain is a draft, an essay on it and an evaluation of that, each a call (1,000 chains, 0 s, 64 at
once, 3 rounds). Whole processes are timed, from the command to its end, each in a fresh directory,
in turn; the medians and their ratios to the client's are printed. Inspect runs one task whose
solver makes the three calls, with its log, without a display. The client sends the bodies of the
workflow's calls in the same order, each worker the next as soon as it has an answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from concurrency import client
from workload import Server, experiment, run, serve

TASK = """
import sys
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Score, mean, scorer
from inspect_ai.solver import solver

chains, at_once, port = map(int, sys.argv[1:])


@solver
def chain():
    async def solve(state, generate):
        for words in ("Grow this:", "Judge this. SCORE?"):
            state = await generate(state, seed=int(state.sample_id))
            text = state.output.completion
            state.messages = [ChatMessageUser(content=f"{words} {text}")]
        return await generate(state, seed=int(state.sample_id))

    return solve


@scorer(metrics=[mean()])
def number():
    async def score(state, target):
        return Score(value=float(state.output.completion.rsplit(":", 1)[-1]))

    return score


texts = [f"Join the tide and the loom. {number}" for number in range(chains)]
samples = [Sample(id=number, input=text) for number, text in enumerate(texts)]
logs = eval(
    Task(dataset=MemoryDataset(samples), solver=chain(), scorer=number()),
    model="openai-api/tests/echo-1",
    model_base_url=f"http://127.0.0.1:{port}/v1",
    max_connections=at_once,
    max_samples=chains,
    display="none",
)
sys.exit(logs[0].status != "success")
"""


def ours(directory: Path, chains: int, at_once: int, server: Server) -> float:
    """Return the seconds of a run here; the design is compiled before."""
    project = experiment(directory, drafts=1)
    project.spec["axes"] = {
        "combo_id": ["pair"],
        "draft_template": ["plain"],
        "draft_llm": ["m1"],
        "draft_replicate": chains,
        "essay_template": ["grow"],
        "essay_llm": ["m1"],
        "evaluation_template": ["judge"],
        "evaluation_llm": ["m1"],
    }
    serve(project, server)
    run(project.dir, "--cores", str(at_once), "membership")
    return run(project.dir, "--cores", str(at_once), "evaluations").seconds


def inspect(directory: Path, chains: int, at_once: int, server: Server) -> float:
    """Return the seconds of the same by Inspect."""
    directory.mkdir()
    (directory / "task.py").write_text(TASK)
    command = [sys.executable, "task.py", str(chains), str(at_once), str(server.port)]
    begin = time.perf_counter()
    subprocess.run(command, cwd=directory, env={**os.environ, "TESTS_API_KEY": "none"}, check=True)
    return time.perf_counter() - begin


def bare(bodies: Path, at_once: int, server: Server) -> float:
    """Return the seconds of the same calls by a client of its own process."""
    begin = time.perf_counter()
    arguments = ["--client", str(bodies), str(at_once), str(server.port)]
    subprocess.run([sys.executable, __file__, *arguments], check=True)
    return time.perf_counter() - begin


def compare(chains: int, latency: float, at_once: int, rounds: int) -> None:
    """Print what each took in each round, and the ratios of the medians."""
    found: dict[str, list[float]] = {"workflow": [], "inspect": [], "client": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            server = Server(place, latency=latency)
            try:
                found["workflow"].append(ours(place / "ours", chains, at_once, server))
                calls = server.history()["calls"]
                (place / "bodies.json").write_text(json.dumps([call["body"] for call in calls]))
                made = [len(calls)]
                found["inspect"].append(inspect(place / "inspect", chains, at_once, server))
                made.append(len(server.history()["calls"]) - sum(made))
                found["client"].append(bare(place / "bodies.json", at_once, server))
                made.append(len(server.history()["calls"]) - sum(made))
                if set(made) != {3 * chains}:
                    sys.exit(f"{made} calls were made, not {3 * chains} each")
            finally:
                server.close()
    client_takes = statistics.median(found["client"])
    print(f"{chains} chains, {latency:g} s, {at_once} at once, {rounds} rounds")
    for name, seconds in found.items():
        median = statistics.median(seconds)
        each = ", ".join(f"{value:.1f}" for value in seconds)
        print(f"{name:>9} {median:7.1f} s  {median / client_takes:5.2f} of the client  ({each})")


def main(arguments: list[str]) -> None:
    """Compare, or be the client that is compared with."""
    if arguments[:1] == ["--client"]:
        bodies = [json.dumps(body).encode() for body in json.loads(Path(arguments[1]).read_text())]
        asyncio.run(client(int(arguments[3]), bodies, int(arguments[2])))
        return
    defaults = ["1000", "0", "64", "3"]
    chains, latency, at_once, rounds = [*arguments, *defaults[len(arguments) :]]
    compare(int(chains), float(latency), int(at_once), int(rounds))


if __name__ == "__main__":
    main(sys.argv[1:])

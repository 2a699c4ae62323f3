"""Simultaneous calls: against a bare asyncio client that makes the same calls to the same server.

    uv run python benchmarks/concurrency.py [CALLS_AT_ONCE:SHARDS ...]   (64:1 64:2 256:1 256:4)

The server answers after 1 s. The workflow makes 6,400 generations of three stages, in one Snakemake
or in shards; its pool lets so many calls at once pass, and half as many jobs more prepare and parse
(`--cores`). The time from the first request to the last answer is compared, as the server saw it,
so that neither pays for its start. The client sends the same bodies, each worker the next as soon
as it has an answer; it need not wait for a parent.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from workload import Server, experiment, run, serve

LATENCY = 1.0
DRAFTS = 640


async def client(port: int, bodies: list[bytes], at_once: int) -> None:
    """Send all bodies, so many at once, over kept connections."""
    waiting = iter(bodies)

    async def worker() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in waiting:
            head = (
                "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            length = 0
            while (line := await reader.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode().partition(":")
                length = int(value) if name.lower() == "content-length" else length
            json.loads(await reader.readexactly(length))
        writer.close()

    await asyncio.gather(*(worker() for _ in range(at_once)))


def span(calls: list[dict[str, float]]) -> float:
    """Return the seconds from the first request to the last answer."""
    times = [call["at"] for call in calls]
    return max(times) - min(times) + LATENCY


def measure(at_once: int, shards: int) -> tuple[float, float, int]:
    """Return calls a second of the client and of the workflow, and its most calls at once."""
    cores = ("--cores", str(at_once * 3 // 2))
    with tempfile.TemporaryDirectory() as name:
        project = experiment(Path(name, "ours"), drafts=DRAFTS)
        server = Server(Path(name), latency=LATENCY)
        try:
            project.config["pools"] = {"echo": {"concurrent": at_once}}
            serve(project, server)
            run(project.dir, *cores, "membership")
            if shards > 1:
                run(project.dir, *cores, "all", "--config", f"shards={shards}")
            else:
                run(project.dir, *cores, "evaluations")
            ours = server.history()
            calls = len(ours["calls"])
            bodies = [json.dumps(call["body"]).encode() for call in ours["calls"]]
            asyncio.run(client(server.port, bodies, at_once))
            bare = server.history()["calls"][calls:]
        finally:
            server.close()
    return calls / span(bare), calls / span(ours["calls"]), ours["max_in_flight"]


def main(cases: list[str]) -> None:
    """Print a row a case: calls a second of both, and the ratio."""
    print(f"{'at once':>8} {'shards':>6} {'client/s':>9} {'ours/s':>7} {'ratio':>6} {'most':>5}")
    for case in cases:
        at_once, shards = map(int, case.split(":"))
        theirs, mine, most = measure(at_once, shards)
        print(
            f"{at_once:>8} {shards:>6} {theirs:>9.1f} {mine:>7.1f} {mine / theirs:>6.2f} {most:>5}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:] or ["64:1", "64:2", "256:1", "256:4"])

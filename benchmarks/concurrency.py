"""Simultaneous calls: against a bare asyncio client that makes the same calls to the same server.

    uv run python benchmarks/concurrency.py [CALLS_AT_ONCE ...]          (64 256)

The server answers after 1 s. The workflow makes 10 rounds of calls, a draft each; the time from
the first request to the last answer is compared, as the server saw it, so that neither pays for
its start. The client sends the same bodies, each worker the next as soon as it has an answer.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from workload import ROOT, experiment, run

LATENCY = 1.0
ROUNDS = 10


class Server:
    """The tests' provider, in a process of its own."""

    def __init__(self, directory: Path) -> None:
        port_file = directory / "port"
        command = [sys.executable, str(ROOT / "tests/provider_server.py")]
        self._process = subprocess.Popen(
            [*command, "--port-file", str(port_file), "--latency", str(LATENCY)]
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


def main(sizes: list[int]) -> None:
    """Print a row a number of calls at once: calls a second of both, and the ratio."""
    print(f"{'at once':>8} {'calls':>6} {'client/s':>9} {'ours/s':>7} {'ratio':>6} {'most':>5}")
    for at_once in sizes:
        calls = at_once * ROUNDS
        with tempfile.TemporaryDirectory() as name:
            project = experiment(Path(name, "ours"), drafts=calls)
            server = Server(Path(name))
            try:
                project.config["stages"]["draft"]["sampling"] = {"seed": "gen_id"}
                project.serve(f"http://127.0.0.1:{server.port}/v1", api_key_env=None)
                run(project.dir, "--cores", str(at_once), "membership")
                run(project.dir, "--cores", str(at_once), "drafts")
                ours = server.history()
                bodies = [json.dumps(call["body"]).encode() for call in ours["calls"]]
                asyncio.run(client(server.port, bodies, at_once))
                bare = server.history()["calls"][calls:]
            finally:
                server.close()
        mine, theirs = calls / span(ours["calls"]), calls / span(bare)
        print(
            f"{at_once:>8} {calls:>6} {theirs:>9.1f} {mine:>7.1f} {mine / theirs:>6.2f} "
            f"{ours['max_in_flight']:>5}",
            flush=True,
        )


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [64, 256])

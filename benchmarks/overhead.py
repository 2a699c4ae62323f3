"""What a generation costs beyond Snakemake: against a bare Snakefile of the same DAG.

    uv run python benchmarks/overhead.py [SIZES ...]                         (300 1000 3000 10000)
    uv run --group peers python benchmarks/overhead.py --http [SIZES ...]

Both run the same jobs with the same profile; the floor's jobs write a byte, ours render, ask a
function that answers at once, journal, parse, and aggregate. Each pair is measured one after the
other, ours between two runs of the floor, whose mean it is compared with.

With `--http` the model is a server that answers at once, and the floor's time has that of the same
calls added, made by the bare `openai` SDK in as many threads.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from workload import Run, Server, experiment, floor, run, serve

SIZES = (300, 1_000, 3_000, 10_000)
JOBS_AT_ONCE = 16
CORES = ("--cores", str(JOBS_AT_ONCE))
# All generations and their scores: the statistics and figures are not part of the floor.
TARGETS = ("scores", "evaluations")


def call_bare(server: Server) -> float:
    """Return the seconds that the bare SDK takes for the calls that a server has had."""
    bodies = [call["body"] for call in server.history()["calls"]]
    import openai  # noqa: PLC0415 - of the group peers, and only needed with --http

    client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none")
    begin = time.perf_counter()
    with ThreadPoolExecutor(JOBS_AT_ONCE) as threads:
        list(threads.map(lambda body: client.chat.completions.create(**body), bodies))
    return time.perf_counter() - begin


def measure(size: int, *, http: bool) -> tuple[float, Run]:
    """Return the seconds of the floor, its calls added, and what ours took."""
    with tempfile.TemporaryDirectory() as name, closing(Server(Path(name))) as server:
        project = experiment(Path(name, "ours"), drafts=size // 10)
        if http:
            serve(project, server)
        run(project.dir, *CORES, "membership")
        floors = [floor(Path(name, f"floor{n}"), project) for n in range(2)]
        before = run(floors[0], *CORES).seconds
        ours = run(project.dir, *CORES, *TARGETS)
        after = run(floors[1], *CORES).seconds
        return (before + after) / 2 + call_bare(server), ours


def main(sizes: list[int], *, http: bool) -> None:
    """Print a row a size: seconds of both, the ratio, and milliseconds a generation."""
    print(f"{'generations':>11} {'floor s':>8} {'ours s':>8} {'ratio':>6} {'ms each':>8} {'MB':>6}")
    for size in sizes:
        bare, ours = measure(size, http=http)
        print(
            f"{size:>11,} {bare:>8.1f} {ours.seconds:>8.1f} {ours.seconds / bare:>6.2f} "
            f"{1000 * ours.seconds / size:>8.2f} {ours.megabytes:>6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    arguments = sys.argv[1:]
    over_http = "--http" in arguments
    main([int(size) for size in arguments if size != "--http"] or list(SIZES), http=over_http)

"""What a generation costs beyond Snakemake: against a bare Snakefile of the same DAG.

    uv run python benchmarks/overhead.py [GENERATIONS ...]          (300 1000 3000 10000)

Both run the same jobs with the same profile; the floor's jobs write a byte, ours render, ask a
function that answers at once, journal, parse, and aggregate. Each pair is measured one after the
other, ours between two runs of the floor, whose mean it is compared with.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from workload import experiment, floor, run

SIZES = (300, 1_000, 3_000, 10_000)
CORES = "16"
# All generations and their scores: the statistics and figures are no part of the floor.
TARGETS = ("scores", "drafts", "essays", "evaluations")


def main(sizes: list[int]) -> None:
    """Print a row a size: seconds of both, the ratio, and milliseconds a generation."""
    print(f"{'generations':>11} {'floor s':>8} {'ours s':>8} {'ratio':>6} {'ms each':>8} {'MB':>6}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            project = experiment(Path(name, "ours"), drafts=size // 10)
            run(project.dir, "--cores", CORES, "membership")
            floors = [floor(Path(name, f"floor{n}"), project) for n in range(2)]
            before = run(floors[0], "--cores", CORES).seconds
            ours = run(project.dir, "--cores", CORES, *TARGETS)
            after = run(floors[1], "--cores", CORES).seconds
        bare = (before + after) / 2
        print(
            f"{size:>11,} {bare:>8.1f} {ours.seconds:>8.1f} {ours.seconds / bare:>6.2f} "
            f"{1000 * ours.seconds / size:>8.2f} {ours.megabytes:>6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or list(SIZES))

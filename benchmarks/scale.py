"""How time, memory and files grow with a cohort.

    uv run python benchmarks/scale.py [--shards N] [GENERATIONS ...]       (1000 3000 10000 30000)

Each size is made in a fresh directory, by a model that answers at once: all texts and scores. Then
come a run with nothing to do, and one after a hundredth of the evaluations' answers was deleted
(they come from the journal). Memory is that of the largest process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from workload import experiment, run

SIZES = (1_000, 3_000, 10_000, 30_000)
TARGETS = ("scores", "drafts", "essays", "evaluations")
CALLS_AT_ONCE = 16


def entries(directory: Path) -> tuple[int, int]:
    """Return how many files and directories are below a directory."""
    files = directories = 0
    for _, inner, names in os.walk(directory):
        files, directories = files + len(names), directories + len(inner)
    return files, directories


def size_of(directory: Path) -> float:
    """Return the megabytes that a directory takes on its disk."""
    files = (Path(top, name) for top, _, names in os.walk(directory) for name in names)
    return sum(os.lstat(file).st_blocks for file in files) * 512 / 1e6


def measure(generations: int, shards: int) -> str:
    """Return the row of a cohort of this size."""
    with tempfile.TemporaryDirectory() as name:
        project = experiment(Path(name, "project"), drafts=generations // 10)
        cores = ("--cores", str(CALLS_AT_ONCE * shards))
        run(project.dir, *cores, "membership")
        begin = time.perf_counter()
        if shards > 1:
            marks = (f"logs/shards/{number}-of-{shards}.done" for number in range(1, shards + 1))
            whole = run(project.dir, *cores, "--config", f"shards={shards}", "--", *marks)
            run(project.dir, *cores, *TARGETS)
        else:
            whole = run(project.dir, *cores, *TARGETS)
        seconds = time.perf_counter() - begin
        files, directories = entries(project.path("data/gens"))
        megabytes = size_of(project.path("data/gens"))
        nothing = run(project.dir, *cores, *TARGETS)
        answers = sorted(project.path("data/gens/evaluation").glob("*/raw.txt"))
        for path in answers[::100]:
            path.unlink()
        hundredth = run(project.dir, *cores, *TARGETS)
    made = f"{seconds:.0f} | {1000 * seconds / generations:.1f} | {whole.megabytes:.0f}"
    disk = f"{files / generations:.1f} + {directories / generations:.1f} | {megabytes:.0f}"
    again = f"{nothing.seconds:.1f} | {hundredth.seconds:.1f} | {nothing.megabytes:.0f}"
    return f"| {generations:,} | {shards} | {made} | {disk} | {again} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    given = parser.parse_args()
    print(
        "| Generations | Shards | s | ms each | MB | Files + directories each | MB on disk "
        "| Nothing to do s | 1 % again s | MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for size in given.sizes:
        print(measure(size, given.shards), flush=True)


if __name__ == "__main__":
    main()

"""Planning: `-n` and nothing-to-do, seconds and memory, against the bare Snakefile of the same DAG.

    uv run python benchmarks/planning.py [JOBS ...]          (9000 90000)

Both stores are made by a run, with a model that answers at once. Also: one generation in a hundred
left, with `expand=pending`; one target file rebuilt; and the start alone.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from workload import Run, experiment, floor, run

CORES = ("--cores", "16")
TARGETS = ("scores", "evaluations")
LARGE = 50_000


def best(directory: Path, *arguments: str, times: int = 2) -> Run:
    """Return the fastest of some runs."""
    return min((run(directory, *arguments) for _ in range(times)), key=lambda done: done.seconds)


def line(name: str, ours: Run, bare: Run | None = None) -> None:
    """Print one comparison."""
    ratio = f"{ours.seconds / bare.seconds:>6.2f}" if bare else ""
    seconds = f"{bare.seconds:>8.2f}" if bare else " " * 8
    print(
        f"  {name:<34} {seconds} {ours.seconds:>8.2f} {ratio:>6} {ours.megabytes:>6.0f}", flush=True
    )


def main(sizes: list[int]) -> None:
    """Print the table of each size."""
    with tempfile.TemporaryDirectory() as name:
        empty = Path(name)
        (empty / "Snakefile").write_text("rule all:\n")
        start = best(empty, "-n")
    for jobs in sizes:
        print(f"{jobs:,} jobs{' ' * 27} {'floor s':>8} {'ours s':>8} {'ratio':>6} {'MB':>6}")
        with tempfile.TemporaryDirectory() as name:
            project = experiment(Path(name, "ours"), drafts=jobs // 30)
            run(project.dir, *CORES, "membership")
            bare = floor(Path(name, "floor"), project)
            run(bare, *CORES, "membership.csv")
            # Large ones take minutes, in which the machine's moods even out.
            times = 2 if jobs < LARGE else 1
            planned = (best(at, "-n", "-q", times=times) for at in (project.dir, bare))
            line("-n, nothing there", *planned)
            line("the run itself", run(project.dir, *CORES, *TARGETS), run(bare, *CORES))
            ours = best(project.dir, *CORES, *TARGETS, times=times)
            line("nothing to do", ours, best(bare, *CORES, times=times))
            rows = project.membership()
            evaluation = next(row for row in rows if row["stage"] == "evaluation")
            target = f"data/gens/evaluation/{evaluation['gen_id']}/parsed.txt"
            project.path(target).unlink()
            line("one target file rebuilt", run(project.dir, *CORES, target))
            line("-n of one target, floor: empty", best(project.dir, "-n", target), start)
            # By now the machine may have put the records out of its memory; then it has them again.
            for what in ("1 % left, expand=pending", "the same once more"):
                for row in [row for row in rows if row["stage"] == "evaluation"][::60]:
                    project.path(f"data/gens/evaluation/{row['gen_id']}/parsed.txt").unlink()
                pending = ("evaluations", "--config", "expand=pending")
                line(what, run(project.dir, *CORES, *pending))


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [9_000, 90_000])

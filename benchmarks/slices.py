"""Planning a slice: 90 jobs of a cohort of 90,000, against Snakemake's own start.

uv run python benchmarks/slices.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from workload import experiment, run

DRAFTS = 3_000


def main() -> None:
    """Time a dry run of an empty Snakefile, and one of a slice of the cohort."""
    with tempfile.TemporaryDirectory() as name:
        empty = Path(name, "empty")
        empty.mkdir()
        (empty / "Snakefile").write_text("rule all:\n")
        project = experiment(Path(name, "big"), drafts=DRAFTS)
        run(project.dir, "--cores", "2", "membership")
        where = "where={draft_replicate: [1, 2, 3]}"
        start, plan = [], []
        for _ in range(3):
            start.append(run(empty, "-n").seconds)
            sliced = run(project.dir, "-n", "evaluations", "--config", where)
            plan.append(sliced.seconds)
        jobs = sliced.output.count("gen_id=")
    print(f"jobs of the cohort          {DRAFTS * 30:>8,}")
    print(f"jobs of the slice           {jobs:>8,}")
    print(f"empty Snakefile, -n         {min(start):>8.2f} s")
    print(f"slice, -n                   {min(plan):>8.2f} s")
    print(f"beyond Snakemake's start    {min(plan) - min(start):>8.2f} s")


if __name__ == "__main__":
    main()

"""Measures what 100,000 evaluations take from the score table to all tables: time and memory.

    uv run python benchmarks/results.py

The aim is a minute and 2 GB on two cores.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from daydream.analysis.outputs import TABLES, write_tables, write_union  # noqa: E402
from support.simulation import simulated  # noqa: E402

# Of 104 combos 24 drafts each, of each draft two essays, judged twice by each of ten judges.
LEVELS = {
    "combo_id": 104,
    "draft_template": 4,
    "draft_llm": 3,
    "draft_replicate": 2,
    "essay_template": 2,
    "evaluation_template": 2,
    "evaluation_llm": 5,
    "evaluation_replicate": 2,
}
SD = {"combo_id": 0.5, "draft": 0.5, "essay": 0.5, "evaluation_llm": 0.7, "replicate": 0.5}


def peak_gb() -> float:
    """Return the most memory that this process has had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Write the tables one by one, then all in one go, and print what each takes."""
    frame = simulated(np.random.default_rng(0), levels=LEVELS, sd=SD, missing=0.05)
    frame["score"] = frame["score"].round().clip(0, 9)
    with tempfile.TemporaryDirectory() as directory:
        source = f"{directory}/aggregated_scores.csv"
        frame.to_csv(source, index=False)
        paths = {name: f"{directory}/{name}.csv" for name in TABLES}
        print(f"{len(frame):,} evaluations, {peak_gb():.2f} GB before the start")
        start = time.perf_counter()
        for name, path in paths.items():
            begun = time.perf_counter()
            write_tables(source, {name: path})
            print(f"{name:34}{time.perf_counter() - begun:6.1f} s, the reading of scores included")
        begun = time.perf_counter()
        write_union(
            [source], rows=f"{directory}/union.csv", template_model=f"{directory}/models.csv"
        )
        print(f"{'union, template_model':34}{time.perf_counter() - begun:6.1f} s")
        print(f"{'all':34}{time.perf_counter() - start:6.1f} s, {peak_gb():.2f} GB at most")


if __name__ == "__main__":
    main()

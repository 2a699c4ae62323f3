"""Measures how often the intervals hold the truth, and how often tests find what is not there.

    uv run python benchmarks/coverage.py [experiments]

Simulated experiments with known truth (`tests/support/experiments.py`), analysed through the
tables. Each share comes with its standard error. 400 experiments take about ten minutes on two
cores.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from support import experiments  # noqa: E402

# What is simulated, and the part of the experiments to make: some take much longer.
SITUATIONS = {
    "mean, 10 combos × 12 drafts, combo sd 1": (experiments.means, 1.0),
    "mean, 3 combos × 12 drafts": (partial(experiments.means, combos=3), 1.0),
    "no difference, interaction sd 0.3": (
        partial(experiments.null_comparisons, interaction=0.3),
        1.0,
    ),
    "no difference, interaction sd 0.6": (
        partial(experiments.null_comparisons, interaction=0.6),
        1.0,
    ),
    "no difference, 4 combos": (partial(experiments.null_comparisons, combos=4), 1.0),
    "72 equal recipes, 6 combos": (partial(experiments.recipes, recipe_sd=0.0), 0.25),
    "72 recipes, sd 0.3, 6 combos": (experiments.recipes, 0.25),
    "6 recipes, sd 0.3, 10 combos": (
        partial(experiments.recipes, templates=3, models=2, combos=10),
        1.0,
    ),
    "judges confounded with recipes, 10 % overlap": (experiments.confounded_judges, 1.0),
}


def main(count: int) -> None:
    """Print the shares of each situation."""
    for seed, (name, (make, part)) in enumerate(SITUATIONS.items()):
        found = make(np.random.default_rng(seed), max(2, round(count * part))).astype(float)
        print(f"{name}: {len(found)} experiments")
        for column in found:
            error = found[column].std() / np.sqrt(len(found))
            print(f"    {column:<32} {found[column].mean():7.3f} ± {error:.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)

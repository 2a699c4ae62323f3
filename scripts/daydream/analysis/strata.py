"""Intervals for the combos at hand: other texts of the same combos, templates and models.

Here combos are given and only what was made from them is chance. Chance is seen where one combo has
several independent lineages, so the lineages of each combo are compared with each other, never with
those of another (stratified sampling: Cochran, Sampling Techniques, 1977, chapter 5). One variance
for all combos is estimated, as most designs have few lineages per combo.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from daydream.analysis.jackknife import Array, Estimate, cluster_sums, estimated


def mean_within(
    combos: pd.Series[Any], lineages: pd.Series[Any], values: pd.Series[float]
) -> Estimate:
    """Return the mean of `values` for the combos at hand; no error if no combo has two lineages.

    A lineage belongs to one combo. Its values are correlated, so its total is what counts.
    """
    if not len(values):
        return Estimate(float("nan"), 0.0, -1)
    numbers = values.to_numpy(dtype=float)
    columns: list[Array] = [numbers, np.ones(len(numbers))]
    totals, counts = cluster_sums(lineages, columns)
    codes, _ = pd.factorize(lineages)
    combo_codes, names = pd.factorize(combos)
    strata = np.zeros(len(totals), dtype=int)
    strata[codes] = combo_codes
    level = np.bincount(strata, weights=totals) / np.bincount(strata, weights=counts)
    df = len(totals) - len(names)
    mean = float(numbers.mean())
    if df < 1:
        return Estimate(mean, 0.0, df)
    deviations = totals - counts * level[strata]
    error = np.sqrt(len(totals) * (deviations**2).sum() / df) / counts.sum()
    return estimated(mean, float(error), df, of=numbers)

"""Gwet's AC2: agreement on whole-number scales, where most scores are the same.

Krippendorff's alpha is low where nearly all scores are equal, even if judges hardly ever differ,
because chance would then agree as well. AC2 takes another idea of chance and does not have this
paradox (Gwet, Computing Inter-Rater Reliability and Its Variance in the Presence of High Agreement,
British Journal of Mathematical and Statistical Psychology 61, 2008; Handbook of Inter-Rater
Reliability, 2014). Weights are quadratic: a difference of two points counts as four of one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from daydream.analysis.jackknife import NO_INTERVAL, SHORTFALL, Array, Interval, jackknife

# A scale of more values is as good as continuous.
MAX_VALUES = 101


def are_whole(values: pd.Series) -> bool:
    """Tell whether all values are whole numbers, as AC2 takes them for; up to rounding."""
    return bool(np.isclose(values, values.round(), rtol=0, atol=1e-9).all())


def ac2(found: pd.DataFrame, *, low: float, high: float) -> tuple[float, Interval]:
    """Return AC2 of the values in `found` on the whole-number scale from `low` to `high`.

    Columns: ``parent`` (the unit), ``combo_id`` (the cluster), ``value``; one row per coder's
    value. Means of repeated scores count with the nearest value; that the scores themselves
    `are_whole` is for the caller to know. NaN on any other scale, and where no unit has two values.
    """
    nothing = float("nan"), NO_INTERVAL
    if low % 1 or high % 1 or not 2 <= high - low + 1 <= MAX_VALUES:
        return nothing
    units = found.groupby("parent", sort=False)
    coders = units["value"].size()
    if not (coders >= 2).any():
        return nothing
    # Two values of one unit, drawn at random, differ by a square of twice the variance.
    apart = (2 * units["value"].var() / (high - low) ** 2).fillna(0.0)
    size = int(high - low) + 1
    category = (found["value"] - low).round().clip(0, size - 1).astype(int)
    shares = pd.crosstab(found["parent"], category).reindex(columns=range(size), fill_value=0)
    shares = shares.reindex(coders.index).div(coders, axis=0)
    paired: Array = (coders >= 2).to_numpy().astype(float)
    columns: list[Array] = [paired * apart.to_numpy(dtype=float), paired, paired**0]
    columns += list(shares.to_numpy().T)
    steps = np.subtract.outer(np.arange(size), np.arange(size)) / (size - 1)
    weight = float((1 - steps**2).sum()) / (size * (size - 1))

    def statistic(apart: Array, pairs: Array, units: Array, *category: Array) -> Array:
        part = np.stack(category) / units
        chance = weight * (part * (1 - part)).sum(axis=0)
        agreed: Array = (1 - apart / pairs - chance) / (1 - chance)
        return agreed

    totals = [column.sum(keepdims=True) for column in columns]
    value = float(statistic(*totals)[0])
    estimate = jackknife(units["combo_id"].first(), columns, statistic, scale=SHORTFALL)
    return value, estimate.interval(scale=SHORTFALL)

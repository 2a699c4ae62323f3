"""Intervals and tests for new combos: combos are what was sampled.

A reader of "template A scores 0.4 higher" wants to know whether that holds for combos that were not
tried. Scores of one combo resemble each other, and a template may suit some combos better than
others, so combos are the clusters, however many texts each has: the jackknife leaves out one combo
at a time, with all that was made from it. Its standard error goes with Student's t for one degree
of freedom less than there are combos, and is conservative in unbalanced designs (CV3J: MacKinnon,
Nielsen and Webb, Cluster-Robust Inference, Journal of Econometrics 232, 2023).

A statistic here is a function of sums over the combos, so what is left out is subtracted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.floating[Any]]

LEVEL = 0.95
# With two combos an interval would reach twelve standard errors to each side.
MIN_COMBOS = 3
# What is smaller than this part of what it is compared with is rounding.
NEGLIGIBLE = 1e-9


class Interval(NamedTuple):
    """The ends of a confidence interval; both NaN where there is none."""

    low: float
    high: float


NO_INTERVAL = Interval(float("nan"), float("nan"))
ANYWHERE = Interval(float("-inf"), float("inf"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """A scale on which a statistic is closer to normal, and the way back from it."""

    there: Callable[[Any], Any]
    back: Callable[[float], float]


PLAIN = Scale(there=lambda value: value, back=lambda value: value)
# Fisher's transformation of a correlation.
FISHER = Scale(there=np.arctanh, back=lambda value: float(np.tanh(value)))
# Agreement beyond chance ends at 1: its distance from there.
SHORTFALL = Scale(
    there=lambda value: np.log(1 - value), back=lambda value: float(1 - np.exp(value))
)


class Estimate(NamedTuple):
    """A value, its standard error (0 where there is none) and its degrees of freedom."""

    value: float
    error: float
    df: int

    def interval(self, *, bounds: Interval = ANYWHERE, scale: Scale = PLAIN) -> Interval:
        """Return the interval, cut at `bounds`; the estimate itself is on `scale`."""
        if not self.error > 0 or self.df < MIN_COMBOS - 1:
            return NO_INTERVAL
        reach = float(stats.t.ppf(0.5 + LEVEL / 2, self.df)) * self.error
        ends = sorted((scale.back(self.value - reach), scale.back(self.value + reach)))
        return Interval(max(ends[0], bounds.low), min(ends[1], bounds.high))

    @property
    def p_value(self) -> float:
        """The two-sided p-value of zero: below 0.05 exactly if the interval leaves out zero."""
        if not self.error > 0 or self.df < MIN_COMBOS - 1:
            return float("nan")
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.df))


def estimated(value: float, error: float, df: int, *, of: Array) -> Estimate:
    """Return an estimate `of` numbers; it has no error if this is only their rounding."""
    rounding = NEGLIGIBLE * float(np.abs(of).max(initial=0.0))
    return Estimate(value, error if error > rounding else 0.0, df)


def cluster_sums(clusters: pd.Series[Any], columns: Sequence[Array]) -> Array:
    """Return the sums of each column per cluster: a row per column, a column per cluster."""
    codes, _ = pd.factorize(clusters)
    return np.stack([np.bincount(codes, weights=column).astype(float) for column in columns])


def jackknife(
    combos: pd.Series[Any],
    columns: Sequence[Array],
    statistic: Callable[..., Any],
    *,
    scale: Scale = PLAIN,
) -> Estimate:
    """Return ``statistic(*sums of the columns)`` with its error over combos, on `scale`.

    `combos` has the combo of each observation, each column has a number for each observation;
    `statistic` takes sums, or arrays of sums, and works element by element.
    """
    sums = cluster_sums(combos, columns)
    totals = sums.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(scale.there(statistic(*totals)))
        without = np.asarray(scale.there(statistic(*(totals[:, None] - sums))), dtype=float)
    return from_replicates(value, without)


def from_replicates(value: float, without: Array) -> Estimate:
    """Return the estimate of a statistic from its values without each of the combos."""
    groups = len(without)
    if groups < MIN_COMBOS or not np.isfinite(without).all() or not np.isfinite(value):
        return Estimate(value, 0.0, groups - 1)
    error = np.sqrt((groups - 1) / groups * ((without - without.mean()) ** 2).sum())
    return estimated(value, float(error), groups - 1, of=without)


def mean_of(combos: pd.Series[Any], values: pd.Series[float]) -> Estimate:
    """Return the mean of `values`, each of which counts once, for new combos."""
    if not len(values):
        return Estimate(float("nan"), 0.0, -1)
    columns: list[Array] = [values.to_numpy(dtype=float), np.ones(len(values))]
    return jackknife(combos, columns, lambda total, count: total / count)

"""Judges compared on the texts that they share: how lenient each one is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daydream.analysis.groups import connected
from daydream.analysis.jackknife import Array, Estimate, from_replicates


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeEffects:
    """Least-squares effects of the judges in the additive model parent + judge.

    `bias` is a judge's effect, zero on average over the judges of its group; NaN for one that
    shares no parent. `group` is the group of each judge (`groups.connected`). `without` has a row
    per combo of `combos` and a column per judge: the effects if this combo were left out.
    """

    bias: pd.Series[float]
    group: pd.Series[int]
    combos: pd.Index[str]
    without: Array

    def adjusted(self, found: pd.DataFrame) -> pd.Series[float]:
        """Return the values of cells less their judge's bias."""
        return found["value"] - found["judge"].map(self.bias).fillna(0.0)

    def disregarded(self) -> JudgeEffects:
        """Return the same judges as if none were lenient or strict."""
        nothing = np.zeros_like(self.without)
        return replace(self, bias=pd.Series(0.0, index=self.bias.index), without=nothing)

    def of(self, judge: str) -> Estimate:
        """Return a judge's bias for new combos; NaN for a judge that shares no parent."""
        bias = float(self.bias.get(judge, np.nan))
        if np.isnan(bias):
            return Estimate(bias, 0.0, -1)
        return from_replicates(bias, self.without[:, self.bias.index.get_loc(judge)])


def judge_effects(found: pd.DataFrame) -> JudgeEffects:
    """Return the effects of the judges of `cells`.

    Parents are absorbed by centring within them (the Frisch-Waugh-Lovell theorem: Lovell, Seasonal
    Adjustment of Economic Time Series, 1963); among all least-squares solutions the pseudoinverse
    gives the one that sums to zero over judges who share parents. A parent belongs to one combo, so
    the equations are sums over combos, and leaving one out is a subtraction.
    """
    names = pd.Index(found["judge"].unique())
    indicators = pd.DataFrame({name: (found["judge"] == name).astype(float) for name in names})
    centred = indicators - indicators.groupby(found["parent"]).transform("mean")
    value = found["value"] - found.groupby("parent")["value"].transform("mean")
    design, outcome = centred.to_numpy(), value.to_numpy()
    codes, combos = pd.factorize(found["combo_id"])
    squares, products = _by_combo(codes, design, outcome, len(combos))
    effects = _solved(squares.sum(axis=0), products.sum(axis=0))
    compared = np.abs(design).max(axis=0, initial=0.0) > 0
    rows = connected(found["judge"], found["parent"])
    return JudgeEffects(
        bias=pd.Series(np.where(compared, effects, np.nan), index=names, dtype=float),
        group=rows.groupby(found["judge"]).first().reindex(names),
        combos=pd.Index(combos),
        without=_solved(squares.sum(axis=0) - squares, products.sum(axis=0) - products),
    )


def _by_combo(
    codes: NDArray[np.integer[Any]], design: Array, outcome: Array, count: int
) -> tuple[Array, Array]:
    """Return each combo's part of the normal equations: (combo, judge, judge), (combo, judge)."""
    judges = design.shape[1]
    squares = np.empty((count, judges, judges))
    products = np.empty((count, judges))
    for i, column in enumerate(design.T):
        products[:, i] = np.bincount(codes, weights=column * outcome, minlength=count)
        for j, other in enumerate(design.T[: i + 1]):
            found = np.bincount(codes, weights=column * other, minlength=count)
            squares[:, i, j] = squares[:, j, i] = found
    return squares, products


def _solved(squares: Array, products: Array) -> Array:
    inverse = np.linalg.pinv(squares, rtol=1e-9, hermitian=True)
    found: Array = np.einsum("...ij,...j->...i", inverse, products)
    return found

"""Judges compared on the texts that they share: how lenient each one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from daydream.analysis.resampling import NO_INTERVAL, Array, Interval, bootstrap_interval


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeEffects:
    """Least-squares effects of the judges in the additive model parent + judge.

    `bias` is a judge's effect, zero on average over the judges that share parents with each other;
    NaN for one that shares none. `influence` has a row a cell and a column a judge: what the cell's
    residual adds to each effect, so that resampled cells give resampled effects
    (bias + sum of influence).
    """

    bias: pd.Series[float]
    influence: Array

    def adjusted(self, found: pd.DataFrame) -> pd.Series[float]:
        """Return the values of cells less their judge's bias."""
        return found["value"] - found["judge"].map(self.bias).fillna(0.0)

    def of(self, judge: str, roots: pd.Series[str]) -> tuple[float, Interval]:
        """Return a judge's bias and its interval; `roots` are those of the cells."""
        bias = float(self.bias.get(judge, np.nan))
        if np.isnan(bias):
            return bias, NO_INTERVAL
        influence = self.influence[:, self.bias.index.get_loc(judge)]
        return bias, bootstrap_interval(roots, [influence], lambda total: bias + total)


def judge_effects(found: pd.DataFrame) -> JudgeEffects:
    """Return the effects of the judges of `cells`.

    Parents are absorbed by centring within them (the Frisch-Waugh-Lovell theorem: Lovell, Seasonal
    Adjustment of Economic Time Series, 1963); among all least-squares solutions the pseudoinverse
    gives the one that sums to zero over judges who share parents. Influences are those of the score
    bootstrap (Kline and Santos, A Score Based Approach to Wild Bootstrap Inference, 2012).
    """
    names = found["judge"].unique()
    indicators = pd.DataFrame({name: (found["judge"] == name).astype(float) for name in names})
    centred = indicators - indicators.groupby(found["parent"]).transform("mean")
    value = found["value"] - found.groupby("parent")["value"].transform("mean")
    design, outcome = centred.to_numpy(), value.to_numpy()
    inverse = np.linalg.pinv(design.T @ design, rtol=1e-9, hermitian=True)
    effects = inverse @ design.T @ outcome
    residual = outcome - design @ effects
    compared = np.abs(design).max(axis=0, initial=0.0) > 0
    return JudgeEffects(
        bias=pd.Series(np.where(compared, effects, np.nan), index=names, dtype=float),
        influence=(design * residual[:, None]) @ inverse,
    )

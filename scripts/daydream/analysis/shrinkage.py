"""Scores of single texts, less what luck explains.

The text with the highest of many scores has been lucky with its judges, and most of all if it had
few. Each score is drawn towards the mean of all texts, the more, the less its judges say (the best
linear predictor: Robinson, That BLUP is a Good Thing, Statistical Science 6, 1991).

Luck is what a judge finds in a text beyond its own bias. A mean of n judges has an n-th of its
variance. That of a median also depends on how far apart the judges' biases are, so it is simulated
(the bootstrap of residuals: Efron, Bootstrap Methods, Annals of Statistics 7, 1979).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from daydream.analysis.jackknife import Array
from daydream.analysis.panels import MEDIAN, Panel

SEED = 1
DRAWS = 1_000


def shrunk(found: pd.DataFrame, panel: Panel, group: pd.Series[int]) -> pd.Series[float]:
    """Return each parent's shrunk score, by parent; its score where nothing tells luck from merit.

    `found` are `cells`, `group` is the group of the judges of each parent.
    """
    scores = panel.scores(found).rename("shrunk_mean")
    groups = group.reindex(scores.index)
    parts = [_shrunk_group(found, panel, scores[groups == name]) for name in groups.unique()]
    return pd.concat(parts).reindex(scores.index) if parts else scores


def _shrunk_group(found: pd.DataFrame, panel: Panel, scores: pd.Series[float]) -> pd.Series[float]:
    rows = found[found["parent"].isin(scores.index)]
    # The judges' biases have been fitted to the same rows.
    df = len(rows) - len(scores) - rows["judge"].nunique() + 1
    if df < 1 or len(scores) < 3:
        return scores
    adjusted = panel.effects.adjusted(rows)
    residual = (adjusted - adjusted.groupby(rows["parent"]).transform("mean")).to_numpy()
    if panel.rule == MEDIAN:
        luck = _luck_of_medians(rows, residual * np.sqrt(len(rows) / df), panel)
    else:
        luck = float((residual**2).sum()) / df / rows.groupby("parent").size()
    luck = luck.reindex(scores.index)
    merit = max(0.0, float(scores.var()) - float(luck.mean()))
    if merit == 0:
        return pd.Series(scores.mean(), index=scores.index)
    weight = merit / (merit + luck)
    centre = float(np.average(scores, weights=1 / (merit + luck)))
    return centre + weight * (scores - centre)


def _luck_of_medians(rows: pd.DataFrame, residual: Array, panel: Panel) -> pd.Series[float]:
    """Return the variance of the median over the judges of each parent, by parent."""
    codes, judges = pd.factorize(rows["judge"])
    bias = panel.effects.bias.reindex(judges).fillna(0.0).to_numpy()
    drawn = np.random.default_rng(SEED).choice(residual, size=(DRAWS, len(judges))) + bias
    found: dict[tuple[int, ...], float] = {}

    def variance(own: pd.Series[int]) -> float:
        met = tuple(sorted(own))
        if met not in found:
            found[met] = float(np.median(drawn[:, met], axis=1).var())
        return found[met]

    return pd.Series(codes, index=rows.index).groupby(rows["parent"]).agg(variance)

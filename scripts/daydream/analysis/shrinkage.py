"""Means of single texts, less what luck explains.

The text with the highest of many means has been lucky with its judges, and most of all if it had
few. Each mean is drawn towards that of all texts, the more, the less its judges say (the best
linear predictor: Robinson, That BLUP is a Good Thing, Statistical Science 6, 1991).
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def shrunk(found: pd.DataFrame, group: pd.Series[int]) -> pd.Series[float]:
    """Return each parent's shrunk mean, by parent; its mean where nothing tells luck from merit.

    `found` are cells with the column ``adjusted``, `group` the group of the judges of each parent.
    """
    texts = found.groupby("parent")["adjusted"].agg(["mean", "size"])
    groups = group.reindex(texts.index)
    parts = [_shrunk_group(found, texts[groups == name]) for name in groups.unique()]
    return pd.concat(parts).reindex(texts.index) if parts else texts["mean"]


def _shrunk_group(found: pd.DataFrame, texts: pd.DataFrame) -> pd.Series[float]:
    rows = found[found["parent"].isin(texts.index)]
    mean = texts["mean"].rename("shrunk_mean")
    # The judges' biases have been fitted to the same rows.
    df = len(rows) - len(texts) - rows["judge"].nunique() + 1
    if df < 1 or len(texts) < 3:
        return mean
    residual = rows["adjusted"] - rows["parent"].map(mean)
    luck = float((residual**2).sum()) / df / texts["size"]
    merit = max(0.0, float(mean.var()) - float(luck.mean()))
    if merit == 0:
        return pd.Series(mean.mean(), index=mean.index)
    weight = merit / (merit + luck)
    centre = float(np.average(mean, weights=1 / (merit + luck)))
    return centre + weight * (mean - centre)

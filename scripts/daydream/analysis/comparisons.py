"""Levels of a dimension compared on what they share.

Two levels are compared within cells of the design that are alike in everything else: what both
started from (the generation before the dimension's stage, or the combo where there is none) and
every other dimension of that stage and of the later ones. Replicates are averaged. A cell that only
one of the two levels has does not count.

Cells that descend from one root are one cluster. Levels of the first stage have roots of their own:
there a cluster is what such roots share, the combo and the other dimensions.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from daydream.analysis.resampling import mean_interval, sign_flip_p
from daydream.analysis.scores import Scores

COLUMNS = [
    *("dimension", "level", "other_level", "cells", "clusters", "mean", "other_mean"),
    *("difference", "ci_low", "ci_high", "p_value", "p_holm"),
]


def comparisons(scores: Scores) -> pd.DataFrame:
    """Return a row a pair of levels of each dimension; `difference` is the first less the other.

    The interval is `mean_interval` by cluster, the p-value that of `sign_flip_p`, corrected for the
    number of pairs of the dimension (Holm, A Simple Sequentially Rejective Multiple Test Procedure,
    Scandinavian Journal of Statistics 6, 1979).
    """
    records = []
    for index, stage in enumerate(scores.stages):
        later = [name for each in scores.stages[index:] for name in each.dimensions]
        for dimension in stage.dimensions:
            if index:
                start, cluster = [scores.stages[index - 1].gen_id], ["root"]
            else:
                start = ["combo_id"]
                cluster = [*start, *(name for name in stage.dimensions if name != dimension)]
            matched = [*start, *(name for name in later if name != dimension)]
            records += _pairs(scores, dimension, matched=matched, cluster=cluster)
    table = pd.DataFrame(records, columns=COLUMNS)
    return table.assign(score_min=scores.low, score_max=scores.high)


def _pairs(
    scores: Scores, dimension: str, *, matched: list[str], cluster: list[str]
) -> list[dict[str, object]]:
    levels = scores.rows[dimension].unique()
    if len(levels) < 2:
        return []
    rows = scores.scored
    cells = rows.assign(
        cell=rows.groupby(matched, sort=False).ngroup(),
        cluster=rows.groupby(cluster, sort=False).ngroup(),
    )
    clusters = cells.groupby("cell")["cluster"].first()
    means = cells.groupby(["cell", dimension])["value"].mean().unstack(dimension)
    means = means.reindex(columns=levels)
    records = []
    for level, other in combinations(levels, 2):
        both = means[[level, other]].dropna()
        difference = both[level] - both[other]
        shared = clusters[both.index]
        interval = mean_interval(shared, difference)
        records.append(
            {
                "dimension": dimension,
                "level": level,
                "other_level": other,
                "cells": len(both),
                "clusters": shared.nunique(),
                "mean": both[level].mean(),
                "other_mean": both[other].mean(),
                "difference": difference.mean(),
                "ci_low": interval.low,
                "ci_high": interval.high,
                "p_value": sign_flip_p(shared, difference),
            }
        )
    corrected = holm([record["p_value"] for record in records])
    return [{**record, "p_holm": p_holm} for record, p_holm in zip(records, corrected, strict=True)]


def holm(p_values: list[float]) -> list[float]:
    """Return Holm's adjusted p-values; NaN stays NaN and does not count."""
    adjusted = np.array(p_values, dtype=float)
    known = ~np.isnan(adjusted)
    if known.sum() > 1:
        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return list(adjusted)

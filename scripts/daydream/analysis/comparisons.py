"""Levels of a dimension compared on what they share.

Two levels are compared within cells of the design that are alike in everything else: what both
started from (the generation before the dimension's stage, or the combo where there is none) and
every other dimension of that stage and of the later ones. Replicates are averaged. A cell that only
one of the two levels has does not count.

If the panel of judges has a rule other than `adjusted` (`panels`), levels of what made the texts
are compared by its score of each text instead, so a cell is of no single judge. Matched by judge,
a difference needs no adjusting. Judges themselves are always compared one by one.

For new combos, whole combos are what was sampled (`jackknife`). For the combos at hand, it is what
started from one text, or from one combo and the other dimensions of the first stage (`strata`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from daydream.analysis.jackknife import mean_of
from daydream.analysis.panels import ADJUSTED, panel_of
from daydream.analysis.scores import COPIED, Scores, StageColumns, cells
from daydream.analysis.strata import mean_within

COLUMNS = [
    *("dimension", "level", "other_level", "cells", "combos", "lineages", "mean", "other_mean"),
    *("difference", "ci_low", "ci_high", "p_value", "p_holm", "these_low", "these_high", "panel"),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """A dimension whose levels are compared: `rows` that are alike in `matched` are a cell.

    `lineage` are the columns that say what the levels in a cell descend from, `panel` the rule by
    which judges are one, empty where they are compared themselves.
    """

    dimension: str
    levels: list[str]
    rows: pd.DataFrame
    matched: list[str]
    lineage: list[str]
    panel: str


def comparisons(scores: Scores) -> pd.DataFrame:
    """Return a row per pair of levels of each dimension; `difference` is the first less the other.

    The interval and the p-value are for new combos and agree with each other. `p_holm` is corrected
    for all pairs of all dimensions (Holm, A Simple Sequentially Rejective Multiple Test Procedure,
    Scandinavian Journal of Statistics 6, 1979). `these_low` and `these_high` are for the combos at
    hand. What a stage copied is the work of none of its models, so it is not compared.
    """
    records = [row for each in compared(scores) for row in _pairs(each)]
    table = pd.DataFrame(records, columns=COLUMNS)
    table["p_holm"] = holm(list(table["p_value"]))
    return table.assign(score_min=scores.low, score_max=scores.high)


def compared(scores: Scores) -> Iterator[Compared]:
    """Return every dimension with its levels, copies left out, and what they are compared on."""
    by_panel = _by_panel(scores)
    for index, stage in enumerate(scores.stages):
        judges = stage is scores.stage
        single = judges or scores.panel == ADJUSTED
        stages = scores.stages[index:] if single else scores.stages[index:-1]
        later = [name for each in stages for name in each.dimensions]
        for dimension in stage.dimensions:
            if index:
                start, lineage = [scores.stages[index - 1].gen_id], ["root"]
            else:
                start = ["combo_id"]
                lineage = [*start, *(name for name in stage.dimensions if name != dimension)]
            matched = [*start, *(name for name in later if name != dimension)]
            rows = scores.scored if single else by_panel
            if dimension == stage.dimensions[0]:
                rows = _beside_each_model(rows, stage)
            levels = [level for level in scores.rows[dimension].unique() if level != COPIED]
            yield Compared(
                dimension=dimension,
                levels=levels,
                rows=rows,
                matched=matched,
                lineage=lineage,
                panel="" if judges else scores.panel,
            )


def _by_panel(scores: Scores) -> pd.DataFrame:
    """Return a row per judged text, whose value is the score of the panel."""
    found = cells(scores)
    texts = scores.scored.drop_duplicates("parent")
    return texts.assign(value=texts["parent"].map(panel_of(found, scores.panel).scores(found)))


def _beside_each_model(rows: pd.DataFrame, stage: StageColumns) -> pd.DataFrame:
    """Return the rows, copies of a stage once for each model, so that templates can be compared."""
    others = list(stage.dimensions[1:])
    copied = rows[others[0]] == COPIED
    if not copied.any():
        return rows
    levels = rows.loc[~copied, others].drop_duplicates()
    spread = rows[copied].drop(columns=others).merge(levels, how="cross")
    return pd.concat([rows[~copied], spread], ignore_index=True)


def _pairs(what: Compared) -> list[dict[str, object]]:
    dimension, levels, rows = what.dimension, what.levels, what.rows
    if len(levels) < 2:
        return []
    cells = rows.assign(
        cell=rows.groupby(what.matched, sort=False).ngroup(),
        lineage=rows.groupby(what.lineage, sort=False).ngroup(),
    )
    origins = cells.groupby("cell")[["combo_id", "lineage"]].first()
    means = cells.groupby(["cell", dimension])["value"].mean().unstack(dimension)
    means = means.reindex(columns=levels)
    records = []
    for level, other in combinations(levels, 2):
        both = means[[level, other]].dropna()
        difference = both[level] - both[other]
        shared = origins.loc[both.index]
        new = mean_of(shared["combo_id"], difference)
        interval = new.interval()
        these = mean_within(shared["combo_id"], shared["lineage"], difference).interval()
        records.append(
            {
                "dimension": dimension,
                "level": level,
                "other_level": other,
                "cells": len(both),
                "combos": shared["combo_id"].nunique(),
                "lineages": shared["lineage"].nunique(),
                "mean": both[level].mean(),
                "other_mean": both[other].mean(),
                "difference": difference.mean(),
                "ci_low": interval.low,
                "ci_high": interval.high,
                "p_value": new.p_value,
                "these_low": these.low,
                "these_high": these.high,
                "panel": what.panel,
            }
        )
    return records


def holm(p_values: list[float]) -> list[float]:
    """Return Holm's adjusted p-values; NaN stays NaN and does not count."""
    adjusted = np.array(p_values, dtype=float)
    known = ~np.isnan(adjusted)
    if known.sum() > 1:
        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return list(adjusted)

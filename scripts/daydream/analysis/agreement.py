"""How far the judges agree, and how each one deviates.

Units are the parents, coders the judges, a coder's value the mean over its replicates: what one
judge says of one text counts once, however often it was asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from daydream.analysis.influence import rankings_without
from daydream.analysis.jackknife import (
    FISHER,
    NO_INTERVAL,
    SHORTFALL,
    Array,
    Interval,
    jackknife,
)
from daydream.analysis.judges import judge_effects
from daydream.analysis.length import length_slope
from daydream.analysis.ordinal import ac2, are_whole
from daydream.analysis.scores import Scores, cells

COLUMNS = [
    *("measure", "judge", "other_judge", "group", "value", "ci_low", "ci_high"),
    *("parents", "combos"),
]
NOTHING = float("nan"), NO_INTERVAL


def judge_agreement(scores: Scores) -> pd.DataFrame:
    """Return a row per measure and judge, template or pair of judges.

    Measures: ``alpha`` of all judges, ``alpha_template`` of the judges of one template,
    ``alpha_replicates`` of one judge's replicates, ``ac2`` of all judges, ``bias``, ``spread``,
    ``length_slope`` and ``ranking_without`` of one judge, ``pearson`` and ``spearman`` of two.
    """
    found = cells(scores)
    records = [
        *_alphas(scores, found),
        *_deviations(scores, found),
        *_correlations(scores, found),
    ]
    table = pd.DataFrame(records, columns=COLUMNS)
    return table.assign(score_min=scores.low, score_max=scores.high)


def alpha(found: pd.DataFrame) -> tuple[float, Interval]:
    """Return Krippendorff's alpha for interval data of the values in `found`, and its interval.

    Columns: ``parent`` (the unit), ``combo_id`` (the cluster), ``value``; one row per
    coder's value. NaN where fewer than two units have two values, or all values are equal.

    Krippendorff, Content Analysis, 2004, chapter 11. For interval data the disagreements are sums
    of squares, so alpha is a function of sums, and the jackknife leaves out combos. It equals
    `krippendorff.alpha`, whose table of value by value for every unit would take gigabytes for
    thousands of units with many distinct means.
    """
    coders = found.groupby("parent")["value"].transform("size")
    paired = found[coders >= 2]
    if paired["parent"].nunique() < 2:
        return NOTHING
    coders = coders[coders >= 2]
    value = paired["value"] - paired["value"].mean()
    deviation = value - value.groupby(paired["parent"]).transform("mean")
    within = deviation**2 * coders / (coders - 1)
    columns = [column.to_numpy(dtype=float) for column in (value**0, value, value**2, within)]
    totals = [column.sum(keepdims=True) for column in columns]
    if not totals[2] > 0:
        return NOTHING
    estimate = jackknife(paired["combo_id"], columns, _alpha, scale=SHORTFALL)
    return float(_alpha(*totals)[0]), estimate.interval(scale=SHORTFALL)


def _alpha(count: Array, total: Array, squares: Array, within: Array) -> Array:
    expected = (squares - total**2 / count) / (count - 1)
    return 1 - within / count / expected


def _alphas(scores: Scores, found: pd.DataFrame) -> Iterator[dict[str, object]]:
    yield _record("alpha", found, alpha(found))
    # Judges with different scales are compared from 0 to 1, where all between would be rounded.
    whole = are_whole(scores.scored["value"])
    several = found["parent"].nunique() > 1
    ordinal = ac2(found, low=scores.low, high=scores.high) if whole and several else NOTHING
    yield _record("ac2", found, ordinal)
    template = scores.stage.dimensions[0]
    kinds = scores.rows.drop_duplicates("judge").set_index("judge")[template]
    templates = found["judge"].map(kinds)
    for name in kinds.unique():
        same = found[templates == name]
        yield _record("alpha_template", same, alpha(same), name)
    scored = scores.scored
    for judge in scores.judges:
        own = scored[scored["judge"] == judge]
        yield _record("alpha_replicates", own, alpha(own), judge)


def _deviations(scores: Scores, found: pd.DataFrame) -> Iterator[dict[str, object]]:
    own = {judge: found[found["judge"] == judge] for judge in scores.judges}
    effects = judge_effects(found)
    for judge, rows in own.items():
        bias = effects.of(judge)
        record = _record("bias", rows, (bias.value, bias.interval()), judge)
        yield {**record, "group": effects.group.get(judge)}
    for judge, rows in own.items():
        yield _record("spread", rows, (rows["value"].std(), NO_INTERVAL), judge)
    for judge, rows in own.items():
        yield _record("length_slope", rows, length_slope(rows), judge)
    for judge, tau in rankings_without(scores, found).items():
        yield _record("ranking_without", own[judge], (tau, NO_INTERVAL), judge)


def _correlations(scores: Scores, found: pd.DataFrame) -> Iterator[dict[str, object]]:
    wide = found.pivot(index="parent", columns="judge", values="value")
    wide = wide.reindex(columns=scores.judges)
    origins = found.drop_duplicates("parent").set_index("parent")["combo_id"]
    for judge, other in combinations(scores.judges, 2):
        both = wide[[judge, other]].dropna().set_axis(["x", "y"], axis=1)
        shared = both.join(origins).reset_index()
        yield _record("pearson", shared, pearson(shared), judge, other)
        yield _record("spearman", shared, (spearman(shared), NO_INTERVAL), judge, other)


def pearson(shared: pd.DataFrame) -> tuple[float, Interval]:
    """Return the correlation of the columns ``x`` and ``y``, and its interval by ``combo_id``.

    NaN for fewer than three rows, or a column that does not vary.
    """
    if not _correlate(shared):
        return NOTHING
    x, y = (stats.zscore(shared[name].to_numpy(dtype=float)) for name in ("x", "y"))
    columns = [np.ones(len(x)), x, y, x * x, y * y, x * y]
    value = float(stats.pearsonr(x, y).statistic)
    estimate = jackknife(shared["combo_id"], columns, _pearson, scale=FISHER)
    return value, estimate.interval(scale=FISHER)


def _pearson(*sums: Array) -> Array:
    n, x, y, xx, yy, xy = sums
    return (xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n))


def spearman(shared: pd.DataFrame) -> float:
    """Return the rank correlation of the columns ``x`` and ``y``; NaN where there is no other."""
    if not _correlate(shared):
        return float("nan")
    return float(stats.spearmanr(shared["x"], shared["y"]).statistic)


def _correlate(shared: pd.DataFrame) -> bool:
    return len(shared) >= 3 and shared["x"].nunique() > 1 and shared["y"].nunique() > 1


def _record(
    measure: str,
    found: pd.DataFrame,
    estimate: tuple[float, Interval],
    judge: str = "",
    other_judge: str = "",
) -> dict[str, object]:
    value, interval = estimate
    return {
        "measure": measure,
        "judge": judge,
        "other_judge": other_judge,
        "value": value,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "parents": found["parent"].nunique(),
        "combos": found["combo_id"].nunique(),
    }

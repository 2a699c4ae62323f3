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

from daydream.analysis.judges import judge_effects
from daydream.analysis.resampling import NO_INTERVAL, Array, Interval, bootstrap_interval
from daydream.analysis.scores import Scores, cells

COLUMNS = ["measure", "judge", "other_judge", "value", "ci_low", "ci_high", "parents", "roots"]
NOTHING = float("nan"), NO_INTERVAL


def judge_agreement(scores: Scores) -> pd.DataFrame:
    """Return a row a measure and judge, template or pair of judges.

    Measures: ``alpha`` of all judges, ``alpha_template`` of the judges of one template,
    ``alpha_replicates`` of one judge's replicates, ``bias`` and ``spread`` of one judge,
    ``pearson`` and ``spearman`` of two.
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

    Columns: ``parent`` (the unit), ``root`` (the cluster), ``value``; a row a coder's value. NaN
    where no unit has two values, or all values are equal.

    Krippendorff, Content Analysis, 2004, chapter 11. For interval data the disagreements are sums
    of squares, so alpha is a function of sums, which the bootstrap resamples by root (units are
    what is resampled: Zapf and others, Measuring Inter-Rater Reliability for Nominal Data, BMC
    Medical Research Methodology 16, 2016). It equals `krippendorff.alpha`, whose table of value by
    value for every unit would take gigabytes for thousands of units with many distinct means.
    """
    coders = found.groupby("parent")["value"].transform("size")
    paired = found[coders >= 2]
    if paired.empty:
        return NOTHING
    coders = coders[coders >= 2]
    value = paired["value"] - paired["value"].mean()
    deviation = value - value.groupby(paired["parent"]).transform("mean")
    within = deviation**2 * coders / (coders - 1)
    columns = [column.to_numpy(dtype=float) for column in (value**0, value, value**2, within)]
    totals = [column.sum(keepdims=True) for column in columns]
    if not totals[2] > 0:
        return NOTHING
    interval = bootstrap_interval(paired["root"], columns, _alpha, bounds=Interval(-np.inf, 1))
    return float(_alpha(*totals)[0]), interval


def _alpha(count: Array, total: Array, squares: Array, within: Array) -> Array:
    expected = (squares - total**2 / count) / (count - 1)
    return 1 - within / count / expected


def _alphas(scores: Scores, found: pd.DataFrame) -> Iterator[dict[str, object]]:
    yield _record("alpha", found, alpha(found))
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
        yield _record("bias", rows, effects.of(judge, found["root"]), judge)
    for judge, rows in own.items():
        yield _record("spread", rows, (rows["value"].std(), NO_INTERVAL), judge)


def _correlations(scores: Scores, found: pd.DataFrame) -> Iterator[dict[str, object]]:
    wide = found.pivot(index="parent", columns="judge", values="value")
    wide = wide.reindex(columns=scores.judges)
    roots = found.drop_duplicates("parent").set_index("parent")["root"]
    for judge, other in combinations(scores.judges, 2):
        both = wide[[judge, other]].dropna().set_axis(["x", "y"], axis=1)
        shared = both.assign(root=roots).reset_index()
        yield _record("pearson", shared, pearson(shared), judge, other)
        yield _record("spearman", shared, (_spearman(shared), NO_INTERVAL), judge, other)


def pearson(shared: pd.DataFrame) -> tuple[float, Interval]:
    """Return the correlation of the columns ``x`` and ``y``, and its interval by ``root``.

    NaN for fewer than three rows, or a column that does not vary.
    """
    if not _correlate(shared):
        return NOTHING
    x, y = (stats.zscore(shared[name].to_numpy(dtype=float)) for name in ("x", "y"))
    columns = [np.ones(len(x)), x, y, x * x, y * y, x * y]
    value = float(stats.pearsonr(x, y).statistic)
    return value, bootstrap_interval(shared["root"], columns, _pearson, bounds=Interval(-1, 1))


def _pearson(*sums: Array) -> Array:
    n, x, y, xx, yy, xy = sums
    return (xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n))


def _spearman(shared: pd.DataFrame) -> float:
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
        "roots": found["root"].nunique(),
    }

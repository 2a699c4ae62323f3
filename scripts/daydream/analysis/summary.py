"""The summary tables: what was scored how high, by parent and by dimension.

Of a template's scale, top is its end, high the upper third, low the lower third.
"""

from __future__ import annotations

import pandas as pd

from daydream.analysis.jackknife import Interval, mean_of
from daydream.analysis.panels import panel_of
from daydream.analysis.scores import Scores, cells
from daydream.analysis.shrinkage import shrunk
from daydream.analysis.strata import mean_within
from daydream.analysis.views import OF_TEXT

SPREAD = [
    *("dimension", "level", "count", "missing", "parents", "combos", "roots"),
    *("mean", "sd", "min", "max", "median", "top_share", "high_share", "low_share"),
    *("ci_low", "ci_high", "these_low", "these_high", "score_min", "score_max"),
]


def generation_scores(scores: Scores) -> pd.DataFrame:
    """Return a row per parent that has a score: lineage, coverage, means, and each judge's scores.

    For each judge: the mean over replicates on the judge's own scale, ``_min``, ``_max``, ``_n``.
    `normalised_mean` is the mean over the judges it has of their means from 0 to 1, so that more
    judges do not mean more points; `panel_score`, on the scale of `value`, is by the panel's rule
    (`panels`); `shrunk_mean` is that less what luck explains (`shrinkage`), and `rank` goes by it,
    within each `group` of judges.
    """
    planned = scores.rows.groupby("parent", sort=False)
    table = planned[["parent_gen_id", *scores.lineage]].first()
    table["evaluations"], table["scored"] = planned.size(), planned["value"].count()
    table = table[table["scored"] > 0]
    found = cells(scores)
    panel = panel_of(found, scores.panel)
    by_parent = found.groupby("parent")
    group = found["judge"].map(panel.effects.group).groupby(found["parent"]).first()
    table = table.assign(
        coverage=table["scored"] / table["evaluations"],
        judges=by_parent.size(),
        group=group,
        normalised_mean=by_parent["share"].mean(),
        panel_score=panel.scores(found),
        shrunk_mean=shrunk(found, panel, group),
    )
    table["rank"] = table.groupby("group")["shrunk_mean"].transform(ranks)
    table["panel"] = scores.panel
    table["score_min"], table["score_max"] = scores.low, scores.high
    known = [name for name in OF_TEXT if name in scores.rows]
    table = table.join(planned[known].first())
    by_judge = pd.DataFrame(_by_judge(scores, found), index=table.index)
    return table.join(by_judge.fillna({f"{judge}_n": 0 for judge in scores.judges}))


def ranks(means: pd.Series[float]) -> pd.Series[float]:
    """Return ranks from 1, the highest first; equal means share one, whatever their rounding."""
    return means.round(9).rank(method="min", ascending=False)


def _by_judge(scores: Scores, found: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Return four columns a judge, even for one without any score."""
    columns = {}
    for judge in scores.judges:
        own = found[found["judge"] == judge].set_index("parent")
        columns[judge] = own["score"]
        columns[f"{judge}_min"] = own["score_low"]
        columns[f"{judge}_max"] = own["score_high"]
        columns[f"{judge}_n"] = own["n"]
    return columns


def evaluation_model_template_pivot(scores: Scores) -> pd.DataFrame:
    """Return a row per combo and recipe, with each judge's mean over parents and replicates.

    Means are on the judge's own scale; `parents` counts what was judged.
    """
    keys = ["combo_id", *scores.recipe]
    made = scores.rows.drop_duplicates("parent")[["parent", *keys]]
    found = cells(scores).drop(columns="combo_id").merge(made, on="parent")
    counts = found.groupby(keys, sort=False)["parent"].nunique().rename("parents").to_frame()
    means = found.groupby([*keys, "judge"], sort=False)["score"].mean().unstack("judge")
    return counts.join(means.reindex(columns=scores.judges)).reset_index()


def final_results(scores: Scores) -> pd.DataFrame:
    """Return how the scores spread, overall and at each level of each dimension."""
    dimensions = ["combo_id", *scores.dimensions, *scores.replicates, "judge"]
    rows = scores.rows.assign(overall="")
    records = [
        {"dimension": dimension, "level": level, **_spread(scores, group)}
        for dimension in ("overall", *dimensions)
        for level, group in rows.groupby(dimension, sort=False)
    ]
    return pd.DataFrame(records, columns=SPREAD)


def _spread(scores: Scores, rows: pd.DataFrame) -> dict[str, object]:
    found = rows[rows["value"].notna()]
    value, share = found["value"], found["share"]
    bounds = Interval(scores.low, scores.high)
    interval = mean_of(found["combo_id"], value).interval(bounds=bounds)
    these = mean_within(found["combo_id"], found["root"], value).interval(bounds=bounds)
    return {
        "count": len(found),
        "missing": len(rows) - len(found),
        "parents": found["parent"].nunique(),
        "combos": found["combo_id"].nunique(),
        "roots": found["root"].nunique(),
        "mean": value.mean(),
        "sd": value.std(),
        "min": value.min(),
        "max": value.max(),
        "median": value.median(),
        "top_share": _part(found["score"] == found["score_max"]),
        # Without their inner ends, so that no whole-number scale puts more values in one third.
        "high_share": _part(3 * share > 2 + 1e-9),
        "low_share": _part(3 * share < 1 - 1e-9),
        "ci_low": interval.low,
        "ci_high": interval.high,
        "these_low": these.low,
        "these_high": these.high,
        "score_min": scores.low,
        "score_max": scores.high,
    }


def _part(flags: pd.Series[bool]) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def perfect_scores(scores: Scores) -> pd.DataFrame:
    """Return the evaluations whose score is their template's `score_max`."""
    own = [*scores.stage.dimensions, scores.stage.replicate]
    names = ["gen_id", "parent_gen_id", *scores.lineage, *own, "judge", "score", "score_max"]
    return scores.rows.loc[scores.rows["score"] == scores.rows["score_max"], names]

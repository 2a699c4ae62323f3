"""Which evaluations have no score, and why."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.analysis.coverage import failure_kinds
from daydream.analysis.jackknife import Interval, mean_of
from daydream.analysis.scores import Scores
from daydream.figures.bars import bars_panel
from daydream.figures.layout import (
    Panel,
    dimension_name,
    figure,
    message,
    prefix,
    score_notes,
    tooltips,
)
from daydream.figures.tables import Tables
from daydream.figures.theme import PALETTE
from daydream.text import plural

MAX_LEVELS = 24
OTHER = "other"


def failures(tables: Tables) -> alt.VConcatChart:
    """Return a panel of all failures by kind, and one a dimension of the levels they befall."""
    panels: list[Panel] = []
    planned = sum(len(scores.rows) for scores in tables.scores)
    unscored = [_unscored(scores) for scores in tables.scores]
    missing = sum(len(rows) for rows in unscored)
    kinds = _kinds(pd.concat(unscored))
    for scores, rows in zip(tables.scores, unscored, strict=True):
        start = prefix(scores, tables.scores)
        if rows.empty:
            all_of = f"{plural(len(scores.rows), 'evaluation')} planned and scored"
            panels.append(message(f"{start}nothing is missing: {all_of}."))
        else:
            panels += _panels(scores, rows, kinds, start=start)
    return figure(
        panels,
        title=f"Why evaluations have no score: {missing:,} of {plural(planned, 'evaluation')}",
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "missing <stage>: not made, or not yet; stale <stage>: to be made again; "
            "failed <stage>: not asked, as its text failed; "
            "parse: answered, but rejected by the parser. "
            "Line: 95 % interval of the whole bar, for new combos; none with too few combos. "
            "Levels of which nothing is missing are left out. Details: analysis/coverage.csv.",
        ],
    )


def _unscored(scores: Scores) -> pd.DataFrame:
    """Return the rows without a score and their ``kind``."""
    rows = scores.rows[scores.rows["value"].isna()]
    return rows.assign(kind=failure_kinds(rows["error"]))


def _kinds(rows: pd.DataFrame) -> list[str]:
    """Return the kinds, the most frequent first, as many as there are colours."""
    found = list(rows["kind"].value_counts().index)
    return found if len(found) <= len(PALETTE) else [*found[: len(PALETTE) - 1], OTHER]


def _panels(scores: Scores, rows: pd.DataFrame, kinds: list[str], *, start: str) -> list[Panel]:
    parts = [("by kind", _by_kind(scores, rows))]
    missing = scores.rows.assign(kind=rows["kind"])
    for dimension in scores.dimensions:
        planned = scores.rows.groupby(dimension, sort=False).size()
        if len(planned) > 1:
            parts.append(
                (f"by {dimension_name(dimension)}", _by_level(missing, dimension, planned))
            )
    end = max(
        max(part.groupby("label")["share"].sum().max(), part["ci_high"].fillna(0).max())
        for _, part in parts
    )
    return [
        _panel(part, kinds, end=end, title=start + title, legend=not number)
        for number, (title, part) in enumerate(parts)
    ]


def _by_kind(scores: Scores, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per kind: ``label, kind, missing, planned, share``, and the share's interval."""
    counts = rows["kind"].value_counts().rename("missing").reset_index()
    planned = len(scores.rows)
    kinds = scores.rows.assign(kind=rows["kind"])
    intervals = [_interval(kinds["combo_id"], kinds["kind"] == kind) for kind in counts["kind"]]
    return counts.assign(
        label=counts["kind"],
        planned=planned,
        share=counts["missing"] / planned,
        ci_low=[each.low for each in intervals],
        ci_high=[each.high for each in intervals],
    )


def _interval(combos: pd.Series[str], missing: pd.Series[bool]) -> Interval:
    """Return the 95 % interval, for new combos, of the share that is missing."""
    return mean_of(combos, missing.astype(float)).interval(bounds=Interval(0, 1))


def _by_level(evaluations: pd.DataFrame, dimension: str, planned: pd.Series[int]) -> pd.DataFrame:
    """Return a row per kind and level, for the levels with the largest share missing.

    `evaluations` are all that were planned; those with a score have no ``kind``.
    """
    rows = evaluations[evaluations["kind"].notna()]
    shares = rows.groupby(dimension, sort=False).size() / planned
    worst = shares.dropna().sort_values(ascending=False, kind="stable").index[:MAX_LEVELS]
    counts = rows.groupby([dimension, "kind"], sort=False).size().rename("missing").reset_index()
    found = counts.set_index(dimension).loc[worst].rename_axis("label").reset_index()
    found["planned"] = found["label"].map(planned)
    intervals = {
        level: _interval(group["combo_id"], group["kind"].notna())
        for level, group in evaluations.groupby(dimension, sort=False)
    }
    return found.assign(
        share=found["missing"] / found["planned"],
        ci_low=[intervals[level].low for level in found["label"]],
        ci_high=[intervals[level].high for level in found["label"]],
    )


def _panel(rows: pd.DataFrame, kinds: list[str], *, end: float, title: str, legend: bool) -> Panel:
    sums = {"missing": "sum", "planned": "first", "ci_low": "first", "ci_high": "first"}
    totals = rows.groupby("label", sort=False).agg(sums)
    counts = zip(totals["missing"], totals["planned"], strict=True)
    return bars_panel(
        rows.assign(part=rows["kind"].where(rows["kind"].isin(kinds), OTHER), size=rows["share"]),
        labels=list(totals.index),
        parts=kinds,
        intervals=totals.reset_index(),
        ends=[f"{missing:,} of {planned:,}" for missing, planned in counts],
        title=title,
        unit="share of the evaluations planned",
        longest=end,
        format=".1~%",
        hints=tooltips(
            {"label": "of", "kind": "kind", "missing": "without a score", "share": "share"},
            share=".1%",
        ),
        legend=legend,
    )

"""Which evaluations have no score, and why."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.analysis.coverage import failure_kinds
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
            "parse: answered, but refused by the parser. "
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
    for dimension in scores.dimensions:
        planned = scores.rows.groupby(dimension, sort=False).size()
        if len(planned) > 1:
            parts.append((f"by {dimension_name(dimension)}", _by_level(rows, dimension, planned)))
    end = max(part.groupby("label")["share"].sum().max() for _, part in parts)
    return [
        _panel(part, kinds, end=end, title=start + title, legend=not number)
        for number, (title, part) in enumerate(parts)
    ]


def _by_kind(scores: Scores, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per kind: ``label, kind, missing, planned, share``."""
    counts = rows["kind"].value_counts().rename("missing").reset_index()
    planned = len(scores.rows)
    return counts.assign(label=counts["kind"], planned=planned, share=counts["missing"] / planned)


def _by_level(rows: pd.DataFrame, dimension: str, planned: pd.Series[int]) -> pd.DataFrame:
    """Return a row per kind and level, for the levels with the largest share missing."""
    shares = rows.groupby(dimension, sort=False).size() / planned
    worst = shares.dropna().sort_values(ascending=False, kind="stable").index[:MAX_LEVELS]
    counts = rows.groupby([dimension, "kind"], sort=False).size().rename("missing").reset_index()
    found = counts.set_index(dimension).loc[worst].rename_axis("label").reset_index()
    found["planned"] = found["label"].map(planned)
    return found.assign(share=found["missing"] / found["planned"])


def _panel(rows: pd.DataFrame, kinds: list[str], *, end: float, title: str, legend: bool) -> Panel:
    totals = rows.groupby("label", sort=False).agg({"missing": "sum", "planned": "first"})
    counts = zip(totals["missing"], totals["planned"], strict=True)
    return bars_panel(
        rows.assign(part=rows["kind"].where(rows["kind"].isin(kinds), OTHER), size=rows["share"]),
        labels=list(totals.index),
        parts=kinds,
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

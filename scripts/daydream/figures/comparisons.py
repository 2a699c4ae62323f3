"""Levels of a dimension compared on what they share: a forest plot."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.analysis.scores import Scores
from daydream.figures.intervals import interval_note, interval_panel
from daydream.figures.layout import (
    Panel,
    dimension_name,
    elided,
    figure,
    message,
    of_stage,
    prefix,
    scale_name,
    score_notes,
    scored_counts,
    units,
)
from daydream.figures.tables import Tables
from daydream.text import plural

MAX_PAIRS = 30
SIGNIFICANT = 0.05


def comparisons(tables: Tables) -> alt.VConcatChart:
    """Return a panel per dimension with several levels, and a row per pair of them."""
    panels: list[Panel] = []
    shown = [pd.DataFrame(columns=["value", "ci_low"])]
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        parts = _parts(tables, scores)
        if scores.scored.empty:
            panels.append(message(f"{start}no evaluation has a score yet."))
            continue
        if not parts:
            panels.append(message(f"{start}no dimension has two levels to compare."))
            continue
        shown += parts.values()
        domain = _domain(pd.concat(parts.values()))
        panels += [
            interval_panel(
                rows,
                title=start + title,
                unit=f"difference ({scale_name(scores)}), 95 % interval for new combos",
                shown=_pairs(rows),
                domain=domain,
            )
            for title, rows in parts.items()
        ]
    return figure(
        panels,
        title=(
            f"What templates and models change ({units(tables.scores)}): "
            f"{scored_counts(tables.scores)}"
        ),
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Mean of the first less that of the second, in cells of the design that are alike in "
            "all else. Filled: p < 0.05 after Holm's correction for all pairs of all dimensions.",
            interval_note(pd.concat(shown)),
        ],
    )


def _parts(tables: Tables, scores: Scores) -> dict[str, pd.DataFrame]:
    """Return the rows of each dimension's panel by its title."""
    table = of_stage(tables.comparisons, scores)
    parts = {}
    for dimension, pairs in table.groupby("dimension", sort=False):
        rows = pairs.sort_values("difference", key=abs, ascending=False, kind="stable")
        rows = rows.head(MAX_PAIRS).sort_values("difference", ascending=False, kind="stable")
        more = f" (the {MAX_PAIRS} largest of {len(pairs)})" if len(pairs) > MAX_PAIRS else ""
        parts[f"{dimension_name(str(dimension))}{more}"] = _described(rows)
    return parts


def _described(rows: pd.DataFrame) -> pd.DataFrame:
    significances = [
        "" if pd.isna(p) else ", p < 0.001" if p < 0.001 else f", p = {p:.2g}"
        for p in rows["p_holm"]
    ]
    return rows.assign(
        label=rows["level"] + " − " + rows["other_level"],
        value=rows["difference"],
        text=[f"{plural(n, 'cell')}{p}" for n, p in zip(rows["cells"], significances, strict=True)],
        note="share no cell that has a score",
        marked=rows["p_holm"] < SIGNIFICANT,
    )


def _pairs(rows: pd.DataFrame) -> list[str]:
    """Return the two names of each row, each shortened for itself."""
    names = list(dict.fromkeys([*rows["level"], *rows["other_level"]]))
    short = dict(zip(names, elided(names, letters=24), strict=True))
    return list(rows["level"].map(short) + " − " + rows["other_level"].map(short))


def _domain(rows: pd.DataFrame) -> tuple[float, float]:
    """Return one axis for all panels, with zero in its middle."""
    widest = rows[["value", "ci_low", "ci_high"]].abs().max().max()
    end = 1.0 if pd.isna(widest) or widest == 0 else float(1.05 * widest)
    return -end, end

"""Levels of a dimension compared on what they share: a forest plot, or a matrix of many pairs."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.analysis.scores import Scores
from daydream.figures.intervals import interval_note, interval_panel
from daydream.figures.layout import (
    Panel,
    dimension_name,
    elided,
    few,
    figure,
    message,
    of_stage,
    prefix,
    scale_name,
    score_notes,
    scored_counts,
    units,
)
from daydream.figures.matrix import matrix_panel
from daydream.figures.tables import Tables
from daydream.figures.theme import DIVERGING
from daydream.text import plural

# More pairs than this are a matrix, of so many levels.
MAX_PAIRS, MAX_LEVELS = 30, 24
SIGNIFICANT = 0.05


def comparisons(tables: Tables) -> alt.VConcatChart:
    """Return a panel per dimension with several levels."""
    panels: list[Panel] = []
    shown = [pd.DataFrame(columns=["value", "ci_low"])]
    sure = tested = 0
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        table = _better_first(of_stage(tables.comparisons, scores))
        if scores.scored.empty:
            panels.append(message(f"{start}no evaluation has a score yet."))
            continue
        if table.empty:
            panels.append(message(f"{start}no dimension has two levels to compare."))
            continue
        sure += int(table["marked"].sum())
        # Holm's correction is for these: pairs without an interval are not tested.
        tested += int(table["p_holm"].notna().sum())
        of_few = table.groupby("dimension")["level"].transform("size") <= MAX_PAIRS
        shown.append(table[of_few])
        domain = _domain(table[of_few])
        for dimension, pairs in table.groupby("dimension", sort=False):
            title = f"{start}{dimension_name(str(dimension))}"
            rows = pairs.sort_values("value", ascending=False, kind="stable")
            if len(rows) > MAX_PAIRS:
                panels.append(_matrix(rows, title=title))
            else:
                panels.append(_forest(rows, title=title, scores=scores, domain=domain))
    finding = f"Differences beyond chance: {sure} of {plural(tested, 'tested pair')}"
    return figure(
        panels,
        title=(
            f"{finding if tested else 'What templates and models change'} "
            f"({units(tables.scores)}): "
            f"{scored_counts(tables.scores)}"
        ),
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Mean of the first less that of the second, the better one first, in cells of the "
            "design that are alike in all else. Filled, and in a matrix with a star: p < 0.05 "
            "after Holm's correction for all pairs of all dimensions.",
            _panel_note(tables),
            interval_note(pd.concat(shown)),
        ],
    )


def _panel_note(tables: Tables) -> str:
    """Return whose scores are compared, where they are not of single judges."""
    rule = tables.panel
    return f"Of a text: the {rule} over its judges." if rule else ""


def _better_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs, the level with the higher mean first."""
    turned = table["difference"] < 0
    return table.assign(
        level=table["level"].mask(turned, table["other_level"]),
        other_level=table["other_level"].mask(turned, table["level"]),
        value=table["difference"].abs(),
        ci_low=table["ci_low"].mask(turned, -table["ci_high"]),
        ci_high=table["ci_high"].mask(turned, -table["ci_low"]),
        marked=table["p_holm"] < SIGNIFICANT,
    )


def _forest(
    rows: pd.DataFrame, *, title: str, scores: Scores, domain: tuple[float, float]
) -> Panel:
    significances = [
        "" if pd.isna(p) else ", p < 0.001" if p < 0.001 else f", p = {p:.2g}"
        for p in rows["p_holm"]
    ]
    return interval_panel(
        rows.assign(
            label=rows["level"] + " − " + rows["other_level"],
            text=[
                f"{plural(n, 'cell')}{p}" for n, p in zip(rows["cells"], significances, strict=True)
            ],
            note="share no cell that has a score",
        ),
        title=title,
        unit=f"difference ({scale_name(scores)}), 95 % interval for new combos",
        shown=_pairs(rows),
        domain=domain,
    )


def _matrix(rows: pd.DataFrame, *, title: str) -> Panel:
    """Return all pairs: the better level's row has the difference, and the other's its opposite."""
    names = {"level": "label", "other_level": "column", "cells": "n"}
    ahead = rows.rename(columns=names)[["label", "column", "value", "n", "marked"]]
    behind = ahead.rename(columns={"label": "column", "column": "label"})
    both = pd.concat([ahead, behind.assign(value=-behind["value"])])
    both["text"] = [
        f"{value:+.2f}{'*' if marked else ''}".replace("-", "−")
        for value, marked in zip(both["value"], both["marked"], strict=True)
    ]
    means = both.groupby("label")["value"].mean().sort_values(ascending=False, kind="stable")
    levels, cut = few(means.to_frame(), most=MAX_LEVELS)
    order = list(levels.index)
    widest = both["value"].abs().max()
    end = 1.0 if pd.isna(widest) or widest == 0 else float(widest)
    return matrix_panel(
        both[both["label"].isin(order) & both["column"].isin(order)],
        rows=order,
        columns=order,
        title=f"{title}{cut}: row less column",
        value="difference",
        counted="cells",
        scale=alt.Scale(range=DIVERGING, domain=[-end, 0, end], interpolate="rgb"),
    )


def _pairs(rows: pd.DataFrame) -> list[str]:
    """Return the two names of each row, each shortened for itself."""
    names = list(dict.fromkeys([*rows["level"], *rows["other_level"]]))
    short = dict(zip(names, elided(names, letters=24), strict=True))
    return list(rows["level"].map(short) + " − " + rows["other_level"].map(short))


def _domain(rows: pd.DataFrame) -> tuple[float, float]:
    """Return one axis for all panels, from a little below zero to what holds all intervals."""
    values = rows[["value", "ci_low", "ci_high"]]
    low, high = values.min().min(), values.max().max()
    if pd.isna(high) or high == low == 0:
        return -1.0, 1.0
    pad = 0.05 * (max(high, 0) - min(low, 0))
    return float(min(low, 0) - pad), float(max(high, 0) + pad)

"""Amounts by name, in parts of several colours: a bar each."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from daydream.figures.intervals import interval_ends
from daydream.figures.layout import (
    Panel,
    panel_title,
    row_texts,
    rows_axis,
    rows_height,
    tooltips,
)
from daydream.figures.theme import INK, PALETTE, WIDTH


def bars_panel(
    rows: pd.DataFrame,
    *,
    labels: Sequence[str],
    parts: Sequence[str],
    ends: Sequence[str],
    title: str,
    unit: str | None,
    longest: float,
    format: str,  # noqa: A002 - as altair calls it
    hints: Sequence[alt.Tooltip],
    legend: bool,
    intervals: pd.DataFrame | None = None,
) -> Panel:
    """Return a panel with a bar for each of `labels`, and `ends` at the ends of its rows.

    `rows` has a row per part of a bar: ``label``, ``part`` (one of `parts`, with their colours),
    ``size``; its other columns are for `hints`. The axis goes to `longest`. `intervals` has
    those of whole bars: ``label, ci_low, ci_high``, NaN for none.
    """
    y = rows_axis(labels)
    bars = (
        alt.Chart(rows.assign(order=rows["part"].map(list(parts).index)))
        .mark_bar(height={"band": 0.7})
        .encode(
            x=alt.X(
                "size:Q",
                title=unit,
                stack="zero",
                scale=alt.Scale(domain=[0, longest if longest > 0 else 1]),
                axis=alt.Axis(format=format, tickCount=5),
            ),
            y=y,
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=list(parts), range=PALETTE),
                legend=alt.Legend(title=None) if legend else None,
            ),
            order="order:Q",
            tooltip=list(hints),
        )
    )
    lines = [] if intervals is None else _lines(intervals, y=y, unit=unit)
    return alt.layer(bars, *lines, *row_texts(labels, ends=ends)).properties(
        width=WIDTH, height=rows_height(len(labels)), title=panel_title(title)
    )


def _lines(intervals: pd.DataFrame, *, y: alt.Y, unit: str | None) -> list[alt.Chart]:
    known = intervals[intervals["ci_low"].notna()]
    rows = known.assign(low=known["ci_low"], high=known["ci_high"])
    hints = tooltips(
        {"label": "of", "ci_low": "95 % from", "ci_high": "95 % to"}, ci_low=".1%", ci_high=".1%"
    )
    line = alt.Chart(rows).mark_rule(color=INK, strokeWidth=2)
    x = alt.X("low:Q", title=unit)
    return [
        line.encode(x=x, x2="high:Q", y=y, tooltip=hints),
        *interval_ends(rows, y=y, colour=INK, unit=unit, hints=hints),
    ]

"""Amounts by name, in parts of several colours: a bar each."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from daydream.figures.layout import Panel, panel_title, row_texts, rows_axis, rows_height
from daydream.figures.theme import PALETTE, WIDTH


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
) -> Panel:
    """Return a panel with a bar for each of `labels`, and `ends` at the ends of its rows.

    `rows` has a row per part of a bar: ``label``, ``part`` (one of `parts`, with their colours),
    ``size``; its other columns are for `hints`. The axis goes to `longest`.
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
    return alt.layer(bars, *row_texts(labels, ends=ends)).properties(
        width=WIDTH, height=rows_height(len(labels)), title=panel_title(title)
    )

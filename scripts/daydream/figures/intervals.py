"""Estimates with their intervals: a row each, the panel of a forest plot."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from daydream.analysis.jackknife import MIN_COMBOS
from daydream.figures.layout import (
    Panel,
    panel_title,
    row_texts,
    rows_axis,
    rows_height,
    tooltips,
)
from daydream.figures.theme import BLUE, FAINT, MUTED, WIDTH
from daydream.text import plural

COLUMNS = ["label", "value", "ci_low", "ci_high", "text", "note", "marked"]

FEW = f"fewer than {MIN_COMBOS} combos, or no variation between them"


def interval_panel(
    rows: pd.DataFrame,
    *,
    title: str,
    unit: str,
    domain: tuple[float, float] | None = None,
    references: Sequence[float] = (0.0,),
    shown: Sequence[str] | None = None,
) -> Panel:
    """Return a panel with a point and a line a row, and an arrow where a line leaves the panel.

    `rows` has the `COLUMNS`: `text` stands at the end of the row, `note` in place of a value that
    is NaN; a point that is not `marked` is hollow, and one without interval has no line. `shown`
    are the names of the rows, if they are not to be their labels.
    """
    known = rows[rows["value"].notna()]
    low, high = domain or bounds(known, references)
    bounded = known[known["ci_low"].notna() & known["ci_high"].notna()]
    bounded = bounded.assign(
        low=bounded["ci_low"].clip(low, high), high=bounded["ci_high"].clip(low, high)
    )
    x = alt.X(
        "value:Q",
        title=unit,
        scale=alt.Scale(domain=[low, high], nice=domain is None, zero=False),
        axis=alt.Axis(tickCount=7),
    )
    labels = list(rows["label"])
    y = rows_axis(labels)
    texts = row_texts(labels, shown=shown, ends=list(rows["text"]))
    hints = tooltips(
        {
            "label": "of",
            "value": "estimate",
            "ci_low": "95 % from",
            "ci_high": "95 % to",
            "text": "details",
        },
        value=".3~f",
        ci_low=".3~f",
        ci_high=".3~f",
    )
    marks = pd.DataFrame({"value": list(references)})
    lines = alt.Chart(marks).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x=x)
    bars = alt.Chart(bounded).mark_rule(color=BLUE, strokeWidth=2.5)
    points = alt.Chart(known[known["value"].between(low, high)]).mark_point(
        filled=False, size=70, strokeWidth=2, opacity=1
    )
    notes = alt.Chart(rows[rows["value"].isna()]).encode(x=alt.value(8), y=y, text="note:N")
    return alt.layer(
        lines,
        bars.encode(x=alt.X("low:Q", title=unit), x2="high:Q", y=y, tooltip=hints),
        *interval_ends(bounded, y=y, colour=BLUE, unit=unit, hints=hints),
        points.encode(
            x=x,
            y=y,
            stroke=alt.value(BLUE),
            fill=alt.condition("datum.marked", alt.value(BLUE), alt.value("white")),
            tooltip=hints,
        ),
        notes.mark_text(style="rim"),
        notes.mark_text(style="note"),
        *texts,
    ).properties(
        width=WIDTH,
        height=rows_height(len(rows)),
        title=panel_title(title),
        view=alt.ViewConfig(stroke=FAINT),
    )


def interval_ends(
    rows: pd.DataFrame, *, y: alt.Y, colour: str, unit: str | None, hints: list[alt.Tooltip]
) -> list[alt.Chart]:
    """Return layers with the ends of lines from ``low`` to ``high``.

    They are taller than the mark of the estimate, which would hide a short line. An end that is not
    that of the interval, as the panel ends before, is an arrow.
    """
    layers = []
    for end, arrow in (("low", "triangle-left"), ("high", "triangle-right")):
        whole = rows[end] == rows[f"ci_{end}"]
        x = alt.X(f"{end}:Q", title=unit)
        caps = alt.Chart(rows[whole]).mark_tick(
            orient="vertical", size=15, thickness=2, color=colour, opacity=1
        )
        arrows = alt.Chart(rows[~whole]).mark_point(
            shape=arrow, size=90, filled=True, color=colour, opacity=1
        )
        layers += [each.encode(x=x, y=y, tooltip=hints) for each in (caps, arrows)]
    return layers


def interval_note(rows: pd.DataFrame, *, reason: str = FEW) -> str:
    """Return why some estimates have no interval, if some have none."""
    known = rows[rows["value"].notna()]
    bare = int(known["ci_low"].isna().sum())
    if not bare:
        return ""
    return f"No interval for {bare} of {plural(len(known), 'estimate')}: {reason}."


def bounds(known: pd.DataFrame, references: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis that holds all values, intervals and references."""
    values = known[["value", "ci_low", "ci_high"]].to_numpy(dtype=float).ravel()
    found = [*references, *values[~np.isnan(values)]]
    low, high = min(found), max(found)
    pad = 0.04 * (high - low) or 1.0
    return low - pad, high + pad

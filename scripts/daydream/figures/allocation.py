"""How exactly the present design tells differences, and what a larger one would tell."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt
import pandas as pd

from daydream.figures.layout import (
    Panel,
    dimension_name,
    figure,
    message,
    of_stage,
    panel_title,
    prefix,
    scale_name,
    score_notes,
    tooltips,
    units,
)
from daydream.figures.tables import Tables
from daydream.figures.theme import BLUE, FAINT, PALE_BLUE, WIDTH


def allocation(tables: Tables) -> alt.VConcatChart:
    """Return a panel per scored stage and dimension: half widths by combos and texts."""
    panels: list[Panel] = []
    reached: list[str] = []
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        table = of_stage(tables.allocation, scores)
        if table.empty:
            panels.append(message(f"{start}no dimension has two levels on three combos or more."))
        for dimension, rows in table.groupby("dimension", sort=False):
            name = dimension_name(str(dimension))
            here = rows.loc[rows["at_hand"] == "yes", "half_width"]
            reached += [f"± {half:.2g} ({name})" for half in here]
            shown = _replicates_at_hand(rows)
            panels.append(_panel(shown, title=f"{start}{name}", unit=scale_name(scores)))
    return figure(
        panels,
        title=f"The present design: {_finding(reached)} ({units(tables.scores)})",
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Half of the expected 95 % interval of the difference of two levels, for new combos, "
            "from the variance components. Circle: the present design. Judges and replicates are "
            "the present ones.",
        ],
    )


def _finding(reached: list[str]) -> str:
    if not reached:
        return "no difference is told yet"
    if len(reached) == 1:
        return f"differences are known within {reached[0]}"
    halves = sorted(reached, key=lambda text: float(text.split()[1]))
    return f"differences are known within {halves[0]} to {halves[-1]}"


def _replicates_at_hand(rows: pd.DataFrame) -> pd.DataFrame:
    present = rows.loc[rows["at_hand"] == "yes", "replicates"]
    number = present.iloc[0] if len(present) else rows["replicates"].min()
    kept: pd.DataFrame = rows[rows["replicates"] == number]
    return kept


def _panel(rows: pd.DataFrame, *, title: str, unit: str) -> Panel:
    names = ["combos", "texts", "half_width", "detectable", "evaluations", "usd", "at_hand"]
    shown = rows[names].assign(
        line=[f"{texts:g} text{'s' if texts > 1 else ''}" for texts in rows["texts"]]
    )
    combos = sorted(shown["combos"].unique())
    x = alt.X(
        "combos:Q",
        title="combos",
        scale=alt.Scale(type="log", nice=False, padding=70),
        axis=alt.Axis(values=combos, format="~g", grid=True),
    )
    y = alt.Y(
        "half_width:Q",
        title=f"half width ({unit})",
        scale=alt.Scale(zero=True),
        axis=alt.Axis(grid=True),
    )
    hints = tooltips(
        {
            "combos": "combos",
            "texts": "texts per level and combo",
            "half_width": "half width",
            "detectable": "found four times in five",
            "evaluations": "evaluations of two levels",
            "usd": "USD for two levels",
        },
        half_width=".3~g",
        detectable=".3~g",
        usd=".3~g",
    )
    return alt.layer(*_layers(shown, x=x, y=y, hints=hints)).properties(
        width=WIDTH, height=200, title=panel_title(title), view=alt.ViewConfig(stroke=FAINT)
    )


def _layers(
    shown: pd.DataFrame, *, x: alt.X, y: alt.Y, hints: list[alt.Tooltip]
) -> Iterator[alt.Chart]:
    base = alt.Chart(shown)
    yield base.mark_line(color=PALE_BLUE, strokeWidth=1.5).encode(x=x, y=y, detail="line:N")
    yield base.mark_point(filled=True, size=30, opacity=1, color=BLUE).encode(
        x=x, y=y, tooltip=hints
    )
    # Where the lines are furthest apart.
    first = alt.Chart(shown[shown["combos"] == shown["combos"].min()])
    yield first.mark_text(style="note", align="right", dx=-14).encode(x=x, y=y, text="line:N")
    present = alt.Chart(shown[shown["at_hand"] == "yes"])
    yield present.mark_point(size=220, color=BLUE, strokeWidth=2, opacity=1).encode(
        x=x, y=y, tooltip=hints
    )

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
from daydream.text import plural

# Of a panel, and of a line of text in it; how much higher than the highest mark it is.
HEIGHT, LINE, ROOM = 200, 14, 1.1


def allocation(tables: Tables) -> alt.VConcatChart:
    """Return a panel per scored stage and dimension: half widths by combos and texts."""
    panels: list[Panel] = []
    reached: list[str] = []
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        table = of_stage(tables.allocation, scores)
        if table.empty:
            panels.append(
                message(f"{start}no dimension has two levels that share cells on three combos.")
            )
        for dimension, rows in table.groupby("dimension", sort=False):
            name = dimension_name(str(dimension))
            here = rows.loc[rows["at_hand"] == "yes", "half_width"]
            reached += [f"± {half:.2g} ({name})" for half in here]
            shown = _replicates_at_hand(rows)
            panels.append(_panel(shown, title=f"{start}{name}", unit=scale_name(scores)))
    return figure(
        panels,
        title=f"{_finding(reached)} ({units(tables.scores)})",
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Half of the expected 95 % interval of the difference of two levels, for new combos, "
            "from the variance components, each text taken to vary on its own. Circle: the present "
            "design, as far as levels share cells. Judges and replicates are the present ones.",
            _panel_note(tables),
        ],
    )


def _finding(reached: list[str]) -> str:
    if not reached:
        return "The present design tells no difference yet"
    halves = sorted(reached, key=lambda text: float(text.split()[1]))
    span = halves[0] if len(halves) == 1 else f"{halves[0]} to {halves[-1]}"
    return f"To expect of the present design: differences within {span}"


def _panel_note(tables: Tables) -> str:
    """Return whose scores these are, where those of a text are not."""
    rule = tables.panel
    return f"Of means over single judges: nothing here is of the panel's {rule}." if rule else ""


def _replicates_at_hand(rows: pd.DataFrame) -> pd.DataFrame:
    present = rows.loc[rows["at_hand"] == "yes", "replicates"]
    number = present.iloc[0] if len(present) else rows["replicates"].min()
    kept: pd.DataFrame = rows[rows["replicates"] == number]
    return kept


def _panel(rows: pd.DataFrame, *, title: str, unit: str) -> Panel:
    names = ["combos", "texts", "half_width", "detectable", "evaluations", "usd", "at_hand"]
    shown = rows[names].assign(line=[plural(texts, "text") for texts in rows["texts"]])
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
        scale=alt.Scale(domain=[0, ROOM * shown["half_width"].max()], nice=False),
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
        width=WIDTH, height=HEIGHT, title=panel_title(title), view=alt.ViewConfig(stroke=FAINT)
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
    first = shown[shown["combos"] == shown["combos"].min()].sort_values("half_width")
    names = alt.Chart(first.assign(place=_apart(list(first["half_width"]))))
    yield names.mark_text(style="note", align="right", dx=-14).encode(
        x=x, y=alt.Y("place:Q"), text="line:N"
    )
    present = shown[shown["at_hand"] == "yes"]
    # Vega warns of layers without a mark.
    if not present.empty:
        yield (
            alt.Chart(present)
            .mark_point(size=220, color=BLUE, strokeWidth=2, opacity=1)
            .encode(x=x, y=y, tooltip=hints)
        )


def _apart(values: list[float]) -> list[float]:
    """Return where to write of rising values: at each, or as near as lines of text allow."""
    top = ROOM * values[-1]
    line = top * LINE / HEIGHT
    places: list[float] = []
    for value in values:
        places.append(max(value, places[-1] + line) if places else value)
    below = range(len(places) - 1, -1, -1)
    return [min(place, top - line * lines) for place, lines in zip(places, below, strict=True)]

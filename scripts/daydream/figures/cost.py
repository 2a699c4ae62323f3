"""What a text of each recipe costs, and how good it is."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.figures.layout import (
    Panel,
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
from daydream.figures.leaderboard import recipe_labels
from daydream.figures.tables import Tables
from daydream.figures.theme import BLUE, FAINT, WIDTH
from daydream.text import plural

LIKELY = 0.5
# Costs that differ by more than this factor crowd on an axis from zero.
WIDE = 10


def cost_quality(tables: Tables) -> alt.VConcatChart:
    """Return a panel per scored stage: a point per recipe, by cost and shrunk mean."""
    panels: list[Panel] = []
    front = recipes = 0
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        table = of_stage(tables.leaderboard, scores)
        rows = table[table["usd_per_text"].notna() & table["shrunk_mean"].notna()]
        if table["group"].nunique() > 1:
            panels.append(message(f"{start}the recipes are in groups that cannot be compared."))
        elif rows.empty:
            panels.append(message(f"{start}no recipe has both a known cost and a shrunk mean."))
        else:
            rows = rows.assign(label=recipe_labels(scores, rows))
            front += int(on_front(rows).sum())
            recipes += len(rows)
            panels.append(_panel(rows, title=f"{start}recipes", unit=scale_name(scores)))
    finding = f"The best for their cost: {front} of {plural(recipes, 'recipe')}"
    return figure(
        panels,
        title=f"{finding if recipes else 'Cost and quality'} ({units(tables.scores)})",
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Named: no recipe that costs at most as much has a higher shrunk mean. Filled: this is "
            "also more likely than not. The cost of a text includes its draft, but no judgement.",
        ],
    )


def on_front(rows: pd.DataFrame) -> pd.Series[bool]:
    """Tell of each row whether no row that costs at most as much has a higher shrunk mean."""
    best = [
        rows.loc[rows["usd_per_text"] <= usd, "shrunk_mean"].max() for usd in rows["usd_per_text"]
    ]
    return rows["shrunk_mean"] >= pd.Series(best, index=rows.index)


def _scale(costs: pd.Series[float]) -> alt.Scale:
    """Return a scale from zero, or one of ratios where most costs would be in a tenth of it."""
    lowest, highest = float(costs.min()), float(costs.max())
    if 0 < WIDE * lowest < highest:
        return alt.Scale(type="log", nice=False, padding=20)
    return alt.Scale(zero=True)


def _panel(rows: pd.DataFrame, *, title: str, unit: str) -> Panel:
    # The last are drawn on top: filled ones.
    shown = rows[["label", "usd_per_text", "shrunk_mean", "p_front"]].sort_values(
        "p_front", key=lambda likely: likely >= LIKELY, kind="stable"
    )
    x = alt.X("usd_per_text:Q", title="USD per text", scale=_scale(rows["usd_per_text"]))
    y = alt.Y("shrunk_mean:Q", title=f"shrunk mean ({unit})", scale=alt.Scale(zero=False))
    hints = tooltips(
        {
            "label": "recipe",
            "usd_per_text": "USD per text",
            "shrunk_mean": "shrunk mean",
            "p_front": "best for its cost",
        },
        usd_per_text=".4~g",
        shrunk_mean=".3~f",
        p_front=".0%",
    )
    points = (
        alt.Chart(shown)
        .mark_point(filled=False, size=70, strokeWidth=2, opacity=1)
        .encode(
            x=x,
            y=y,
            stroke=alt.value(BLUE),
            fill=alt.condition(f"datum.p_front >= {LIKELY}", alt.value(BLUE), alt.value("white")),
            tooltip=hints,
        )
    )
    layers: list[alt.Chart] = [points]
    best = alt.Chart(shown[on_front(shown)])
    names = best.mark_text(style="note", align="left", dx=8, dy=-6)
    layers.append(names.encode(x=x, y=y, text="label:N"))
    return alt.layer(*layers).properties(
        width=WIDTH,
        height=260,
        title=panel_title(title),
        view=alt.ViewConfig(stroke=FAINT),
    )

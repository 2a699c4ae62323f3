"""The recipes, the best first: a forest plot with ranks."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.analysis.scores import Scores
from daydream.figures.intervals import interval_note, interval_panel
from daydream.figures.layout import (
    Panel,
    elided,
    figure,
    message,
    of_stage,
    prefix,
    scale_name,
    score_notes,
    units,
)
from daydream.figures.tables import Tables
from daydream.text import chance, plural

MAX_RECIPES = 40
# What a recipe's score is, by the rule of the panel of judges.
PANELS = {
    "adjusted": "adjusted mean",
    "mean": "mean over judges",
    "median": "median over judges",
}


def leaderboard(tables: Tables) -> alt.VConcatChart:
    """Return a panel per scored stage and group of recipes that can be compared."""
    panels: list[Panel] = []
    shown = [pd.DataFrame(columns=["value", "ci_low"])]
    finding = ""
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        table = of_stage(tables.leaderboard, scores)
        ranked = table[table["panel_score"].notna()]
        if ranked.empty:
            panels.append(message(f"{start}no evaluation has a score yet."))
            continue
        groups = ranked["group"].nunique()
        for group in sorted(ranked["group"].unique()):
            rows = ranked[ranked["group"] == group]
            part = _described(scores, rows.head(MAX_RECIPES))
            shown.append(part)
            finding = finding or _finding(rows, part, groups)
            panels.append(
                interval_panel(
                    part,
                    title=start + _title(rows, groups, int(group)),
                    unit=_unit(scores, str(rows["panel"].iloc[0])),
                    references=(),
                    shown=elided(list(part["label"]), letters=48),
                )
            )
    return figure(
        panels,
        title=f"{finding or 'Recipes by score'} ({units(tables.scores)})",
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Filled: may be the best (its 95 % interval of ranks includes 1). Best: the "
            "probability that the recipe is the best one on new combos.",
            interval_note(pd.concat(shown)),
        ],
    )


def _unit(scores: Scores, rule: str) -> str:
    return f"{PANELS[rule]} ({scale_name(scores)}), 95 % interval for new combos"


def _title(rows: pd.DataFrame, groups: int, group: int) -> str:
    more = f", the best {MAX_RECIPES} of {len(rows)}" if len(rows) > MAX_RECIPES else ""
    if groups == 1:
        return f"recipes{more}"
    return f"group {group} of {groups}, which share no judges or no combos{more}"


def _finding(rows: pd.DataFrame, part: pd.DataFrame, groups: int) -> str:
    """Return what the figure says, in words."""
    if groups > 1:
        return f"Recipes in {groups} groups that cannot be compared with each other"
    if len(rows) == 1:
        return "There is one recipe, and none to compare it with"
    known = rows["rank_low"].notna()
    if not known.any():
        return "Recipes by score; how sure their order is cannot be said"
    best = int((rows["rank_low"] == 1).sum())
    if best == 1:
        return f"The best recipe is {part['label'].iloc[0]}"
    return f"{best} of {plural(len(rows), 'recipe')} may each be the best"


def recipe_labels(scores: Scores, rows: pd.DataFrame) -> list[str]:
    """Return a name for each row's recipe: what differs between recipes, all of one alone."""
    varying = [name for name in scores.recipe if rows[name].nunique() > 1] or scores.recipe
    return [" · ".join(cells) for cells in rows[varying].itertuples(index=False, name=None)]


def _described(scores: Scores, rows: pd.DataFrame) -> pd.DataFrame:
    texts = [
        plural(texts, "text") if pd.isna(low) else f"rank {low:.0f}–{high:.0f}, best {chance(p)}"
        for texts, low, high, p in zip(
            rows["parents"], rows["rank_low"], rows["rank_high"], rows["p_best"], strict=True
        )
    ]
    return rows.assign(
        label=recipe_labels(scores, rows),
        value=rows["panel_score"],
        text=texts,
        note="",
        marked=rows["rank_low"] == 1,
    )

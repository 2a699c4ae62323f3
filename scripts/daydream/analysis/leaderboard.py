"""The recipes, the best first.

A recipe is what made a text: the templates, models and further dimensions of its stages, without
combo and replicate.
"""

from __future__ import annotations

import pandas as pd

from daydream.analysis.adjusted import RecipeFit, fit_recipes, texts_of
from daydream.analysis.jackknife import Interval
from daydream.analysis.panels import panel_of
from daydream.analysis.ranking import COLUMNS as STANDINGS
from daydream.analysis.ranking import standings
from daydream.analysis.recipes import recipe_names
from daydream.analysis.scores import Scores, cells
from daydream.analysis.strata import mean_within
from daydream.analysis.summary import ranks

COLUMNS = [
    *("parents", "combos", "roots", "judges", "evaluations", "scored", "coverage"),
    *("mean", "panel_score", "ci_low", "ci_high", "these_low", "these_high"),
    *STANDINGS,
    "usd_per_text",
]


def leaderboard(scores: Scores) -> pd.DataFrame:
    """Return a row per recipe and `group`, the best of each group first.

    `rank` goes by `panel_score`, the recipe's mean by the panel's rule (`panels`, `adjusted`); the
    interval is for new combos. Recipes of
    different groups cannot be compared; one whose texts are in several groups has a row in each.
    """
    found = cells(scores)
    panel = panel_of(found, scores.panel)
    recipes = recipe_names(scores)
    texts = texts_of(found, panel, recipes)
    texts["usd"] = found.groupby("parent")["usd"].first()
    rows = _grouped(scores, recipes, texts)
    parts = []
    for group, part in texts.groupby("group"):
        fit = fit_recipes(part, found[found["parent"].isin(part.index)], panel)
        parts.append(_group(scores, fit, part).assign(group=group))
    table = rows
    if parts:
        table = rows.merge(pd.concat(parts), on=["recipe", "group"], how="left")
    for name in COLUMNS:
        if name not in table:
            table[name] = float("nan")
    table[["parents", "combos", "roots"]] = table[["parents", "combos", "roots"]].fillna(0)
    table.insert(0, "rank", table.groupby("group")["panel_score"].transform(ranks))
    table = table.sort_values(["group", "rank"], kind="stable")
    table = table[["group", "rank", *scores.recipe, *COLUMNS]]
    return table.assign(panel=scores.panel, score_min=scores.low, score_max=scores.high)


def _grouped(scores: Scores, recipes: pd.Series[str], texts: pd.DataFrame) -> pd.DataFrame:
    """Return a row per recipe and group, with what the design asks for and what has a score.

    A text without any score counts in the first group of its recipe, or in none.
    """
    rows = scores.rows.assign(recipe=scores.rows["parent"].map(recipes))
    first = texts.groupby("recipe")["group"].min()
    group = rows["parent"].map(texts["group"]).fillna(rows["recipe"].map(first))
    rows = rows.assign(group=group.astype(float))
    by_recipe = rows.groupby(["recipe", "group"], sort=False, dropna=False)
    table = by_recipe.agg(
        evaluations=("gen_id", "size"),
        scored=("value", "count"),
        **{name: (name, "first") for name in scores.recipe},
    )
    judged = rows[rows["value"].notna()].groupby(["recipe", "group"])["judge"].nunique()
    table["judges"] = judged.reindex(table.index).fillna(0)
    table["coverage"] = table["scored"] / table["evaluations"]
    return table.reset_index()


def _group(scores: Scores, fit: RecipeFit, texts: pd.DataFrame) -> pd.DataFrame:
    """Return what a group's fit says of each of its recipes."""
    # Of a text whose cost is not known, there is no mean.
    usd = texts.groupby("recipe")["usd"].agg(lambda costs: costs.mean(skipna=False))
    ranked = standings(fit, usd).assign(usd_per_text=usd.reindex(fit.recipes))
    records = []
    for recipe, estimate in zip(fit.recipes, fit.means, strict=True):
        made = texts[texts["recipe"] == recipe]
        low, high = min(scores.low, estimate.value), max(scores.high, estimate.value)
        interval = estimate.interval(bounds=Interval(low, high))
        these = mean_within(made["combo_id"], made["root"], made["score"])
        # The chance is that of the texts' mean, the centre that of the recipe's.
        here = these._replace(value=estimate.value).interval(bounds=Interval(low, high))
        records.append(
            {
                "recipe": recipe,
                "parents": len(made),
                "combos": made["combo_id"].nunique(),
                "roots": made["root"].nunique(),
                "mean": made["mean"].mean(),
                "panel_score": estimate.value,
                "ci_low": interval.low,
                "ci_high": interval.high,
                "these_low": here.low,
                "these_high": here.high,
            }
        )
    return pd.DataFrame(records).merge(ranked, left_on="recipe", right_index=True)

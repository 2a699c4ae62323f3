"""How much the ranking of the recipes hangs on a single judge."""

from __future__ import annotations

import pandas as pd
from scipy import stats

from daydream.analysis.adjusted import fit_recipes, texts_of
from daydream.analysis.panels import panel_of
from daydream.analysis.recipes import recipe_names
from daydream.analysis.scores import Scores


def rankings_without(scores: Scores, found: pd.DataFrame) -> dict[str, float]:
    """Return, by judge, Kendall's tau of the recipes' means with and without it.

    1: the same ranking. `found` are the `cells`. NaN for fewer than three recipes, and if the
    judges or recipes are in several groups.
    """
    everyone = _means(scores, found)
    return {
        judge: _tau(everyone, _means(scores, found[found["judge"] != judge]))
        for judge in scores.judges
    }


def _tau(everyone: pd.Series[float], others: pd.Series[float]) -> float:
    both = pd.concat([everyone, others], axis=1).dropna()
    if len(both) < 3:
        return float("nan")
    # As ranks are: equal means differ in their last digits, by the sums that they come from.
    ranked = both.round(9)
    return float(stats.kendalltau(ranked.iloc[:, 0], ranked.iloc[:, 1]).statistic)


def _means(scores: Scores, found: pd.DataFrame) -> pd.Series[float]:
    """Return the mean of each recipe; nothing if they cannot all be compared."""
    if found.empty:
        return pd.Series(dtype=float)
    panel = panel_of(found, scores.panel)
    texts = texts_of(found, panel, recipe_names(scores))
    if texts["group"].nunique() > 1:
        return pd.Series(dtype=float)
    fit = fit_recipes(texts, found, panel)
    return pd.Series([mean.value for mean in fit.means], index=fit.recipes)

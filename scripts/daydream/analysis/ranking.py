"""Which recipe is best, and how sure that is: shrunk means, ranks with intervals, P(best).

The highest of many means is too high: it is first also because it was lucky. Shrinking each mean
towards that of all recipes, by as much as chance explains their differences, removes this (Efron
and Morris, Data Analysis Using Stein's Estimator and its Generalizations, Journal of the American
Statistical Association 70, 1975). The uncertainty that remains says how often each recipe would be
the best, and between which ranks it lies (Goldstein and Spiegelhalter, League Tables and Their
Limitations, Journal of the Royal Statistical Society A 159, 1996).

Recipes differ within combos, so what makes a combo easy or hard for all of them does not count.
Chance is how their differences vary from combo to combo. How much recipes differ at all is itself
uncertain: the posterior averages over it, with a flat prior on that standard deviation (Gelman,
Prior Distributions for Variance Parameters, Bayesian Analysis 1, 2006), and over the uncertainty of
the chance variance.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from daydream.analysis.adjusted import RecipeFit
from daydream.analysis.jackknife import LEVEL, NEGLIGIBLE, Array

SEED = 1
DRAWS = 10_000
SPREADS = 60
NOISES = 20
COLUMNS = ("shrunk_mean", "rank_low", "rank_high", "p_best", "p_front")


def standings(fit: RecipeFit, usd: pd.Series[float]) -> pd.DataFrame:
    """Return the columns `COLUMNS` for each recipe of a group, by recipe.

    `usd` is the cost of a text, by recipe. `p_front` is the probability that no recipe which costs
    at most as much is better (the Pareto front of cost and quality); NaN without a cost.
    All are NaN if nothing tells the recipes' differences from chance: there are fewer than two
    recipes, too few combos have several of them, a recipe shares none with another, or the
    differences are the same in all combos. Recipes are taken to vary alike from combo to combo.
    """
    table = pd.DataFrame(np.nan, index=fit.recipes, columns=list(COLUMNS))
    present = ~np.isnan(fit.values)
    combos = _compared(present)
    df = int(present.sum()) - len(fit.combos) - len(fit.recipes) + 1
    if len(fit.recipes) < 2 or df < 1 or not combos.all():
        return table
    residual = fit.values - fit.effects
    residual = residual - np.nanmean(residual, axis=1, keepdims=True)
    noise = float(np.nansum(residual**2)) / df
    level = float(np.mean([mean.value for mean in fit.means]))
    effects = np.array([mean.value for mean in fit.means]) - level
    if noise <= (NEGLIGIBLE * max(float(np.nanmax(np.abs(fit.values))), 1.0)) ** 2:
        return table
    draws = _draws(effects, noise / combos, df)
    ranks = 1 + (-draws).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    table["shrunk_mean"] = level + draws.mean(axis=0)
    tail = (1 - LEVEL) / 2
    table["rank_low"] = np.quantile(ranks, tail, axis=0, method="inverted_cdf")
    table["rank_high"] = np.quantile(ranks, 1 - tail, axis=0, method="inverted_cdf")
    table["p_best"] = (ranks == 1).mean(axis=0)
    table["p_front"] = _on_front(draws, usd.reindex(fit.recipes).to_numpy(dtype=float))
    return table


def _compared(present: Array) -> Array:
    """Return in how many combos each recipe is compared with the others, by recipe.

    A combo counts by the share of its recipes that are others, so that it is one where all recipes
    are, and nothing where one is alone: there its difficulty and the recipe's are the same. It is
    the diagonal of the information matrix of a block design (John and Williams, Cyclic and
    Computer Generated Designs, 1995, ch. 1).
    """
    recipes = present.shape[1]
    others = 1 - 1 / np.maximum(present.sum(axis=1, keepdims=True), 1)
    found: Array = (present * others).sum(axis=0) * recipes / max(recipes - 1, 1)
    return found


def _on_front(draws: Array, usd: Array) -> Array:
    """Return how often each recipe is better than all that cost at most as much."""
    found: Array = np.full(len(usd), np.nan)
    for recipe in np.flatnonzero(~np.isnan(usd)):
        # A mean of equal costs may differ in its last digit.
        rivals = usd <= usd[recipe] * (1 + NEGLIGIBLE)
        found[recipe] = (draws[:, rivals].max(axis=1) <= draws[:, recipe]).mean()
    return found


def _draws(effects: Array, variance: Array, df: int) -> Array:
    """Return draws from the posterior of the recipes' effects: a row per draw."""
    rng = np.random.default_rng(SEED)
    quantiles = (np.arange(NOISES) + 0.5) / NOISES
    noises = df / stats.chi2.ppf(1 - quantiles, df)
    widest = 3 * (float(np.ptp(effects)) + float(np.sqrt(variance.max())))
    # Without zero, at which all recipes would be tied.
    spreads = widest * (np.arange(SPREADS) + 0.5) / SPREADS
    total = spreads[:, None, None] ** 2 + noises[None, :, None] * variance
    precision = (1 / total).sum(axis=2)
    centre = (effects / total).sum(axis=2) / precision
    fit = np.log(total).sum(axis=2) + ((effects - centre[:, :, None]) ** 2 / total).sum(axis=2)
    log_weight = -0.5 * (fit + np.log(precision))
    weight = np.exp(log_weight - log_weight.max()).ravel()
    drawn = rng.choice(weight.size, size=DRAWS, p=weight / weight.sum())
    spread, noise = np.unravel_index(drawn, log_weight.shape)
    own = noises[noise][:, None] * variance
    share = spreads[spread][:, None] ** 2 / (spreads[spread][:, None] ** 2 + own)
    middle = rng.normal(centre[spread, noise], 1 / np.sqrt(precision[spread, noise]))[:, None]
    mean = share * effects + (1 - share) * middle
    found: Array = mean + np.sqrt(share * own) * rng.standard_normal(mean.shape)
    return found

"""Recipes compared as if all had met the same judges and combos.

A recipe that only lenient judges or only easy combos met has a high mean for no merit of its own.
So each text has the score of the panel, by default the mean over its judges, each less its bias
(`panels`). A cell is the mean of a recipe's texts of one combo, and the recipes' means come from
the additive model cell = recipe + combo by least squares: the mean that the recipe would have if it
had met all combos of its group. Where each recipe has met all combos, this is the mean over combos.

The jackknife leaves out one combo at a time and repeats all of it, the judges' biases included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daydream.analysis.groups import connected
from daydream.analysis.jackknife import Array, Estimate, estimated
from daydream.analysis.judges import JudgeEffects
from daydream.analysis.panels import Panel

# So small that no digit of a table shows it; without it a recipe of a single combo, which is left
# out, would make the equations singular.
RIDGE = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipeFit:
    """The additive model of one group: recipes and combos by name, and what they were fitted to.

    `values` has a row per combo and a column per recipe, NaN where there is no text; `effects` are
    those of the recipes, `means` their means.
    """

    recipes: pd.Index[str]
    combos: pd.Index[str]
    values: Array
    effects: Array
    means: list[Estimate]


def texts_of(found: pd.DataFrame, panel: Panel, recipe: pd.Series[str]) -> pd.DataFrame:
    """Return a row per text that has a score, by parent.

    `found` are the `cells`, `recipe` the recipe's name by parent. Columns: ``combo_id, root,
    recipe``; ``mean``, over the judges; ``score``, by the panel's rule, and ``plain``, the same
    before biases are taken off; ``judges``, their number; ``island``, the group of its judges;
    ``group``, that of its recipe: recipes of one group share judges and combos, directly or through
    others.
    """
    rows = found.assign(island=found["judge"].map(panel.effects.group))
    texts = rows.groupby("parent", sort=False).agg(
        combo_id=("combo_id", "first"),
        root=("root", "first"),
        mean=("value", "mean"),
        judges=("judge", "size"),
        island=("island", "first"),
    )
    texts["plain"], texts["score"] = panel.plain(found), panel.scores(found)
    texts["recipe"] = recipe.reindex(texts.index)
    island = texts["island"].astype(str)
    texts["group"] = connected(island + "\n" + texts["recipe"], island + "\n" + texts["combo_id"])
    return texts


def fit_recipes(texts: pd.DataFrame, found: pd.DataFrame, panel: Panel) -> RecipeFit:
    """Return the fit of the recipes of one group: `texts` are those of that group."""
    judges = panel.judges
    shares = _shares(found, judges).reindex(texts.index).to_numpy()
    combo, combos = pd.factorize(texts["combo_id"])
    name, recipes = pd.factorize(texts["recipe"])
    shape = len(combos), len(recipes)
    cell = combo * shape[1] + name
    size = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    present = size > 0

    def averaged(column: Array) -> Array:
        total = np.bincount(cell, weights=column, minlength=size.size).reshape(shape)
        return np.divide(total, size, out=np.zeros(shape), where=present)

    value = averaged(texts["plain"].to_numpy(dtype=float))
    share = np.stack([averaged(column) for column in shares.T], axis=2)
    bias = judges.bias.fillna(0.0).to_numpy()
    without = judges.without[judges.combos.get_indexer(combos)]
    model = _Additive.of(present, value, share)
    effects, means = model.solved(bias, np.zeros(shape[0]))
    left_out = np.empty((0, shape[1]))
    if shape[0] > 1:
        each = zip(without, np.eye(shape[0]), strict=True)
        left_out = np.stack([model.solved(own_bias, dropped)[1] for own_bias, dropped in each])
    return RecipeFit(
        recipes=pd.Index(recipes),
        combos=pd.Index(combos),
        values=np.where(present, value - share @ bias, np.nan),
        effects=effects,
        means=[
            _estimate(mean, replicates, met)
            for mean, replicates, met in zip(
                means.tolist(), left_out.T, present.sum(axis=0).tolist(), strict=True
            )
        ],
    )


def _shares(found: pd.DataFrame, judges: JudgeEffects) -> pd.DataFrame:
    """Return the share of each judge in each parent's mean."""
    judged = pd.crosstab(found["parent"], found["judge"])
    judged = judged.reindex(columns=judges.bias.index, fill_value=0)
    return judged.div(judged.sum(axis=1), axis=0)


def _estimate(mean: float, without: Array, combos: int) -> Estimate:
    """Return a recipe's mean; only the `combos` that it has met tell how far it may be off."""
    if combos < 2:
        return Estimate(mean, 0.0, combos - 1)
    error = np.sqrt((combos - 1) / combos * ((without - mean) ** 2).sum())
    return estimated(mean, float(error), combos - 1, of=without)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Additive:
    """The normal equations of cell = recipe + combo, with combos absorbed, combo by combo.

    What depends on the judges' biases is kept apart (`share_…`), so that any biases can be put in.
    """

    present: Array
    value_products: Array
    share_products: Array
    value_level: Array
    share_level: Array

    @classmethod
    def of(cls, present: NDArray[np.bool_], value: Array, share: Array) -> _Additive:
        weight = present.astype(float)
        count = weight.sum(axis=1)
        value_level = value.sum(axis=1) / count
        share_level = share.sum(axis=1) / count[:, None]
        return cls(
            present=weight,
            value_products=weight * (value - value_level[:, None]),
            share_products=weight[:, :, None] * (share - share_level[:, None, :]),
            value_level=value_level,
            share_level=share_level,
        )

    def solved(self, bias: Array, dropped: Array) -> tuple[Array, Array]:
        """Return the recipes' effects and means without the combos `dropped` (1: yes)."""
        kept = dropped == 0
        weight = self.present[kept]
        count = weight.sum(axis=1)
        squares = np.diag(weight.sum(axis=0)) - (weight / count[:, None]).T @ weight
        recipes = len(squares)
        squares += (np.ones_like(squares) / recipes + RIDGE * np.eye(recipes)) * len(weight)
        products = (self.value_products[kept] - self.share_products[kept] @ bias).sum(axis=0)
        effects = np.linalg.solve(squares, products)
        level = self.value_level[kept] - self.share_level[kept] @ bias
        combo = level - (weight @ effects) / count
        return effects, effects + combo.mean()

"""Recipes: what made a text, without combo and replicate."""

from __future__ import annotations

import pandas as pd

from daydream.analysis.scores import Scores


def recipe_names(scores: Scores) -> pd.Series[str]:
    """Return the name of each parent's recipe, by parent."""
    made = scores.rows.drop_duplicates("parent").set_index("parent")
    name = pd.Series("", index=made.index, dtype=str)
    for dimension in scores.recipe:
        name = name + "\n" + made[dimension].astype(str)
    return name

"""Pairs of texts that people have compared: how often each recipe wins."""

from __future__ import annotations

import pandas as pd

from daydream.analysis.humans import of_stage
from daydream.analysis.jackknife import Interval, mean_of
from daydream.analysis.recipes import recipe_names
from daydream.analysis.scores import Scores

VALUES = [
    *("pairs", "wins", "ties", "losses", "win_share", "ci_low", "ci_high"),
    *("combos", "raters", "others"),
]
_WON = {"a": 1.0, "tie": 0.5, "b": 0.0}


def win_shares(scores: Scores, *, ratings: pd.DataFrame) -> pd.DataFrame:
    """Return a row per template by which pairs were compared, and recipe, the best first.

    `win_share` is the mean over its pairs of 1 for a win, a half for a tie, 0 for a loss. Pairs of
    one recipe are left out. Both texts of a pair are of one combo (`cohorts.rated`), which is the
    cluster of the jackknife.
    """
    pairs = of_stage(ratings, scores, "pair")
    recipe = recipe_names(scores)
    first = pd.DataFrame(
        {
            "template": pairs["template"],
            "recipe": pairs["gen_id"].map(recipe),
            "other": pairs["other_gen_id"].map(recipe),
            "combo_id": pairs["combo_id"],
            "rater": pairs["rater"],
            "won": pairs["choice"].map(_WON),
        }
    )
    turned = first.rename(columns={"recipe": "other", "other": "recipe"})
    sides = pd.concat([first, turned.assign(won=1 - turned["won"])], ignore_index=True)
    sides = sides[sides["recipe"].notna() & sides["other"].notna()]
    sides = sides[sides["recipe"] != sides["other"]]
    made = scores.rows.drop_duplicates("parent").set_index("parent")[scores.recipe]
    levels = made.assign(recipe=recipe.reindex(made.index)).drop_duplicates("recipe")
    levels = levels.set_index("recipe")
    records = []
    for (template, name), rows in sides.groupby(["template", "recipe"], sort=False):
        estimate = mean_of(rows["combo_id"], rows["won"])
        interval = estimate.interval(bounds=Interval(0.0, 1.0))
        records.append(
            {
                "template": template,
                **levels.loc[str(name)].to_dict(),
                "pairs": len(rows),
                "wins": int((rows["won"] == 1).sum()),
                "ties": int((rows["won"] == 0.5).sum()),
                "losses": int((rows["won"] == 0).sum()),
                "win_share": estimate.value,
                "ci_low": interval.low,
                "ci_high": interval.high,
                "combos": rows["combo_id"].nunique(),
                "raters": rows["rater"].nunique(),
                "others": rows["other"].nunique(),
            }
        )
    table = pd.DataFrame(records, columns=["template", *scores.recipe, *VALUES])
    return table.sort_values(["template", "win_share"], ascending=[True, False], kind="stable")

"""Means that people would give: the judges' scores of all texts, corrected by a rated sample.

Prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, Prediction-Powered
Inference, Science 382, 2023) with power tuning (Angelopoulos, Duchi and Zrnic, PPI++: Efficient
Prediction-Powered Inference, arXiv 2311.01453, 2023, example 6.1). Of the texts of a cell, n are
rated, N are not; Y is what people say of a rated text, F what the judges say of any text. Then

    mean = mean of Y + lambda · (mean of F where not rated − mean of F where rated)
    lambda = cov(Y, F) / ((1 + n/N) var(F)), between 0 and 1

lambda is 0, and the mean that of the ratings alone, if the judges say nothing of what people say.
It is valid whatever the judges are, if the rated texts are a random sample of those of each recipe.

The paper's intervals take texts as independent. Here combos are what was sampled, so the jackknife
leaves out one combo at a time, with its rated and its other texts, and tunes lambda again. Most of
the error comes from the rated texts: degrees of freedom are those of the combos that have any.

Where a cell has texts of several recipes, of which other shares were rated, a rated text stands for
all texts of its recipe: it counts with their number by the number of those rated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from daydream.analysis.humans import human_cells
from daydream.analysis.jackknife import Array, Estimate, Interval, jackknife
from daydream.analysis.panels import panel_of
from daydream.analysis.recipes import recipe_names
from daydream.analysis.scores import Scores, cells

RECIPE = "recipe"
VALUES = [
    *("texts", "rated", "combos", "raters", "judges", "judge_mean", "human_mean"),
    *("human_low", "human_high", "calibrated_mean", "ci_low", "ci_high", "lambda"),
    *("score_min", "score_max"),
]


class Calibration(NamedTuple):
    """The calibrated mean of some texts, the mean of the ratings alone, and the tuned lambda."""

    calibrated: Estimate
    human: Estimate
    tuned: float


def calibration(texts: pd.DataFrame) -> Calibration:
    """Return the calibrated mean of texts, with its error for new combos.

    Columns: ``combo_id``; ``predicted``, the judges' score; ``human``, NaN where it is not rated;
    ``weight`` of a rated text.
    """
    is_rated = texts["human"].notna().to_numpy()
    weight = np.where(is_rated, texts["weight"].to_numpy(dtype=float), 0.0)
    human = texts["human"].fillna(0.0).to_numpy(dtype=float)
    predicted = texts["predicted"].to_numpy(dtype=float)
    # Only differences count; of large numbers, their squares would lose digits.
    centre = predicted.mean() if len(predicted) else 0.0
    off = predicted - centre
    columns = [
        *(is_rated.astype(float), weight, weight * human, weight * off, weight * human * off),
        *(np.ones(len(texts)), off, off**2),
    ]
    combos = texts["combo_id"]
    df = combos[is_rated].nunique() - 1
    totals = [column.sum(keepdims=True) for column in columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        tuned = float(_tuned(*totals)[0])
    return Calibration(
        calibrated=jackknife(combos, columns, _mean)._replace(df=df),
        human=jackknife(combos, columns, _human)._replace(df=df),
        tuned=tuned,
    )


def _human(_rated: Array, weight: Array, human: Array, *_: Array) -> Array:
    return human / weight


def _tuned(*sums: Array) -> Array:
    """Return lambda; NaN where all texts are rated, as there is nothing to add then."""
    rated, _, _, _, _, count, _, _ = sums
    return _slope(*sums) / (1 + rated / (count - rated))


def _slope(*sums: Array) -> Array:
    """Return lambda times 1 + n/N: how far the mean follows that of all scores."""
    rated, weight, human, predicted, product, count, total, squares = sums
    covariance = product / weight - human * predicted / weight**2
    variance = (squares - total**2 / count) / (count - 1)
    most = 1 + rated / (count - rated)
    # Scores that do not vary say nothing; what is left of their squares is rounding.
    varies = variance > 1e-12 * (1 + np.abs(total / count)) ** 2
    return np.where(varies, np.clip(covariance / np.where(varies, variance, 1), 0, most), 0.0)


def _mean(*sums: Array) -> Array:
    _, weight, human, predicted, _, count, total, _ = sums
    return human / weight + _slope(*sums) * (total / count - predicted / weight)


def calibrated_means(scores: Scores, *, ratings: pd.DataFrame) -> pd.DataFrame:
    """Return a row per template that people rated by, and all texts, level or recipe.

    Cells without a rated text have no row. Means are in points of the template's scale.
    """
    people = human_cells(scores, ratings)
    records = [
        record
        for template, rated in people.groupby("template", sort=False)
        for record in _of_template(scores, str(template), rated)
    ]
    names = ["template", "dimension", "level", *scores.recipe, *VALUES]
    return pd.DataFrame(records, columns=names)


def _of_template(scores: Scores, template: str, rated: pd.DataFrame) -> Iterator[dict[str, object]]:
    low, high = float(rated["low"].iloc[0]), float(rated["high"].iloc[0])
    found = cells(scores)
    templates = scores.rows.drop_duplicates("judge").set_index("judge")[scores.stage.dimensions[0]]
    own = found[found["judge"].map(templates) == template]
    # Judges of other templates are asked other things; they are better than none.
    found = own if len(own) else found
    made = scores.rows.drop_duplicates("parent").set_index("parent")
    found = found.assign(value=found["share"])
    texts = found.groupby("parent", sort=False).agg(combo_id=("combo_id", "first"))
    texts["predicted"] = panel_of(found, scores.panel).scores(found)
    texts["human"] = rated.groupby("parent")["share"].mean().reindex(texts.index)
    for name in ("predicted", "human"):
        texts[name] = low + texts[name] * (high - low)
    texts[RECIPE] = recipe_names(scores).reindex(texts.index)
    texts = texts.join(made[scores.recipe])
    by_recipe = texts.groupby(RECIPE, sort=False)["human"]
    texts["weight"] = by_recipe.transform("size") / by_recipe.transform("count").replace(0, np.nan)
    judges = found["judge"].nunique()
    for dimension, level, part in _parts(texts, scores.recipe):
        if part["human"].isna().all():
            continue
        yield {
            "template": template,
            "dimension": dimension,
            "level": level,
            **({n: part[n].iloc[0] for n in scores.recipe} if dimension == RECIPE else {}),
            "raters": rated[rated["parent"].isin(part.index)]["judge"].nunique(),
            "judges": judges,
            **_values(part, Interval(low, high)),
        }


def _parts(texts: pd.DataFrame, dimensions: list[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    yield "overall", "", texts
    for dimension in dimensions:
        for level, part in texts.groupby(dimension, sort=False):
            yield dimension, str(level), part
    for recipe, part in texts.groupby(RECIPE, sort=False):
        yield RECIPE, " · ".join(str(recipe).split("\n")[1:]), part


def _values(texts: pd.DataFrame, scale: Interval) -> dict[str, object]:
    rated = texts["human"].notna()
    values: dict[str, object] = {
        "texts": len(texts),
        "rated": int(rated.sum()),
        "combos": texts.loc[rated, "combo_id"].nunique(),
        "judge_mean": texts["predicted"].mean(),
        "score_min": scale.low,
        "score_max": scale.high,
    }
    # A recipe that nobody has rated is in no weight: then the ratings say nothing of all texts.
    if texts["weight"].isna().any():
        return values
    found = calibration(texts)
    alone, interval = found.human.interval(bounds=scale), found.calibrated.interval(bounds=scale)
    return {
        **values,
        "human_mean": found.human.value,
        "human_low": alone.low,
        "human_high": alone.high,
        "calibrated_mean": found.calibrated.value,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "lambda": found.tuned,
    }

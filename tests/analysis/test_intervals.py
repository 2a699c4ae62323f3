"""Intervals hold what they should, in simulated experiments with known truth, through the tables.

The number of experiments is small enough for every test run; `benchmarks/coverage.py` makes many
more. A check allows what chance explains at that number (four standard errors), so that it fails
for a mistake, such as combos counted as given, and not by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest

from daydream.analysis.agreement import alpha, pearson
from daydream.analysis.judges import judge_effects
from daydream.analysis.scores import Scores, cells, split_stages
from daydream.analysis.variance import components
from support import experiments
from support.simulation import simulated

EXPERIMENTS = 300
# Where each experiment goes through all of a table: a rate twice as high as it should be is found.
DRAWN = 60
COMBOS = 20
SD = {"combo_id": 0.5, "draft": 0.6, "essay": 0.6, "residual": 0.7}
BIAS = {"em0": -0.3, "em1": 0.3}
GAIN = 0.4
# The variance of texts, half of the essays being of the better template, and that of one judgement.
TEXT = SD["combo_id"] ** 2 + SD["draft"] ** 2 + SD["essay"] ** 2 + GAIN**2 / 4
NOISE = SD["residual"] ** 2


def check(covered: pd.Series, *, level: float = 0.95) -> None:
    """Check that a share of experiments is `level`, within what chance explains."""
    error = np.sqrt(level * (1 - level) / len(covered))
    assert abs(covered.mean() - level) <= 4 * error, covered.mean()


@pytest.mark.parametrize("combos", [5, 10])
def test_the_mean_for_new_combos_and_for_these(combos: int) -> None:
    """Two questions, two intervals: combos differ much more than drafts."""
    found = experiments.means(np.random.default_rng(combos), DRAWN, combos=combos)
    check(found["new combos"])
    check(found["these combos"])


@pytest.mark.parametrize("interaction", [0.3, 0.6])
def test_levels_that_are_alike_are_not_found_to_differ(interaction: float) -> None:
    """Each level suits some combos, none is better: type I errors of 5 %, and less of all pairs."""
    make = partial(experiments.null_comparisons, interaction=interaction)
    found = make(np.random.default_rng(3), DRAWN)
    for name in found.filter(like=": covered"):
        check(found[name])
    for name in found.filter(like=": p < .05"):
        check(found[name], level=0.05)
    assert found["any p_holm < .05"].mean() <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / DRAWN)


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_the_first_of_72_recipes_is_not_flattered(spread: float) -> None:
    """Its plain mean is too high by luck, its shrunk mean is not; every recipe has an interval."""
    found = experiments.recipes(np.random.default_rng(4), 30, recipe_sd=spread)
    error = found["shrunk error"]
    assert abs(error.mean()) <= 0.1 + 2 * error.std() / np.sqrt(len(error))
    assert found["adjusted error"].mean() > 0.25
    assert (found["intervals"] == 1).all()
    assert 0.93 <= found["intervals held"].mean() <= 0.99
    if spread:
        assert found["ranks held"].mean() >= 0.93


def test_p_best_is_a_probability() -> None:
    """The recipe that is listed first is the best as often as its p_best says."""
    rng = np.random.default_rng(5)
    found = experiments.recipes(rng, 100, templates=3, models=2, combos=10)
    p_best = found["p_best"]
    error = np.sqrt((p_best * (1 - p_best)).sum()) / len(found)
    assert abs(found["is best"].mean() - p_best.mean()) <= 4 * error
    assert found["ranks held"].mean() >= 0.93


def test_judges_confounded_with_recipes() -> None:
    """That the judges' biases are known from few texts is part of the uncertainty."""
    found = experiments.confounded_judges(np.random.default_rng(6), 100)
    assert (found["rows"] == 2).all()
    assert found["covered"].mean() >= 0.90


def effects(rows: pd.DataFrame) -> pd.Series:
    return rows["evaluation_llm"].map(BIAS) + GAIN * (rows["essay_template"] == "et1")


@cache
def all_experiments() -> Scores:
    """Return experiments of 20 combos of one draft and two essays each, a tenth without score."""
    levels = {
        "combo_id": EXPERIMENTS * COMBOS,
        "draft_template": 1,
        "draft_llm": 1,
        "evaluation_template": 1,
        "evaluation_replicate": 1,
    }
    rng = np.random.default_rng(2026)
    frame = simulated(rng, levels=levels, sd=SD, fixed=effects, missing=0.1)
    (scores,) = split_stages(frame, "simulated")
    return scores


def by_experiment(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    numbers = rows["combo_id"].str.removeprefix("combo").astype(int) // COMBOS
    return (own for _, own in rows.groupby(numbers))


MEASURES: dict[str, tuple[float, Callable[[pd.DataFrame, pd.DataFrame], tuple[float, float]]]] = {
    "alpha": (
        1 - (NOISE + 2 * BIAS["em1"] ** 2) / (TEXT + BIAS["em1"] ** 2 + NOISE),
        lambda own, _: alpha(own)[1],
    ),
    "bias": (BIAS["em1"], lambda own, _: judge_effects(own).of("em1_et0").interval()),
    "pearson": (TEXT / (TEXT + NOISE), lambda _, both: pearson(both)[1]),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_agreement(measure: str) -> None:
    """Alpha, a judge's bias, and two judges' correlation, for new combos."""
    truth, interval = MEASURES[measure]
    judged = cells(all_experiments())
    keys = ["parent", "combo_id"]
    both = judged.pivot(index=keys, columns="judge", values="value").dropna()
    both = both.set_axis(["x", "y"], axis=1).reset_index()
    pairs = zip(by_experiment(judged), by_experiment(both), strict=True)
    found = pd.DataFrame([interval(*pair) for pair in pairs], columns=["low", "high"])
    assert len(found) == EXPERIMENTS
    check((found["low"] <= truth) & (truth <= found["high"]))


DESIGNS = {
    "texts and judges": (
        {"text": 12, "judge": 4, "replicate": 2},
        {"text": ["text"], "judge": ["judge"], "residual": ["text", "judge"]},
        {"text": 0.8, "judge": 0.4, "residual": 0.3, "replicate": 0.2},
    ),
    "combos by templates": (
        {"combo": 12, "template": 6, "draft": 2, "judge": 4},
        {
            "combo": ["combo"],
            "template": ["template"],
            "draft": ["combo", "template", "draft"],
            "combo:template": ["combo", "template"],
            "judge": ["judge"],
        },
        {
            "combo": 0.64,
            "template": 0.25,
            "combo:template": 0.16,
            "draft": 0.36,
            "judge": 0.25,
            "replicate": 0.49,
        },
    ),
}


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("design", DESIGNS)
def test_variance_components(design: str, missing: float) -> None:
    """With gaps, too, each variance is in its own row, and its interval holds it."""
    levels, factors, truth = DESIGNS[design]
    axes = [np.arange(size) for size in levels.values()]
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(len(levels), -1)
    rng = np.random.default_rng(2026)
    tables = []
    for _ in range(60):
        kept = rng.random(grid.shape[1]) >= missing
        rows = pd.DataFrame(dict(zip(levels, grid[:, kept], strict=True)))
        codes = {name: rows.groupby(by).ngroup().to_numpy() for name, by in factors.items()}
        codes["replicate"] = np.arange(len(rows))
        values = sum(
            rng.normal(0, np.sqrt(truth[name]), each.max() + 1)[each]
            for name, each in codes.items()
        )
        tables.append(components(np.asarray(values), codes).set_index("component"))
    for name, variance in truth.items():
        found = pd.DataFrame([table.loc[name] for table in tables])
        found = found[["variance", "ci_low", "ci_high"]].astype(float)
        error = found["variance"].std() / np.sqrt(len(tables))
        assert abs(found["variance"].mean() - variance) <= 4 * error, name
        covered = (found["ci_low"] <= variance) & (variance <= found["ci_high"])
        assert covered.mean() >= 0.85, (name, covered.mean())

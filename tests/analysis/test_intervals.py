"""Intervals cover what they should: 500 experiments with known effects, through the tables.

Each experiment has 20 drafts, of each two essays, of each two judges' scores, a tenth of them
missing; scores differ by combo, draft, essay, essay template and judge. A nominal 95 % interval has
to hold the truth in 93 to 97 % of the experiments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest

from daydream.analysis.agreement import alpha, pearson
from daydream.analysis.comparisons import comparisons
from daydream.analysis.judges import judge_effects
from daydream.analysis.resampling import mean_interval
from daydream.analysis.scores import Scores, cells, split_stages
from daydream.analysis.variance import components
from support.simulation import simulated

EXPERIMENTS = 500
DRAFTS = 20
SD = {"combo_id": 0.5, "draft": 0.6, "essay": 0.6, "residual": 0.7}
BIAS = {"em0": -0.3, "em1": 0.3}
GAIN = 0.4
# The variance of texts, half of the essays being of the better template, and that of one judgement.
TEXT = SD["combo_id"] ** 2 + SD["draft"] ** 2 + SD["essay"] ** 2 + GAIN**2 / 4
NOISE = SD["residual"] ** 2


def effects(rows: pd.DataFrame) -> pd.Series:
    return rows["evaluation_llm"].map(BIAS) + GAIN * (rows["essay_template"] == "et1")


@cache
def all_experiments() -> Scores:
    levels = {
        "combo_id": EXPERIMENTS * DRAFTS,
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
    """Cut a table with the column root into those of the experiments."""
    numbers = rows["root"].str.removeprefix("d_").astype(int) // DRAFTS
    return (own for _, own in rows.groupby(numbers))


def check(intervals: pd.DataFrame, truth: float) -> None:
    """Check the coverage of the columns ci_low and ci_high, a row an experiment."""
    assert len(intervals) == EXPERIMENTS
    assert intervals.notna().all(axis=None)
    covered = (intervals["ci_low"] <= truth) & (truth <= intervals["ci_high"])
    assert 0.93 <= covered.mean() <= 0.97, covered.mean()


def test_means() -> None:
    """The mean of scores that come in lineages (final_results)."""
    scored = all_experiments().scored[["root", "value"]]
    found = [mean_interval(own["root"], own["value"]) for own in by_experiment(scored)]
    check(pd.DataFrame(found, columns=["ci_low", "ci_high"]), 5 + GAIN / 2)


def test_differences() -> None:
    """The paired differences of essay templates and of judges (comparisons)."""
    scores = all_experiments()
    tables = [
        comparisons(dataclasses.replace(scores, rows=rows)).set_index("dimension")
        for rows in by_experiment(scores.rows)
    ]
    for dimension, truth in (("essay_template", -GAIN), ("evaluation_llm", -0.6)):
        check(
            pd.DataFrame([table.loc[dimension] for table in tables])[["ci_low", "ci_high"]], truth
        )


def test_agreement_and_adjusted_means() -> None:
    """Alpha, a judge's bias, two judges' correlation, and the mean whatever judge a text lacks."""
    bias = BIAS["em1"]
    truths = {
        "alpha": 1 - (NOISE + 2 * bias**2) / (TEXT + bias**2 + NOISE),
        "bias": bias,
        "pearson": TEXT / (TEXT + NOISE),
        "adjusted": 5 + GAIN / 2,
    }
    found = {measure: [] for measure in truths}
    # No text is in two experiments, so that all can be averaged at once.
    judged = cells(all_experiments())
    both = judged.pivot(index=["parent", "root"], columns="judge", values="value").dropna()
    both = both.set_axis(["x", "y"], axis=1).reset_index()
    for own, shared in zip(by_experiment(judged), by_experiment(both), strict=True):
        judges = judge_effects(own)
        texts = judges.adjusted(own).groupby(own["parent"]).mean()
        roots = own.drop_duplicates("parent").set_index("parent")["root"][texts.index]
        found["alpha"].append(alpha(own)[1])
        found["bias"].append(judges.of("em1_et0", own["root"])[1])
        found["pearson"].append(pearson(shared)[1])
        found["adjusted"].append(mean_interval(roots, texts))
    for measure, truth in truths.items():
        check(pd.DataFrame(found[measure], columns=["ci_low", "ci_high"]), truth)


def test_variance_components() -> None:
    """Components with gaps in the design are unbiased; their intervals cover at least 93 %."""
    levels = {"text": 12, "judge": 4, "replicate": 2}
    grid = np.stack(np.meshgrid(*map(np.arange, levels.values()), indexing="ij")).reshape(3, -1)
    truth = {"text": 0.8, "judge": 0.4, "residual": 0.3, "replicate": 0.2}
    rng = np.random.default_rng(2026)
    tables = []
    for _ in range(EXPERIMENTS):
        text, judge, _replicate = grid[:, rng.random(grid.shape[1]) >= 0.1]
        cell = pd.factorize(text * 10 + judge)[0]
        factors = {
            "text": pd.factorize(text)[0],
            "judge": pd.factorize(judge)[0],
            "residual": cell,
            "replicate": np.arange(len(text)),
        }
        values = sum(
            rng.normal(0, np.sqrt(truth[name]), codes.max() + 1)[codes]
            for name, codes in factors.items()
        )
        tables.append(components(values, factors).set_index("component"))
    for name, variance in truth.items():
        found = pd.DataFrame([table.loc[name] for table in tables]).astype({"variance": float})
        assert found["variance"].mean() == pytest.approx(variance, rel=0.1)
        covered = (found["ci_low"] <= variance) & (variance <= found["ci_high"])
        assert 0.93 <= covered.mean() <= 0.985, (name, covered.mean())

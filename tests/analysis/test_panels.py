"""The rule of a panel of judges, in all that follows it; oracles written with pandas and numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from daydream.analysis.comparisons import comparisons
from daydream.analysis.influence import rankings_without
from daydream.analysis.leaderboard import leaderboard
from daydream.analysis.scores import Scores, cells, split_stages
from daydream.analysis.summary import generation_scores
from daydream.analysis.variance import variance
from support.simulation import LEVELS, simulated

ONE = dict.fromkeys(LEVELS, 1)
BIAS = {"em0": -1.0, "em1": 0.2, "em2": 0.8}
DESIGN = {**ONE, "combo_id": 8, "essay_template": 3, "evaluation_llm": 3, "draft_replicate": 2}
PLAIN = ("mean", "median")


def experiment(
    rng: np.random.Generator,
    rule: str,
    *,
    combos: int = 8,
    gain: float = 0.0,
    missing: float = 0.0,
) -> Scores:
    """Return experiments whose third judge gives a text in eight the lowest score, whatever it is.

    The essays of ``et1`` are better by `gain`.
    """
    frame = simulated(
        rng,
        levels={**DESIGN, "combo_id": combos, "evaluation_replicate": 2},
        sd={"combo_id": 0.5, "draft": 0.3, "essay": 0.5, "residual": 0.6, "replicate": 0.3},
        fixed=lambda rows: (
            rows["evaluation_llm"].map(BIAS) + gain * (rows["essay_template"] == "et1")
        ),
        missing=missing,
    )
    essays = frame["parent_gen_id"].unique()
    broken = rng.choice(essays, size=len(essays) // 8, replace=False)
    zero = frame["parent_gen_id"].isin(broken) & (frame["evaluation_llm"] == "em2")
    frame["score"] = frame["score"].mask(zero & frame["score"].notna(), 0.0)
    (scores,) = split_stages(frame, "simulated")
    return replace(scores, panel=rule)


def by_text(scores: Scores) -> pd.DataFrame:
    """Return the oracle's score of each text: of a table of texts by judges, row by row."""
    rows = scores.rows.dropna(subset="score")
    keys = ["combo_id", "draft_gen_id", "essay_template", "parent_gen_id"]
    wide = rows.pivot_table(index=keys, columns="evaluation_llm", values="score", aggfunc="mean")
    joined = {"mean": np.nanmean, "median": np.nanmedian}[scores.panel]
    found = [joined(row) for row in wide.to_numpy()]
    return wide.index.to_frame(index=False).assign(score=found)


def oracle_recipes(texts: pd.DataFrame) -> pd.DataFrame:
    """Return each recipe's mean and interval: dummy regression, and a loop over left-out combos."""

    def means(part: pd.DataFrame) -> np.ndarray:
        cell = part.groupby(["combo_id", "essay_template"])["score"].mean().reset_index()
        combos = pd.get_dummies(cell["combo_id"], dtype=float)
        recipes = pd.get_dummies(cell["essay_template"], dtype=float)
        design = np.hstack([recipes.to_numpy(), combos.to_numpy()])
        found, *_ = np.linalg.lstsq(design, cell["score"].to_numpy(), rcond=None)
        return found[: recipes.shape[1]] + found[recipes.shape[1] :].mean()

    combos = texts["combo_id"].unique()
    value = means(texts)
    without = np.array([means(texts[texts["combo_id"] != combo]) for combo in combos])
    count = len(combos)
    error = np.sqrt((count - 1) / count * ((without - value) ** 2).sum(axis=0))
    reach = stats.t.ppf(0.975, count - 1) * error
    names = sorted(texts["essay_template"].unique())
    return pd.DataFrame({"score": value, "low": value - reach, "high": value + reach}, index=names)


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("rule", PLAIN)
def test_tables_equal_a_second_implementation(rule: str, missing: float) -> None:
    """Texts, recipes with their intervals, and differences of templates with theirs."""
    scores = experiment(np.random.default_rng(7), rule, missing=missing)
    texts = by_text(scores)
    table = generation_scores(scores)
    assert set(table["panel"]) == {rule}
    found = table.set_index("parent_gen_id")["panel_score"]
    expected = texts.set_index("parent_gen_id")["score"]
    pd.testing.assert_series_equal(
        found.sort_index(), expected.sort_index(), check_names=False, rtol=1e-12
    )

    board = leaderboard(scores).set_index("essay_template").sort_index()
    recipes = oracle_recipes(texts)
    for name, other in (("panel_score", "score"), ("ci_low", "low"), ("ci_high", "high")):
        assert board[name].tolist() == pytest.approx(recipes[other].tolist(), abs=1e-6), name

    table = comparisons(scores)
    pairs = table[table["dimension"] == "essay_template"]
    assert set(pairs["panel"]) == {rule}
    wide = texts.pivot_table(
        index=["combo_id", "draft_gen_id"], columns="essay_template", values="score"
    )
    for _, row in pairs.iterrows():
        both = (wide[row["level"]] - wide[row["other_level"]]).dropna()
        assert row["difference"] == pytest.approx(both.mean())
        assert row["cells"] == len(both), "a cell is a text of each, whoever judged it"
        names = both.index.get_level_values("combo_id")
        without = [both[names != combo].mean() for combo in names.unique()]
        count = len(without)
        error = np.sqrt((count - 1) / count * ((without - np.mean(without)) ** 2).sum())
        reach = stats.t.ppf(0.975, count - 1) * error
        assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * reach)


def test_judges_are_compared_one_by_one_whatever_the_rule() -> None:
    """And the variance components are of single judges: the rule does not touch them."""
    median, adjusted = (
        experiment(np.random.default_rng(2), rule, missing=0.1) for rule in ("median", "adjusted")
    )
    pd.testing.assert_frame_equal(variance(median), variance(adjusted))
    tables = [comparisons(each) for each in (median, adjusted)]
    judges = [table[table["dimension"] == "evaluation_llm"] for table in tables]
    shared = [name for name in judges[0] if name != "p_holm"]
    pd.testing.assert_frame_equal(*(table[shared].reset_index(drop=True) for table in judges))
    assert set(judges[0]["panel"]) == {""}


def test_influence_of_a_judge_is_on_the_ranking_that_the_rule_makes() -> None:
    """Where one judge alone ranks the recipes the other way round, a median does not follow it."""
    frame = simulated(np.random.default_rng(3), levels=DESIGN)
    rank = frame["essay_template"].str[2:].astype(float)
    rank += frame["combo_id"].str[5:].astype(float) / 100
    frame["score"] = np.where(frame["evaluation_llm"] == "em2", 9 - 4 * rank, 1 + rank)
    (scores,) = split_stages(frame, "simulated")
    found = {
        rule: rankings_without(replace(scores, panel=rule), cells(scores))["em2_et0"]
        for rule in ("median", "mean")
    }
    assert found == {"median": pytest.approx(1), "mean": pytest.approx(-1)}


@pytest.mark.parametrize("rule", ["mean", "median"])
def test_a_text_is_shrunk_by_the_luck_of_its_own_rule(rule: str) -> None:
    """The shrunk score is nearer to the truth than the score; a sole judge says least."""
    errors = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        levels = {**DESIGN, "combo_id": 20, "evaluation_llm": 5}
        frame = simulated(rng, levels=levels, sd={"residual": 1}, missing=0.3)
        names = frame["parent_gen_id"].unique()
        truth = pd.Series(rng.normal(0, 0.5, len(names)), index=names)
        frame["score"] += frame["parent_gen_id"].map(truth)
        (scores,) = split_stages(frame, "simulated")
        table = generation_scores(replace(scores, panel=rule)).set_index("parent_gen_id")
        aim = 5 + truth.reindex(table.index)
        errors.append([((table[n] - aim) ** 2).mean() for n in ("panel_score", "shrunk_mean")])
        own = np.array(list(table["shrunk_mean"] - table["panel_score"].mean()))
        raw = np.array(list(table["panel_score"] - table["panel_score"].mean()))
        drawn = pd.Series(own / raw, index=table.index).groupby(table["judges"]).median()
        assert drawn.iloc[0] < drawn.iloc[-1] < 1
    plain, shrunk = np.mean(errors, axis=0)
    # The best possible error: merit·luck / (merit + luck), about, with 3.5 judges on average.
    assert shrunk < 0.65 * plain


def test_intervals_of_a_median_hold_what_is_true() -> None:
    """Of recipes and of differences, with a judge that fails at times; a fifth has no score."""
    rng = np.random.default_rng(11)
    experiments = 60
    # What a recipe's mean of medians is in truth: of very many combos.
    truth = by_text(experiment(rng, "median", combos=1500, gain=0.4, missing=0.2))
    aim = truth.groupby("essay_template")["score"].mean()
    held, beyond = [], []
    for _ in range(experiments):
        scores = experiment(rng, "median", gain=0.4, missing=0.2)
        board = leaderboard(scores).set_index("essay_template").sort_index()
        held += list((board["ci_low"] <= aim) & (aim <= board["ci_high"]))
        table = comparisons(scores)
        pair = table[(table["level"] == "et0") & (table["other_level"] == "et1")].iloc[0]
        gap = aim["et0"] - aim["et1"]
        held.append(pair["ci_low"] <= gap <= pair["ci_high"])
        null = table[(table["level"] == "et0") & (table["other_level"] == "et2")].iloc[0]
        beyond.append(null["p_value"] < 0.05)
    # Four standard errors, with the four of an experiment counted as one.
    assert abs(np.mean(held) - 0.95) <= 4 * np.sqrt(0.95 * 0.05 / experiments)
    assert np.mean(beyond) <= 0.05 + 4 * np.sqrt(0.95 * 0.05 / experiments)

"""Designs in which a plain mean misleads: what the tables say in its place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from daydream.analysis.agreement import judge_agreement
from daydream.analysis.allocation import allocation
from daydream.analysis.comparisons import comparisons
from daydream.analysis.groups import connected
from daydream.analysis.leaderboard import leaderboard
from daydream.analysis.scores import COPIED, Scores, split_stages
from daydream.analysis.summary import generation_scores
from daydream.analysis.union import union
from daydream.analysis.writers import writer_judge
from daydream.errors import InputError
from support.experiments import ONE, tied_writers
from support.simulation import simulated


def scored(frame: pd.DataFrame) -> Scores:
    (found,) = split_stages(frame, "simulated")
    return found


def test_islands_of_judges_are_not_ranked_together() -> None:
    """Two recipes, each with judges of its own, who differ in how strict they are."""

    def strict(rows: pd.DataFrame) -> pd.Series:
        return rows["evaluation_llm"].map({"em0": -1.0, "em1": -1.2, "em2": 1.0, "em3": 1.2})

    levels = {**ONE, "combo_id": 8, "essay_template": 2, "evaluation_llm": 4}
    frame = simulated(np.random.default_rng(1), levels=levels, sd={"draft": 0.5}, fixed=strict)
    own = (frame["essay_template"] == "et0") == frame["evaluation_llm"].isin(["em0", "em1"])
    table = leaderboard(scored(frame[own]))
    assert table["group"].tolist() == [1, 2]
    assert table["rank"].tolist() == [1, 1]
    assert table[["shrunk_mean", "rank_low", "p_best"]].isna().all(axis=None)
    texts = generation_scores(scored(frame[own]))
    assert texts.groupby("group")["essay_template"].nunique().tolist() == [1, 1]
    assert (texts.groupby("group")["rank"].min() == 1).all()
    # One text that a judge of each island scores connects all.
    bridge = own | (frame["parent_gen_id"] == frame["parent_gen_id"].iloc[0])
    table = leaderboard(scored(frame[bridge]))
    assert table["group"].tolist() == [1, 1]
    assert table["panel_score"].diff().abs().max() < 0.5


def test_groups_are_what_paths_connect() -> None:
    """Against a search of the graph by hand, the largest group first."""
    rng = np.random.default_rng(2)
    for _ in range(50):
        edges = pd.DataFrame(rng.integers(0, 9, (rng.integers(1, 12), 2)), columns=["a", "b"])
        found = connected(edges["a"].map("a{}".format), edges["b"].map("b{}".format))
        for start in edges.index:
            reached = {start}
            while True:
                rows = edges.loc[sorted(reached)]
                more = edges.index[edges["a"].isin(rows["a"]) | edges["b"].isin(rows["b"])]
                if set(more) == reached:
                    break
                reached = set(more)
            assert set(found.index[found == found[start]]) == reached
        sizes = found.value_counts()[sorted(found.unique())]
        assert list(sizes.index) == list(range(1, len(sizes) + 1))
        assert sizes.is_monotonic_decreasing


def test_a_recipe_of_easy_combos_is_not_the_better_one() -> None:
    """Simpson's paradox: et1 is 0.5 better, and was mostly tried on combos that score 4 lower."""
    combos = 12

    def effect(rows: pd.DataFrame) -> pd.Series:
        easy = rows["combo_id"].str[5:].astype(int) < combos / 2
        return 4.0 * easy + 0.5 * (rows["essay_template"] == "et1")

    levels = {**ONE, "combo_id": combos, "essay_template": 2, "draft_replicate": 4}
    sd = {"draft": 0.3, "residual": 0.3}
    frame = simulated(np.random.default_rng(3), levels=levels, sd=sd, fixed=effect, mean=3)
    easy = frame["combo_id"].str[5:].astype(int) < combos / 2
    rare = frame["draft_gen_id"].str[2:].astype(int) % 4 > 0
    usual = easy == (frame["essay_template"] == "et0")
    table = leaderboard(scored(frame[usual | ~rare])).set_index("essay_template")
    assert table.loc["et0", "mean"] > table.loc["et1", "mean"] + 1
    difference = table.loc["et1", "panel_score"] - table.loc["et0", "panel_score"]
    assert difference == pytest.approx(0.5, abs=0.2)
    assert (table["ci_high"] <= 9).all()
    assert (table["ci_low"] >= 0).all()


@pytest.fixture
def copies() -> pd.DataFrame:
    """Return essays of two models (em1 is 1 better), and copies of drafts under both."""

    def effect(rows: pd.DataFrame) -> pd.Series:
        made = rows["essay_template"] == "et0"
        return 1.0 * (made & (rows["essay_llm"] == "em1"))

    levels = {**ONE, "combo_id": 10, "essay_template": 2, "essay_llm": 2, "draft_llm": 2}
    frame = simulated(np.random.default_rng(4), levels=levels, sd={"draft": 0.5}, fixed=effect)
    return frame.assign(essay_mode=np.where(frame["essay_template"] == "et1", "copy", "llm"))


def test_a_copy_is_the_work_of_no_model(copies: pd.DataFrame) -> None:
    """It does not dilute the comparison of models, and copies are one recipe."""
    row = comparisons(scored(copies)).set_index("dimension").loc["essay_llm"]
    assert [row["level"], row["other_level"], row["cells"]] == ["em0", "em1", 20]
    assert row["difference"] == pytest.approx(-1)
    # A template that copies is compared with each model's text of the other template.
    row = comparisons(scored(copies)).set_index("dimension").loc["essay_template"]
    assert [row["level"], row["other_level"], row["cells"]] == ["et0", "et1", 40]
    assert row["difference"] == pytest.approx(0.5)
    table = leaderboard(scored(copies))
    of_copies = table[table["essay_template"] == "et1"]
    assert set(of_copies["essay_llm"]) == {COPIED}
    assert of_copies.set_index("draft_llm")["parents"].to_dict() == {"dm0": 20, "dm1": 20}


def test_the_writer_of_a_copy_is_who_wrote_the_copied_text(copies: pd.DataFrame) -> None:
    """The draft's model, not the model that the essay names."""
    table = writer_judge(scored(copies)).set_index("writer")
    assert table["parents"].to_dict() == {"em0": 20, "em1": 20, "dm0": 20, "dm1": 20}


def test_self_preference_is_found() -> None:
    """A judge who gives its own texts 0.6 more, and a judge without texts of its own."""

    def effect(rows: pd.DataFrame) -> pd.Series:
        writer, judge = (rows[name].str[-1] for name in ("essay_llm", "evaluation_llm"))
        return 0.6 * ((writer == judge) & (judge != "2")) - 0.5 * (judge == "1")

    levels = {**ONE, "combo_id": 12, "essay_llm": 3, "evaluation_llm": 3}
    sd = {"combo_id": 0.5, "draft": 0.5, "essay": 0.5, "residual": 0.3}
    frame = simulated(np.random.default_rng(5), levels=levels, sd=sd, fixed=effect, missing=0.1)
    names = {f"em{n}": f"model{n}" for n in range(3)}
    frame = frame.replace({"essay_llm": names, "evaluation_llm": names})
    table = writer_judge(scored(frame)).set_index(["writer", "judge_llm"])
    # The interaction of an effect of 0.6 in two cells of nine.
    truth = np.array([[0.6, 0, 0], [0, 0.6, 0], [0, 0, 0]])
    truth = truth - truth.mean(0) - truth.mean(1)[:, None] + truth.mean()
    found = table["preference"].unstack("judge_llm").to_numpy()
    assert found == pytest.approx(truth, abs=0.25)
    own = table[table["own"] == "true"]
    assert own["ci_low"].gt(0).tolist()[:2] == [True, True]
    # Judges who shared it would hide it; the mean of other models' judges does not have it.
    assert (own["mean"] - own["peer_mean"]).iloc[0] > 0.5


def test_judges_who_like_long_texts() -> None:
    """0.4 points per doubling, found within combos, although long combos score lower."""
    rng = np.random.default_rng(10)
    levels = {**ONE, "combo_id": 12, "draft_replicate": 5, "evaluation_llm": 2}
    frame = simulated(rng, levels=levels, sd={"residual": 0.2})
    combo = frame["combo_id"].str[5:].astype(int)
    own = pd.Series(rng.uniform(-1, 1, frame["parent_gen_id"].nunique()))
    doublings = frame["parent_gen_id"].str[2:].astype(int).map(own) + combo / 4
    liked = 0.4 * doublings * (frame["evaluation_llm"] == "em1")
    frame = frame.assign(parent_chars=500 * 2**doublings, score=frame["score"] + liked - combo / 4)
    table = judge_agreement(scored(frame)).set_index(["measure", "judge"])
    slopes = table.loc["length_slope"]
    assert slopes["value"].tolist() == pytest.approx([0, 0.4], abs=0.1)
    assert (slopes["ci_low"] > 0).tolist() == [False, True]


@pytest.mark.parametrize(("scales", "is_there"), [((9, 9), True), ((9, 4), False)])
def test_ac2_of_judges_with_scales_of_their_own(scales: tuple[int, int], is_there: bool) -> None:
    """From 0 to 1 there are no whole numbers between: an agreement of rounded shares is none."""
    levels = {**ONE, "combo_id": 6, "draft_replicate": 3, "evaluation_template": 2}
    frame = simulated(np.random.default_rng(12), levels=levels, sd={"residual": 1})
    high = frame["evaluation_template"].map(dict(zip(("et0", "et1"), scales, strict=True)))
    share = (frame["score"] / 9).clip(0, 1)
    frame = frame.assign(score=(share * high).round(), score_min=0, score_max=high)
    table = judge_agreement(scored(frame)).set_index("measure")["value"]
    assert np.isfinite(table.loc["ac2"]) == is_there
    assert np.isfinite(table.loc["alpha"])


def test_a_judge_on_whom_the_ranking_hangs() -> None:
    """Two judges agree on four recipes; the third turns the ranking round by its wide scale."""

    def effect(rows: pd.DataFrame) -> pd.Series:
        place = rows["draft_template"].str[2:].astype(float)
        return place * rows["evaluation_llm"].map({"em0": 0.3, "em1": 0.3, "em2": -1.0})

    levels = {**ONE, "combo_id": 4, "draft_template": 4, "evaluation_llm": 3}
    frame = simulated(np.random.default_rng(11), levels=levels, fixed=effect)
    table = judge_agreement(scored(frame)).set_index(["measure", "judge"])["value"]
    assert table.loc["ranking_without"].tolist() == pytest.approx([1, 1, -1])


def test_preference_equals_a_regression_with_interactions() -> None:
    """Least squares with text, judge and writer × judge; a tenth of the scores is missing."""
    levels = {**ONE, "combo_id": 6, "essay_llm": 2, "evaluation_llm": 3}
    frame = simulated(np.random.default_rng(6), levels=levels, sd={"residual": 1}, missing=0.1)
    table = writer_judge(scored(frame)).set_index(["writer", "judge_llm"])["preference"]
    rows = frame[frame["score"].notna()]
    texts = pd.get_dummies(rows["parent_gen_id"]).to_numpy(dtype=float)
    cells = pd.get_dummies(rows["essay_llm"] + rows["evaluation_llm"])
    design = np.hstack([texts, cells.to_numpy(dtype=float)])
    effects = np.linalg.lstsq(design, rows["score"].to_numpy(), rcond=None)[0][-6:].reshape(2, 3)
    expected = effects - effects.mean(0) - effects.mean(1)[:, None] + effects.mean()
    assert table.unstack().to_numpy() == pytest.approx(expected, abs=1e-9)


def test_texts_of_one_judge_do_not_fill_the_top() -> None:
    """Equal texts, half of them with one judge and half with six: luck alone ranks them."""
    levels = {**ONE, "combo_id": 200, "evaluation_llm": 6}
    frame = simulated(np.random.default_rng(7), levels=levels, sd={"draft": 0.3, "residual": 1})
    few = frame["combo_id"].str[5:].astype(int) % 2 == 1
    table = generation_scores(scored(frame[~few | (frame["evaluation_llm"] == "em0")]))
    by_mean = table.nlargest(20, "panel_score")["judges"]
    by_shrunk = table.nsmallest(20, "rank")["judges"]
    assert (by_mean == 1).mean() > 0.8
    assert (by_shrunk == 1).mean() < 0.5


def test_adjusted_means_equal_a_regression() -> None:
    """One judge, gaps: recipe and combo by least squares, at the mean of the combos."""
    rng = np.random.default_rng(8)
    levels = {**ONE, "combo_id": 7, "draft_template": 4}
    frame = simulated(rng, levels=levels, sd={"combo_id": 1, "draft": 1}, missing=0.3)
    rows = frame[frame["score"].notna()]
    combos = pd.get_dummies(rows["combo_id"]).to_numpy(dtype=float)
    templates = pd.get_dummies(rows["draft_template"])
    design = np.hstack([combos, templates.to_numpy(dtype=float)])
    found = np.linalg.lstsq(design, rows["score"].to_numpy(), rcond=None)[0]
    expected = found[: combos.shape[1]].mean() + found[combos.shape[1] :]
    table = leaderboard(scored(frame)).set_index("draft_template")["panel_score"]
    assert table[templates.columns].tolist() == pytest.approx(expected.tolist())


def test_what_cannot_be_compared_is_promised_no_width() -> None:
    """Models tied over two stages: essay models share no cell; drafts' do in copies alone."""
    scores = tied_writers()
    pairs = comparisons(scores).set_index("dimension")
    assert pairs.loc["essay_llm", "cells"] == 0
    present = allocation(scores).query("at_hand == 'yes'").set_index("dimension")
    assert list(present.index) == ["draft_template", "draft_llm", "essay_template"]
    for dimension, texts in (("draft_llm", 2), ("draft_template", 6)):
        row = present.loc[dimension]
        assert (row["combos"], row["texts"], row["judges"]) == (7, texts, 2), dimension
        assert pairs.loc[dimension, "cells"] == 7 * texts * 2
    ends = pairs.loc["draft_llm", ["ci_low", "ci_high"]].astype(float)
    foretold = present.loc["draft_llm", "half_width"]
    assert foretold == pytest.approx((ends["ci_high"] - ends["ci_low"]) / 2, rel=0.6)


def test_a_copy_is_no_level_to_compare_a_model_with() -> None:
    """One model and copies are one level."""
    assert "essay_llm" not in set(allocation(tied_writers(models=1))["dimension"])


def test_the_widths_of_a_larger_design_are_foretold() -> None:
    """From 12 combos with one text per level, for 24 combos with four: as wide as they turn out."""

    def experiment(seed: int, combos: int, texts: int) -> Scores:
        rng = np.random.default_rng(seed)
        own = rng.normal(0, 0.4, (combos, 2))

        def effect(rows: pd.DataFrame) -> pd.Series:
            combo = rows["combo_id"].str[5:].astype(int)
            return pd.Series(own[combo, rows["draft_template"].str[2:].astype(int)])

        levels = {
            **ONE,
            "combo_id": combos,
            "draft_template": 2,
            "draft_replicate": texts,
            "evaluation_llm": 3,
        }
        sd = {"combo_id": 1, "draft": 0.6, "residual": 0.7}
        frame = simulated(rng, levels=levels, sd=sd, fixed=effect)
        return scored(frame.assign(usd="0.002"))

    foretold, actual = [], []
    for seed in range(15):
        table = allocation(experiment(seed, 12, 2))
        row = table.query("combos == 24 and texts == 4 and replicates == 1").iloc[0]
        foretold.append(row["half_width"])
        assert row["evaluations"] == 24 * 4 * 2 * 3
        assert row["usd"] == pytest.approx(24 * 4 * 2 * (0.01 + 3 * 0.002))
        assert row["detectable"] > row["half_width"]
        made = comparisons(experiment(100 + seed, 24, 4)).set_index("dimension")
        ends = made.loc["draft_template", ["ci_low", "ci_high"]].astype(float)
        actual.append((ends["ci_high"] - ends["ci_low"]) / 2)
    assert np.mean(foretold) == pytest.approx(np.mean(actual), rel=0.15)
    widths = table.set_index(["combos", "texts", "replicates"])["half_width"]
    assert widths[(24, 1, 1)] < widths[(12, 1, 1)]
    assert widths[(12, 8, 1)] < widths[(12, 1, 1)]


def test_the_front_of_cost_and_quality() -> None:
    """Three recipes: cheap, better and dearer, and one that is dearest and no better than that."""

    def effect(rows: pd.DataFrame) -> pd.Series:
        return rows["draft_template"].map({"dt0": 0.0, "dt1": 2.0, "dt2": 1.0}).astype(float)

    levels = {**ONE, "combo_id": 12, "draft_template": 3}
    frame = simulated(np.random.default_rng(12), levels=levels, sd={"draft": 0.2}, fixed=effect)
    frame["parent_usd"] = frame["draft_template"].map({"dt0": 0.01, "dt1": 0.02, "dt2": 0.05})
    table = leaderboard(scored(frame)).set_index("draft_template")
    assert table["usd_per_text"].to_dict() == pytest.approx({"dt0": 0.01, "dt1": 0.02, "dt2": 0.05})
    assert table["p_front"].round(2).to_dict() == {"dt0": 1, "dt1": 1, "dt2": 0}
    unknown = frame.assign(parent_usd=frame["parent_usd"].where(frame["draft_template"] != "dt1"))
    table = leaderboard(scored(unknown)).set_index("draft_template")
    assert table["p_front"].isna().to_dict() == {"dt0": False, "dt1": True, "dt2": False}


def test_two_scores_of_one_generation_are_refused() -> None:
    """The union of cohorts cannot choose one of them."""
    frame = simulated(np.random.default_rng(9), levels={**ONE, "combo_id": 2})
    other = frame.assign(cohort_id="c2", score=frame["score"] + [0, 1])
    with pytest.raises(InputError) as caught:
        union([frame, other])
    found = str(caught.value)
    assert all(word in found for word in ("v_1", "c1", "c2", "5", "6"))

"""People beside judges: agreement, means by prediction-powered inference, and pairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daydream.analysis import OF_RATINGS
from daydream.analysis.agreement import alpha
from daydream.analysis.calibration import calibrated_means, calibration
from daydream.analysis.frames import csv_of
from daydream.analysis.humans import human_agreement, read_ratings
from daydream.analysis.outputs import RATING_TABLES, build
from daydream.analysis.preferences import win_shares
from daydream.analysis.scores import Scores, split_stages
from support.simulation import simulated

# Which text is rated: every third of sixty.
PLACES = np.arange(60)
RATED = PLACES % 3 == 0
HUMAN = 5 + 2 * np.sin(PLACES * 1.7) + 0.5 * np.cos(PLACES * 3.1)
JUDGES = {
    "near": 4 + 1.5 * np.sin(PLACES * 1.7 + 0.3) + 0.7 * np.sin(PLACES * 5.3),
    "no use": np.sin(PLACES * 2.9),
}
JUDGES["against"] = -JUDGES["near"]
# What `ppi_mean_pointestimate` and `ppi_mean_ci` of ppi-python 0.2.3, the authors' own package,
# return for these (alpha=0.05, tuned). It is not among the packages of the tests: it brings numba,
# scikit-learn and gdown.
PPI_PYTHON = {
    "near": (4.980069218430879, 4.549978016143964, 5.410160420717794),
    "no use": (4.903617763742822, 4.272842126794656, 5.5343934006909885),
    "against": (4.905409772514517, 4.274398065796709, 5.536421479232325),
}


def texts(human: np.ndarray, predicted: np.ndarray, combo: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"combo_id": combo, "human": human, "predicted": predicted, "weight": 1.0})


@pytest.mark.parametrize("name", JUDGES)
def test_the_calibrated_mean_is_that_of_the_authors_package(name: str) -> None:
    """To all digits; where each text is a combo of its own, the intervals are nearly theirs."""
    human = np.where(RATED, HUMAN, np.nan)
    found = calibration(texts(human, JUDGES[name], PLACES))
    value, low, high = PPI_PYTHON[name]
    assert found.calibrated.value == pytest.approx(value, rel=1e-12)
    assert found.calibrated.error == pytest.approx((high - low) / 2 / 1.959964, rel=0.1)
    assert found.human.value == pytest.approx(HUMAN[RATED].mean())
    assert found.calibrated.df == 19
    assert found.tuned == pytest.approx(0, abs=0.2) if name != "near" else found.tuned > 0.5


def ppi(frame: pd.DataFrame) -> float:
    """Return the estimator of the paper, written down once more: of a cell of one recipe."""
    rated = frame[frame["human"].notna()]
    rest = frame[frame["human"].isna()]
    covariance = np.cov(rated["human"], rated["predicted"], ddof=0)[0, 1]
    power = covariance / ((1 + len(rated) / len(rest)) * frame["predicted"].var())
    power = min(max(power, 0), 1)
    correction = rest["predicted"].mean() - rated["predicted"].mean()
    return float(rated["human"].mean() + power * correction)


def test_the_jackknife_leaves_out_whole_combos() -> None:
    """Its error is that of the estimator without each combo in turn, rated texts or not."""
    human = np.where(RATED, HUMAN, np.nan)
    frame = texts(human, JUDGES["near"], PLACES // 6)
    found = calibration(frame).calibrated
    without = np.array([ppi(frame[frame["combo_id"] != combo]) for combo in range(10)])
    assert found.value == pytest.approx(ppi(frame))
    assert found.error == pytest.approx(np.sqrt(0.9 * ((without - without.mean()) ** 2).sum()))
    assert found.df == 9


def test_what_tells_nothing_changes_nothing() -> None:
    """All texts rated, or judges who always say the same: the mean is that of the ratings."""
    for human, predicted in ((HUMAN, JUDGES["near"]), (np.where(RATED, HUMAN, np.nan), 0 * HUMAN)):
        found = calibration(texts(human, predicted + 3, PLACES // 6))
        assert found.calibrated.value == pytest.approx(np.nanmean(human))
        assert found.calibrated.error == pytest.approx(found.human.error)


def experiment(rng: np.random.Generator) -> tuple[bool, bool, float]:
    """Return whether the two intervals hold the truth, and by how much the one is narrower."""
    combos, of_each, truth = 24, 10, 5.0
    combo = np.repeat(np.arange(combos), of_each)
    human = truth + rng.normal(0, 0.7, combos)[combo] + rng.normal(0, 1, len(combo))
    predicted = 2 + 0.8 * human + rng.normal(0, 0.3, combos)[combo] + rng.normal(0, 0.5, len(combo))
    seen = np.full(len(combo), np.nan)
    sample = rng.choice(len(combo), 48, replace=False)
    seen[sample] = human[sample]
    found = calibration(texts(seen, predicted, combo))
    calibrated, alone = found.calibrated.interval(), found.human.interval()
    width = (calibrated.high - calibrated.low) / (alone.high - alone.low)
    return calibrated.low <= truth <= calibrated.high, alone.low <= truth <= alone.high, width


def test_the_intervals_hold_the_truth_of_new_combos() -> None:
    """Of a biased judge, too; and they are narrower than those of the ratings alone."""
    rng = np.random.default_rng(11)
    found = np.array([experiment(rng) for _ in range(400)])
    for covered in found[:, :2].mean(axis=0):
        assert abs(covered - 0.95) <= 4 * np.sqrt(0.95 * 0.05 / len(found)), covered
    assert found[:, 2].mean() < 0.85


def ratings(scores: Scores, said: Callable[[pd.DataFrame], pd.Series]) -> pd.DataFrame:
    """Return ratings by two people, of every third text and of the first ten."""
    parents = scores.rows.drop_duplicates("parent").reset_index(drop=True)
    people = {"anna": parents.iloc[::3], "ben": parents.iloc[:10]}
    parts = [
        pd.DataFrame(
            {
                "kind": "single",
                "rater": rater,
                "stage": "evaluation",
                "template": "et0",
                "gen_id": own["parent"],
                "combo_id": own["combo_id"],
                "other_gen_id": "",
                "choice": "",
                "score": said(own),
                "score_min": 0.0,
                "score_max": 9.0,
                "error": "",
            }
        )
        for rater, own in people.items()
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def scores() -> Scores:
    rng = np.random.default_rng(2)
    sd = {"combo_id": 0.5, "essay": 0.8, "residual": 0.4}
    return split_stages(simulated(rng, sd=sd), "scores")[0]


def test_people_are_compared_with_each_judge_and_with_one_another(scores: Scores) -> None:
    """By the same measures as judges are; a bias is that of the second judge."""
    own = scores.scored[scores.scored["judge"] == "em0_et0"].groupby("parent")["score"].mean()
    said = ratings(scores, lambda rows: (own.reindex(rows["parent"]) - 1).to_numpy())
    table = human_agreement(scores, ratings=said)
    pairs = table.drop_duplicates(["judge", "other_judge"])
    assert len(pairs) == 2 * len(scores.judges) + 1
    assert pairs["other_kind"].value_counts().to_dict() == {"model": 8, "human": 1}
    exact = table[(table["judge"] == "anna_et0") & (table["other_judge"] == "em0_et0")]
    exact = exact.set_index("measure")
    assert exact.loc["pearson", "value"] == pytest.approx(1)
    assert exact.loc["bias", "value"] == pytest.approx(1)
    other = table[(table["judge"] == "anna_et0") & (table["other_judge"] == "em1_et1")]
    other = other.set_index("measure")["value"]
    theirs = scores.scored[scores.scored["judge"] == "em1_et1"]
    both = pd.concat(
        [
            said[said["rater"] == "anna"].rename(columns={"gen_id": "parent", "score": "value"}),
            theirs.groupby("parent")
            .agg(value=("value", "mean"), combo_id=("combo_id", "first"))
            .reset_index(),
        ]
    )
    both = both[both["parent"].isin(said.loc[said["rater"] == "anna", "gen_id"])]
    assert other["alpha"] == pytest.approx(alpha(both)[0])


def test_calibrated_means_by_recipe_and_level(scores: Scores) -> None:
    """Judges who are one point too high are put right; each recipe has a row."""
    own = scores.scored[scores.scored["judge"] == "em0_et0"].groupby("parent")["score"].mean()
    said = ratings(scores, lambda rows: (own.reindex(rows["parent"]) - 1).to_numpy())
    table = calibrated_means(scores, ratings=said[said["rater"] == "anna"])
    assert list(table["dimension"].unique()) == ["overall", *scores.recipe, "recipe"]
    overall = table.iloc[0]
    assert overall["texts"] == 48
    assert overall["rated"] == 16
    assert overall["judge_mean"] - overall["calibrated_mean"] == pytest.approx(1, abs=0.25)
    assert overall["ci_low"] < overall["calibrated_mean"] < overall["ci_high"]
    rows = table[table["dimension"] == "recipe"]
    assert rows[["texts", "rated"]].to_numpy().tolist() == [[6, 2]] * 8
    assert rows["ci_low"].isna().all(), "two combos have no interval"


def test_a_level_with_a_recipe_that_nobody_rated_has_no_mean(scores: Scores) -> None:
    """What its other recipes tell is not the mean of the level."""
    said = ratings(scores, lambda rows: rows["score"] * 0 + 5)
    first = scores.rows["draft_template"].iloc[0]
    kept = scores.rows.loc[scores.rows["draft_template"] == first, "parent"]
    table = calibrated_means(scores, ratings=said[said["gen_id"].isin(kept)])
    assert pd.isna(table.iloc[0]["calibrated_mean"])
    of_level = table[(table["dimension"] == "draft_template") & (table["level"] == first)]
    assert of_level["calibrated_mean"].notna().all()


def test_weights_undo_a_sample_that_is_not_in_proportion() -> None:
    """A recipe of which all were rated does not count for more than it has texts."""
    frame = texts(np.array([1.0, 1, 1, 1, 5, np.nan, np.nan, np.nan]), np.zeros(8), PLACES[:8])
    frame["weight"] = [1.0, 1, 1, 1, 4, 4, 4, 4]
    assert calibration(frame).human.value == pytest.approx(3)
    assert calibration(frame).calibrated.value == pytest.approx(3)


def test_win_shares(scores: Scores) -> None:
    """A tie is half a win; pairs of one recipe, and of texts that are not there, do not count."""
    by_recipe = scores.rows.drop_duplicates("parent").groupby(["combo_id", "essay_template"])
    firsts = by_recipe["parent"].first().unstack()
    pairs = pd.DataFrame(
        {
            "kind": "pair",
            "rater": "anna",
            "stage": "evaluation",
            "template": "et0",
            "gen_id": firsts["et0"],
            "other_gen_id": firsts["et1"],
            "combo_id": firsts.index,
            "choice": ["a", "a", "a", "tie", "b", "a"],
        }
    ).reset_index(drop=True)
    lost = pairs.iloc[[0]].assign(other_gen_id="gone")
    alike = pairs.iloc[[0]].assign(other_gen_id=pairs["gen_id"].iloc[0])
    table = win_shares(scores, ratings=pd.concat([pairs, lost, alike], ignore_index=True))
    assert table["win_share"].tolist() == pytest.approx([0.75, 0.25])
    assert table[["pairs", "wins", "ties", "losses"]].iloc[0].tolist() == [6, 4, 1, 1]
    assert table["ci_low"].iloc[0] == pytest.approx(1 - table["ci_high"].iloc[1])
    assert 0 <= table["ci_low"].iloc[1] < table["ci_high"].iloc[0] <= 1


def test_tables_without_a_rating_that_counts_have_a_header(scores: Scores, tmp_path: Path) -> None:
    """Ratings of texts that have changed are all there is."""
    said = ratings(scores, lambda rows: rows["score"]).assign(error="the text has changed")
    path = tmp_path / "ratings.csv"
    path.write_text(csv_of(said))
    read = read_ratings(path)
    assert read.empty
    for name in OF_RATINGS:
        table = build(partial(RATING_TABLES[name], ratings=read), [scores])
        assert table.empty
        assert list(table.columns[:1]) == ["stage"]

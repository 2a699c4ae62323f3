"""What people have said of texts, as the statistics see it, and how far they agree with the judges.

A person is a judge of the kind ``human``, for each template by whose scale they rated. The tables
of the judges that are models stay as they are: a person rates a sample of the texts, and an alpha
over all judges would change its meaning with each file of ratings.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

import pandas as pd

from daydream.analysis.agreement import alpha, pearson, spearman
from daydream.analysis.frames import read_csv
from daydream.analysis.jackknife import NO_INTERVAL, Interval, mean_of
from daydream.analysis.ordinal import ac2, are_whole
from daydream.analysis.scores import Scores, cells
from daydream.errors import Problems

COLUMNS = [
    *("measure", "judge", "kind", "other_judge", "other_kind", "value", "ci_low", "ci_high"),
    *("parents", "combos", "score_min", "score_max"),
]
HUMAN, MODEL = "human", "model"
_NUMBERS = ("score", "score_min", "score_max")


def read_ratings(path: str | Path) -> pd.DataFrame:
    """Return the ratings of a file (`daydream.reports.ratings`) that count.

    Raises:
        InputError: the file cannot be read.
    """
    frame = read_csv(path, Problems("ratings"))
    for name in _NUMBERS:
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    return frame[frame["error"] == ""]


def of_stage(ratings: pd.DataFrame, scores: Scores, kind: str) -> pd.DataFrame:
    """Return the ratings of a kind, single or pair, that belong to a scored stage."""
    return ratings[(ratings["stage"] == scores.stage.name) & (ratings["kind"] == kind)]


def human_cells(scores: Scores, ratings: pd.DataFrame) -> pd.DataFrame:
    """Return the scores by parent and person, as `scores.cells` has those of the judges.

    Columns: ``parent, judge, template, combo_id, share``, and ``low, high``, the template's scale.
    What a person said of one text twice, of two versions that say the same, is averaged.
    """
    own = of_stage(ratings, scores, "single")
    people = own[["rater", "template"]].drop_duplicates()
    # As for the judges (`scores`): one name is of one person and template.
    delimiter = "|" if (people["rater"] + "_" + people["template"]).duplicated().any() else "_"
    found = pd.DataFrame(
        {
            "parent": own["gen_id"],
            "judge": own["rater"] + delimiter + own["template"],
            "template": own["template"],
            "combo_id": own["combo_id"],
            "share": (own["score"] - own["score_min"]) / (own["score_max"] - own["score_min"]),
            "low": own["score_min"],
            "high": own["score_max"],
        }
    )
    groups = found.groupby(["parent", "judge", "template"], sort=False)
    return groups.agg(
        combo_id=("combo_id", "first"),
        share=("share", "mean"),
        low=("low", "first"),
        high=("high", "first"),
    ).reset_index()


def human_agreement(scores: Scores, *, ratings: pd.DataFrame) -> pd.DataFrame:
    """Return a row per measure and pair of a person with a judge, or with another person.

    Measures, on the texts that both scored: ``alpha``, ``ac2``, ``pearson``, ``spearman``, and
    ``bias``, the mean of the second less the first. Values are in points of the first's scale.
    """
    people = human_cells(scores, ratings)
    models = cells(scores)
    scales = scores.rows.drop_duplicates("judge").set_index("judge")[["score_min", "score_max"]]
    records: list[dict[str, object]] = []
    by_person = {str(name): own for name, own in people.groupby("judge", sort=False)}
    for (name, own), judge in product(by_person.items(), scores.judges):
        theirs = models[models["judge"] == judge]
        same_scale = (own[["low", "high"]].iloc[0].to_numpy() == scales.loc[judge]).all()
        same_scale &= are_whole(scores.scored.loc[scores.scored["judge"] == judge, "score"])
        pair = {"judge": name, "kind": HUMAN, "other_judge": judge, "other_kind": MODEL}
        records += _compared(own, theirs, pair, same_scale=bool(same_scale))
    for (name, own), (other, theirs) in combinations(by_person.items(), 2):
        same_scale = own[["low", "high"]].iloc[0].equals(theirs[["low", "high"]].iloc[0])
        pair = {"judge": name, "kind": HUMAN, "other_judge": other, "other_kind": HUMAN}
        records += _compared(own, theirs, pair, same_scale=same_scale)
    return pd.DataFrame(records, columns=COLUMNS)


def _compared(
    own: pd.DataFrame, theirs: pd.DataFrame, pair: dict[str, str], *, same_scale: bool
) -> Iterator[dict[str, object]]:
    """Yield the measures of two judges, of whom the first tells the scale."""
    low, high = float(own["low"].iloc[0]), float(own["high"].iloc[0])
    shared = own[["parent", "combo_id", "share"]].merge(theirs[["parent", "share"]], on="parent")
    shared["x"] = low + shared["share_x"] * (high - low)
    shared["y"] = low + shared["share_y"] * (high - low)
    both = shared.melt(["parent", "combo_id"], ["x", "y"])
    difference = mean_of(shared["combo_id"], shared["y"] - shared["x"])
    estimates: dict[str, tuple[float, Interval]] = {
        "alpha": alpha(both),
        "ac2": ac2(both, low=low, high=high) if same_scale else (float("nan"), NO_INTERVAL),
        "pearson": pearson(shared),
        "spearman": (spearman(shared), NO_INTERVAL),
        "bias": (difference.value, difference.interval()),
    }
    for measure, (value, interval) in estimates.items():
        yield {
            "measure": measure,
            **pair,
            "value": value,
            "ci_low": interval.low,
            "ci_high": interval.high,
            "parents": len(shared),
            "combos": shared["combo_id"].nunique(),
            "score_min": low,
            "score_max": high,
        }

"""Criteria: the numbers that judges give besides the score, analysed as scores of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from daydream.analysis.scores import split_stages


def on_criterion(
    rows: pd.DataFrame, name: str, scales: Mapping[str, Mapping[str, tuple[float, float]]]
) -> pd.DataFrame:
    """Return the score table with a criterion in place of the score.

    Only the rows of judges who have the criterion are in it. `scales` are the ends of its scale by
    stage and judge's template.
    """
    parts = []
    for stage, by_template in scales.items():
        templates = rows[f"{stage}_template"]
        own = templates.isin(list(by_template))
        if f"{stage}_gen_id" in rows:
            own &= rows[f"{stage}_gen_id"] == ""
        part = rows[own].copy()
        ends = part[f"{stage}_template"].map(by_template)
        part["score_min"], part["score_max"] = ends.str[0].astype(float), ends.str[1].astype(float)
        part["score"] = _numbers(part[name])
        lacks = part["score"].isna() & (part["error"] == "")
        part.loc[lacks, "error"] = f"the answer has no {name.removeprefix('answer.')}"
        parts.append(part)
    return pd.concat(parts).sort_index()


def correlations(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return a row per judge and pair of criteria, the score among them.

    Columns: ``stage, judge, criterion, other_criterion, evaluations, pearson, slice``. High
    correlations of criteria that should differ are a halo: one impression behind all of them.
    """
    numbers = {"score": rows["score"], **{name: _numbers(rows[name]) for name in names}}
    found = []
    for scores in split_stages(rows, "scores"):
        for judge, own in scores.rows.groupby("judge", sort=False):
            for one, other in combinations(numbers, 2):
                pair = pd.DataFrame(
                    {"x": numbers[one].loc[own.index], "y": numbers[other].loc[own.index]}
                ).dropna()
                if pair.empty:
                    continue
                found.append(
                    {
                        "stage": scores.stage.name,
                        "judge": judge,
                        "criterion": one.removeprefix("answer."),
                        "other_criterion": other.removeprefix("answer."),
                        "evaluations": len(pair),
                        "pearson": _pearson(pair["x"].to_numpy(), pair["y"].to_numpy()),
                        "slice": " ".join(filter(None, own["slice"].unique())),
                    }
                )
    columns = (
        *("stage", "judge", "criterion", "other_criterion"),
        *("evaluations", "pearson", "slice"),
    )
    return pd.DataFrame(found, columns=list(columns))


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _numbers(column: pd.Series[str]) -> pd.Series[float]:
    return pd.to_numeric(column, errors="coerce")

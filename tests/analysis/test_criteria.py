"""Criteria in place of the score: which rows, which scale, and how criteria go together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from daydream.analysis.criteria import correlations, on_criterion
from support.simulation import simulated


@pytest.fixture
def rows() -> pd.DataFrame:
    """Return scores by two templates of judges, one of which gives a depth, with a gap."""
    rows = simulated(
        np.random.default_rng(1),
        levels={"combo_id": 4, "draft_template": 2, "evaluation_template": 2},
    )
    rows["score"] = np.arange(len(rows)) % 7
    depth = (np.arange(len(rows)) * 5 % 9).astype(str)
    rows["answer.depth"] = np.where(rows["evaluation_template"] == "et0", depth, "")
    rows.loc[rows.index[0], "answer.depth"] = ""
    return rows


def test_only_judges_with_the_criterion_are_in_it(rows: pd.DataFrame) -> None:
    """On its scale; an answer without it says so."""
    found = on_criterion(rows, "answer.depth", {"evaluation": {"et0": (0.0, 20.0)}})
    assert set(found["evaluation_template"]) == {"et0"}
    assert len(found) == (rows["evaluation_template"] == "et0").sum()
    assert set(found["score_max"]) == {20}
    lacking = found[found["score"].isna()]
    assert list(lacking["error"]) == ["the answer has no depth"]
    kept = found[found["score"].notna()]
    assert list(kept["score"]) == [float(cell) for cell in rows.loc[kept.index, "answer.depth"]]


def test_correlations(rows: pd.DataFrame) -> None:
    """By judge, over the evaluations that have both numbers; numpy is the oracle."""
    table = correlations(rows, ["answer.depth"])
    both = rows[rows["answer.depth"] != ""]
    judges = both["evaluation_llm"] + "_" + both["evaluation_template"]
    assert list(table["judge"]) == list(judges.unique())
    for row in table.to_dict("records"):
        own = both[judges == row["judge"]]
        expected = np.corrcoef(own["score"], own["answer.depth"].astype(float))[0, 1]
        assert row["pearson"] == pytest.approx(expected)
        assert row["evaluations"] == len(own)
        assert (row["criterion"], row["other_criterion"]) == ("score", "depth")

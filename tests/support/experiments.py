"""Simulated experiments with known truth: how often intervals hold it, and tests find what is not.

Each function makes `count` experiments, analyses each through the tables that users read, and
returns one row per experiment. `tests/analysis/test_intervals.py` runs some of them,
`benchmarks/coverage.py` many.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from daydream.analysis.comparisons import comparisons
from daydream.analysis.leaderboard import leaderboard
from daydream.analysis.scores import Scores, split_stages
from daydream.analysis.summary import final_results
from support.simulation import simulated

ONE = {
    "draft_template": 1,
    "draft_llm": 1,
    "essay_template": 1,
    "evaluation_template": 1,
    "evaluation_llm": 1,
    "evaluation_replicate": 1,
}


def scored(frame: pd.DataFrame) -> Scores:
    # No score is cut at an end of the scale, so that the truth is known.
    wide = frame.assign(score_min=-100.0, score_max=100.0)
    (found,) = split_stages(wide, "simulated")
    return found


def held(row: pd.Series[Any], truth: float, low: str = "ci_low", high: str = "ci_high") -> bool:
    ends = float(row[low]), float(row[high])
    assert not np.isnan(ends).any()
    return bool(ends[0] <= truth <= ends[1])


def means(rng: np.random.Generator, count: int, *, combos: int = 10) -> pd.DataFrame:
    """Return whether intervals hold the mean for new combos and for these; 12 drafts per combo."""
    found = []
    for _ in range(count):
        own = rng.normal(0, 1, combos)

        def effect(rows: pd.DataFrame, own: np.ndarray = own) -> pd.Series:
            return pd.Series(own[rows["combo_id"].str[5:].astype(int)])

        levels = {**ONE, "combo_id": combos, "draft_replicate": 12}
        frame = simulated(rng, levels=levels, sd={"draft": 0.6}, fixed=effect)
        row = final_results(scored(frame)).iloc[0]
        found.append(
            {
                "new combos": held(row, 5),
                "these combos": held(row, 5 + own.mean(), "these_low", "these_high"),
            }
        )
    return pd.DataFrame(found)


def null_comparisons(
    rng: np.random.Generator, count: int, *, combos: int = 10, interaction: float = 0.5
) -> pd.DataFrame:
    """Return what is found where no level is better, but each suits some combos; with gaps."""
    found = []
    levels = {
        **ONE,
        "combo_id": combos,
        "draft_template": 2,
        "essay_template": 2,
        "evaluation_llm": 2,
    }
    for _ in range(count):
        effects = {
            name: rng.normal(0, interaction, (combos, 2))
            for name in ("draft_template", "essay_template", "evaluation_llm")
        }

        def effect(rows: pd.DataFrame, effects: dict[str, Any] = effects) -> pd.Series:
            combo = rows["combo_id"].str[5:].astype(int)
            total = sum(
                table[combo, rows[name].str[-1].astype(int)] for name, table in effects.items()
            )
            return pd.Series(total)

        sd = {"combo_id": 0.6, "draft": 0.5, "essay": 0.5, "residual": 0.6}
        frame = simulated(rng, levels=levels, sd=sd, fixed=effect, missing=0.1)
        table = comparisons(scored(frame)).set_index("dimension")
        p_values = table["p_value"].astype(float).to_dict()
        found.append(
            {
                **{f"{name}: covered": held(table.T[name], 0) for name in effects},
                **{f"{name}: p < .05": p_values[name] < 0.05 for name in effects},
                "any p_holm < .05": bool((table["p_holm"] < 0.05).any()),
            }
        )
    return pd.DataFrame(found)


def recipes(
    rng: np.random.Generator,
    count: int,
    *,
    recipe_sd: float = 0.3,
    templates: int = 12,
    models: int = 6,
    combos: int = 6,
) -> pd.DataFrame:
    """Return how far the leaderboard of templates × models is right about its first row.

    Columns: the error of its adjusted and of its shrunk mean; the share of all recipes whose
    interval of ranks, and whose interval, hold the truth, and that have one; `p_best` of the first
    row, and whether it is the best.
    """
    found = []
    levels = {**ONE, "combo_id": combos, "draft_template": templates, "draft_llm": models}
    for _ in range(count):
        own = rng.normal(0, recipe_sd, (templates, models))

        def effect(rows: pd.DataFrame, own: np.ndarray = own) -> pd.Series:
            template = rows["draft_template"].str[2:].astype(int)
            return pd.Series(own[template, rows["draft_llm"].str[2:].astype(int)])

        frame = simulated(rng, levels=levels, sd={"combo_id": 1, "draft": 0.65}, fixed=effect)
        table = leaderboard(scored(frame))
        truth = np.array(
            [
                own[int(template[2:]), int(model[2:])]
                for template, model in zip(table["draft_template"], table["draft_llm"], strict=True)
            ]
        )
        ranks = 1 + (truth[:, None] < truth[None, :]).sum(axis=1)
        first = table.iloc[0]
        # How high the combos at hand lie does not count here.
        level = table["panel_score"].mean() - truth.mean()
        in_ranks = (table["rank_low"] <= ranks) & (ranks <= table["rank_high"])
        found.append(
            {
                "adjusted error": first["panel_score"] - level - truth[0],
                "shrunk error": first["shrunk_mean"] - level - truth[0],
                "ranks held": in_ranks.mean(),
                "intervals": table["ci_low"].notna().mean(),
                "intervals held": np.mean(
                    (table["ci_low"] <= 5 + truth) & (5 + truth <= table["ci_high"])
                ),
                "p_best": first["p_best"],
                "is best": ranks[0] == 1,
            }
        )
    return pd.DataFrame(found)


def confounded_judges(rng: np.random.Generator, count: int, *, combos: int = 20) -> pd.DataFrame:
    """Return what holds if two equal recipes have a judge each, and one text in ten has both."""
    found = []
    levels = {**ONE, "combo_id": combos, "essay_template": 2, "evaluation_llm": 2}
    for _ in range(count):

        def effect(rows: pd.DataFrame) -> pd.Series:
            return rows["evaluation_llm"].map({"em0": -1.0, "em1": 1.0}).astype(float)

        sd = {"combo_id": 0.6, "draft": 0.5, "essay": 0.5, "residual": 0.6}
        frame = simulated(rng, levels=levels, sd=sd, fixed=effect)
        own = frame["essay_template"].str[-1] == frame["evaluation_llm"].str[-1]
        both = set(frame["parent_gen_id"].drop_duplicates().sample(frac=0.1, random_state=rng))
        frame["score"] = frame["score"].where(own | frame["parent_gen_id"].isin(both))
        table = leaderboard(scored(frame))
        found.append(
            {
                "rows": len(table),
                "covered": np.mean([held(row, 5) for _, row in table.iterrows()]),
            }
        )
    return pd.DataFrame(found)


def tied_writers(seed: int = 1, models: int = 2) -> Scores:
    """Return scores of writers who make both stages, where the third essay template copies."""
    levels = {
        **ONE,
        "combo_id": 7,
        "draft_template": 2,
        "draft_llm": models,
        "essay_template": 3,
        "essay_llm": models,
        "evaluation_llm": 2,
    }
    sd = {"combo_id": 1, "draft": 0.6, "essay": 0.5, "residual": 0.7}
    frame = simulated(np.random.default_rng(seed), levels=levels, sd=sd)
    frame = frame[frame["draft_llm"].str[-1] == frame["essay_llm"].str[-1]].reset_index(drop=True)
    copies = frame["essay_template"] == "et2"
    return scored(frame.assign(essay_mode=np.where(copies, "copy", "llm")))

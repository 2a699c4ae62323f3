"""Writers crossed with judges: whom each judging model favours.

A judge may prefer texts of its own model, or of some other. The table crosses the model that wrote
the judged text with the model that judged it. Where a stage copied its parent's text, its writer is
the one that wrote the copied text.

`preference` is what a cell has beyond its writer and its judge (the interaction of the additive
model): positive if this judge favours this writer. It says nothing about who is right: the judge
may see what others miss. It is estimated within combos, so that a writer's combos do not count, and
its interval is for new combos.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from daydream.analysis.jackknife import Array, Estimate, from_replicates
from daydream.analysis.judges import judge_effects
from daydream.analysis.scores import COPIED, Scores, cells

COLUMNS = [
    *("writer", "judge_llm", "own", "parents", "combos", "mean", "peer_mean"),
    *("preference", "ci_low", "ci_high"),
]
NOTHING = Estimate(float("nan"), 0.0, -1)


def writer_judge(scores: Scores) -> pd.DataFrame:
    """Return a row per model that wrote judged texts and model that judged them.

    `mean` is this judge's mean of the writer's texts, `peer_mean` that of all judges of other
    models than the writer.
    """
    found = _crossed(scores)
    writers, judges = (list(found[name].unique()) for name in ("writer", "judge_llm"))
    if not writers:
        return pd.DataFrame(columns=COLUMNS).assign(score_min=scores.low, score_max=scores.high)
    preference = _preferences(found, writers, judges)
    by_pair = found.groupby(["writer", "judge_llm"])
    peers = found[found["writer"] != found["judge_llm"]].groupby("writer")["value"].mean()
    records = []
    for (writer, judge), own in by_pair:
        estimate = preference.get((str(writer), str(judge)), NOTHING)
        interval = estimate.interval()
        records.append(
            {
                "writer": writer,
                "judge_llm": judge,
                "own": "true" if writer == judge else "false",
                "parents": own["parent"].nunique(),
                "combos": own["combo_id"].nunique(),
                "mean": own["value"].mean(),
                "peer_mean": peers.get(writer, np.nan),
                "preference": estimate.value,
                "ci_low": interval.low,
                "ci_high": interval.high,
            }
        )
    table = pd.DataFrame(records, columns=COLUMNS)
    return table.assign(score_min=scores.low, score_max=scores.high)


def _crossed(scores: Scores) -> pd.DataFrame:
    """Return a row per text and judging model: the mean over that model's templates."""
    made = scores.rows.drop_duplicates("parent").set_index("parent")
    writer = pd.Series(COPIED, index=made.index, dtype=object)
    for stage in scores.stages[:-1]:
        own = made[stage.dimensions[1]]
        writer = own.where(own != COPIED, writer)
    models = scores.rows.drop_duplicates("judge").set_index("judge")[scores.stage.dimensions[1]]
    found = cells(scores)
    if len(scores.stages) < 2 or found.empty:
        return pd.DataFrame(columns=["parent", "combo_id", "writer", "judge_llm", "value"])
    found = found.assign(writer=found["parent"].map(writer), judge_llm=found["judge"].map(models))
    keys = ["parent", "combo_id", "writer", "judge_llm"]
    return found.groupby(keys, sort=False)["value"].mean().reset_index()


def _preferences(
    found: pd.DataFrame, writers: list[str], judges: list[str]
) -> dict[tuple[str, str], Estimate]:
    """Return the preference for each pair of a writer and a judge who has judged all writers.

    A judge's effect on the texts of one writer, less its mean over the writers. Effects are those
    of `judge_effects`, in which a judge counts as another one for each writer.
    """
    pairs = found.assign(judge=found["writer"] + "\n" + found["judge_llm"])
    effects = judge_effects(pairs)
    whole = [
        judge
        for judge in judges
        if effects.bias.reindex([f"{writer}\n{judge}" for writer in writers]).notna().all()
    ]
    if len(whole) < 2 or len(writers) < 2:
        return {}
    shape = len(writers), len(whole)
    names = pd.Index([f"{writer}\n{judge}" for writer in writers for judge in whole])
    places = effects.bias.index.get_indexer(names)
    value = _centred(effects.bias.to_numpy()[places].reshape(shape))
    without = _centred(effects.without[:, places].reshape(-1, *shape))
    return {
        (writer, judge): from_replicates(float(value[i, j]), without[:, i, j])
        for i, writer in enumerate(writers)
        for j, judge in enumerate(whole)
    }


def _centred(table: Array) -> Array:
    """Return the interactions of tables of writers by judges: no row or column has a mean."""
    rows = table - table.mean(axis=-1, keepdims=True)
    centred: Array = rows - rows.mean(axis=-2, keepdims=True)
    return centred

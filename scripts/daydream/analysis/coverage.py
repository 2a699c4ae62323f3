"""What the design asks for and has no score, and why."""

from __future__ import annotations

import pandas as pd

from daydream.analysis.scores import Scores
from daydream.errors import failure_kind


def coverage(scores: Scores) -> pd.DataFrame:
    """Return a row per cell and kind of failure that leaves evaluations of the cell unscored.

    A cell is a combo and one level of each dimension, over all replicates. `gen_id` and `error` are
    those of the first evaluation of that kind.
    """
    cell = ["combo_id", *scores.dimensions]
    planned = scores.rows.groupby(cell, sort=False)["value"].agg(planned="size", scored="count")
    unscored = scores.rows[scores.rows["value"].isna()]
    failures = unscored.assign(kind=failure_kinds(unscored["error"]))
    table = failures.groupby([*cell, "kind"], sort=False).agg(
        missing=("gen_id", "size"),
        gen_id=("gen_id", "first"),
        error=("error", "first"),
    )
    table = table.reset_index().merge(planned.reset_index(), on=cell, how="left")
    counts = ["missing", "scored", "planned"]
    return table[[*cell, "kind", *counts, "gen_id", "error"]]


def failure_kinds(errors: pd.Series[str]) -> pd.Series[str]:
    """Return the kind of each error: its code, the stage at fault, or ``no number``."""
    return errors.fillna("").map(failure_kind)

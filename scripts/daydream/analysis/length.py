"""Do judges like long texts? How scores move with the length of what was judged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from daydream.analysis.jackknife import NO_INTERVAL, Interval, jackknife


def length_slope(found: pd.DataFrame) -> tuple[float, Interval]:
    """Return the points that a text of twice the length has more, among texts of one combo.

    Columns: ``combo_id``, ``value``, and ``chars``, the number of characters of the judged text.
    The slope of a regression within combos, with its interval for new combos. NaN where no combo
    has texts of different length.
    """
    known = found[found["chars"] > 0]
    x = known["chars"].astype(float).map(np.log2)
    x = x - x.groupby(known["combo_id"]).transform("mean")
    y = known["value"] - known.groupby("combo_id")["value"].transform("mean")
    if not (x.abs() > 1e-9).any():
        return float("nan"), NO_INTERVAL
    columns = [(x * y).to_numpy(dtype=float), (x * x).to_numpy(dtype=float)]
    estimate = jackknife(known["combo_id"], columns, lambda xy, xx: xy / xx)
    return estimate.value, estimate.interval()

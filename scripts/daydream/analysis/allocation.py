"""What a comparison could tell with more combos, texts or repeated judgements, and at what cost.

From the variance components of the scores (`variance`), the width of an interval for new combos
follows for any number of combos, texts and replicates (a decision study: Brennan, Generalizability
Theory, 2001). The difference of two levels of a dimension, for the judges at hand, has the variance

    2 · (combo × dimension + (text + (residual + replicate / replicates) / judges) / texts) / combos

where ``text`` are the generations of the dimension's stage and of those after it: two levels start
from the same text, so what was made before does not count. `texts` are those per level and combo.

What a difference must be to be found four times in five follows from the same standard error
(Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from daydream.analysis.jackknife import LEVEL, MIN_COMBOS
from daydream.analysis.scores import Scores, StageColumns
from daydream.analysis.variance import variance

POWER = 0.8
# What is tried: multiples of the combos at hand, and numbers of texts and of replicates.
COMBOS = (1, 2, 4, 8)
TEXTS = (1, 2, 4, 8)
REPLICATES = (1, 2, 4)
COLUMNS = [
    *("dimension", "combos", "texts", "judges", "replicates", "half_width", "detectable"),
    *("evaluations", "usd"),
]


def allocation(scores: Scores) -> pd.DataFrame:
    """Return a row per dimension of the recipes and number of combos, texts and replicates.

    `half_width` is half of the expected interval of the difference of two levels, `detectable` the
    difference that is found with a probability of 80 %. `evaluations` and `usd` are those of one
    pair of levels. Dimensions without two levels, or without a component for what combos and texts
    contribute, have no rows.
    """
    table = variance(scores)
    found = dict(zip(table["component"], table["variance"].astype(float), strict=True))
    records = [
        record
        for index, stage in enumerate(scores.stages[:-1])
        for dimension in stage.dimensions
        if scores.scored[dimension].nunique() > 1
        for record in _designs(scores, dimension, scores.stages[index:-1], found)
    ]
    table = pd.DataFrame(records, columns=COLUMNS)
    return table.assign(score_min=scores.low, score_max=scores.high)


def _designs(
    scores: Scores,
    dimension: str,
    stages: tuple[StageColumns, ...],
    found: Mapping[str, float],
) -> Iterator[dict[str, object]]:
    rows = scores.scored
    here, judges = rows["combo_id"].nunique(), rows["judge"].nunique()
    parts = {
        "combo": found.get(f"combo_id:{dimension}", np.nan),
        **{stage.name: found.get(stage.name, np.nan) for stage in stages},
        "residual": found.get("residual", np.nan),
        "replicate": found.get("replicate", np.nan),
    }
    # A component that the design cannot tell from another is in that other one.
    known = {name: 0.0 if np.isnan(value) else value for name, value in parts.items()}
    if all(np.isnan(value) for value in parts.values()):
        return
    text = sum(known[stage.name] for stage in stages)
    made = rows.drop_duplicates("parent")["parent_usd"].mean()
    judged = pd.to_numeric(rows["usd"], errors="coerce").mean()
    for times, texts, replicates in product(COMBOS, TEXTS, REPLICATES):
        combos = times * here
        if combos < MIN_COMBOS:
            continue
        noise = (known["residual"] + known["replicate"] / replicates) / judges
        error = np.sqrt(2 * (known["combo"] + (text + noise) / texts) / combos)
        df = combos - 1
        reach = stats.t.ppf(0.5 + LEVEL / 2, df)
        each = combos * texts * 2
        yield {
            "dimension": dimension,
            "combos": combos,
            "texts": texts,
            "judges": judges,
            "replicates": replicates,
            "half_width": reach * error,
            "detectable": (reach + stats.t.ppf(POWER, df)) * error,
            "evaluations": each * judges * replicates,
            "usd": each * (made + judges * replicates * judged),
        }

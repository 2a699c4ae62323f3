"""How different the texts of one combo are from each other, overall and by level of each dimension.

Texts of different combos differ because they are about different things, so texts are compared
within combos alone: the effective number of distinct texts (`ngrams.effective_number`) among those
of one combo and level, and their mean over the combos, with its interval for new combos.

The more texts there are, the larger is their effective number. Levels with other `texts_per_combo`
are compared by `effective_share`.

Where the texts have embeddings, the cosines of these give the same numbers for meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daydream.analysis.jackknife import mean_of
from daydream.analysis.ngrams import effective_number, similarities
from daydream.analysis.novelty import MEASURES, Texts

# So many texts of a combo are compared with each other at most, drawn with this seed.
MOST = 200
SEED = 1
COLUMNS = [
    *("stage", "dimension", "level", "combos", "texts", "texts_per_combo", "sampled"),
    *("effective", "ci_low", "ci_high", "effective_share", "similarity"),
    *("effective_by_meaning", "cosine_distance"),
    *MEASURES,
    *("near_duplicates", "slice"),
]


def diversity(texts: Texts) -> pd.DataFrame:
    """Return a row per stage and level of each dimension of the stage or of one before it.

    `effective` and `similarity` are means over combos with two texts or more of that level; the
    measures of `novelty` are means over texts. Copies are left out.
    """
    rows = texts.novelty[texts.made]
    records = [
        record
        for stage, group in rows.groupby("stage", sort=False)
        for record in _of_stage(str(stage), group, texts)
    ]
    return pd.DataFrame(records, columns=COLUMNS)


def _of_stage(stage: str, rows: pd.DataFrame, texts: Texts) -> Iterator[dict[str, object]]:
    blocks = {
        str(combo): _block(group.index, texts)
        for combo, group in rows.groupby("combo_id", sort=False)
    }
    own = list(texts.rows.columns)
    dimensions = [
        name
        for name in own[own.index("combo_id") + 1 : own.index("mode")]
        if (rows[name] != "").any() and not name.endswith("_replicate")
    ]
    rows = rows.assign(overall="")
    for dimension in ("overall", *dimensions):
        for level, group in rows.groupby(dimension, sort=False):
            yield {
                "stage": stage,
                "dimension": dimension,
                "level": level,
                **_spread(group, blocks),
                "slice": " ".join(filter(None, group["slice"].unique())),
            }


class _Block:
    """Some texts of one combo, and how alike each two of them are, in wording and in meaning."""

    def __init__(self, places: Sequence[int], texts: Texts) -> None:
        self._order = {place: number for number, place in enumerate(places)}
        self._wording = similarities([texts.alike[place] for place in places])
        self._meaning = texts.meaning.cosines(places)

    def of(self, places: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the similarities among those of the places that were drawn.

        In meaning, only among those that have embeddings.
        """
        kept = [self._order[place] for place in places if place in self._order]
        known = [number for number in kept if not np.isnan(self._meaning[number, number])]
        return self._wording[np.ix_(kept, kept)], self._meaning[np.ix_(known, known)]


def _block(places: pd.Index[int], texts: Texts) -> _Block:
    drawn = places.to_numpy()
    if len(drawn) > MOST:
        rng = np.random.default_rng(SEED)
        drawn = np.sort(rng.choice(drawn, MOST, replace=False))
    return _Block(drawn.tolist(), texts)


def _mean_pair(cosines: NDArray[Any]) -> float:
    n = len(cosines)
    return float((cosines.sum() - n) / (n * (n - 1)))


def _spread(rows: pd.DataFrame, blocks: dict[str, _Block]) -> dict[str, object]:
    found, meant = [], []
    for combo, group in rows.groupby("combo_id", sort=False):
        wording, meaning = blocks[str(combo)].of(group.index.tolist())
        n = len(wording)
        if n > 1:
            found.append((combo, n, effective_number(wording), _mean_pair(wording)))
        if len(meaning) > 1:
            meant.append((effective_number(meaning), 1 - _mean_pair(meaning)))
    table = pd.DataFrame(found, columns=["combo", "n", "effective", "similarity"])
    meanings = np.array(meant, dtype=float).reshape(-1, 2)
    by_meaning, distance = meanings.mean(axis=0) if meant else (np.nan, np.nan)
    estimate = mean_of(table["combo"], table["effective"])
    low, high = estimate.interval()
    most = float(table["n"].max()) if len(table) else np.nan
    return {
        "combos": len(table),
        "texts": len(rows),
        "texts_per_combo": len(rows) / rows["combo_id"].nunique(),
        "sampled": "yes" if table["n"].sum() < len(rows) and most >= 1 else "",
        "effective": estimate.value,
        "ci_low": max(low, 1.0) if low == low else low,  # noqa: PLR0124 - NaN
        "ci_high": min(high, most) if high == high else high,  # noqa: PLR0124
        "effective_share": (table["effective"] / table["n"]).mean(),
        "similarity": table["similarity"].mean(),
        "effective_by_meaning": by_meaning,
        "cosine_distance": distance,
        **{name: rows[name].astype(float).mean() for name in MEASURES},
        "near_duplicates": (rows["near_duplicates"].astype(float) > 0).mean(),
    }

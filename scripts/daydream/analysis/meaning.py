"""How near texts are in meaning: the cosines of their embeddings.

All is done in blocks of rows: the cosines of each two of 10,000 texts would be 800 MB.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daydream.errors import Problems

Vectors = NDArray[np.float32]
# So many texts are compared with all others at once.
BLOCK = 512
FOUND = ("nearest_cosine", "nearest_by_meaning", "parent_cosine", "sibling_cosine")


class Meaning:
    """The embeddings of some texts, of length 1. A text without one has a row of NaN."""

    def __init__(self, vectors: Vectors) -> None:
        """Take over the matrix of embeddings, and scale its rows in place."""
        for start in range(0, len(vectors), BLOCK):
            block = vectors[start : start + BLOCK]
            block /= np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64))[:, None]
        self._vectors = vectors
        self.known: NDArray[np.bool_] = ~np.isnan(vectors[:, 0])

    def cosines(self, places: Sequence[int]) -> NDArray[np.float64]:
        """Return the cosines of each two of some texts; NaN for those without an embedding."""
        own = self._vectors[list(places)].astype(np.float64)
        cosines = own @ own.T
        np.fill_diagonal(cosines, np.where(self.known[list(places)], 1.0, np.nan))
        return cosines

    def pairs(self, one: Sequence[int], other: Sequence[int]) -> NDArray[np.float64]:
        """Return the cosine of each text of one list with that at the same place of the other."""
        found = np.empty(len(one))
        for start in range(0, len(one), BLOCK):
            part = slice(start, start + BLOCK)
            left, right = self._vectors[list(one[part])], self._vectors[list(other[part])]
            found[part] = np.einsum("ij,ij->i", left, right, dtype=np.float64)
        return found

    def nearest(self, places: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the nearest other of these texts for each of them, and their cosine.

        All must have embeddings; there are at least two. Of several, the first is taken.
        """
        own = self._vectors[places]
        near = np.empty(len(places), dtype=np.intp)
        for start in range(0, len(places), BLOCK):
            cosines = own[start : start + BLOCK] @ own.T
            rows = np.arange(len(cosines))
            cosines[rows, start + rows] = -np.inf
            near[start : start + BLOCK] = cosines.argmax(axis=1)
        others = places[near]
        return others, self.pairs(places.tolist(), others.tolist())

    def mean_of_others(self, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the mean cosine of each of these texts with all the others.

        All must have embeddings; there are at least two. The sum of the cosines with all is the
        cosine with the sum of all.
        """
        total = self._vectors[places].sum(axis=0, dtype=np.float64)
        found = np.empty(len(places))
        for start in range(0, len(places), BLOCK):
            own = self._vectors[places[start : start + BLOCK]].astype(np.float64)
            itself = np.einsum("ij,ij->i", own, own)
            found[start : start + BLOCK] = (own @ total - itself) / (len(places) - 1)
        return found


def read_meaning(path: str, count: int) -> Meaning:
    """Return the embeddings in a file, of so many texts; none without a path.

    Raises:
        InputError: the file cannot be read, or is of other texts.
    """
    if not path:
        return Meaning(np.full((count, 1), np.nan, dtype=np.float32))
    problems = Problems("embeddings")
    remedy = "delete it and run snakemake again"
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        problems.add(path, f"cannot be read ({error})", remedy)
        problems.check()
        raise
    if vectors.ndim != 2 or len(vectors) != count or not vectors.shape[1]:
        problems.add(path, f"has not one embedding for each of {count:,} texts", remedy)
    problems.check()
    return Meaning(vectors.astype(np.float32, copy=False))


def compared(rows: pd.DataFrame, meaning: Meaning) -> pd.DataFrame:
    """Return how near each text is to the others of its stage, its parent and its siblings."""
    found = pd.DataFrame(
        {name: "" if name == "nearest_by_meaning" else np.nan for name in FOUND}, index=rows.index
    )
    known = rows[meaning.known]
    made = known[known["mode"] != "copy"]
    for _, group in made.groupby("stage", sort=False):
        if len(group) > 1:
            others, cosines = meaning.nearest(group.index.to_numpy())
            found.loc[group.index, "nearest_cosine"] = cosines
            found.loc[group.index, "nearest_by_meaning"] = rows["gen_id"].to_numpy()[others]
    for _, group in made.groupby(["stage", "combo_id"], sort=False):
        if len(group) > 1:
            found.loc[group.index, "sibling_cosine"] = meaning.mean_of_others(
                group.index.to_numpy()
            )
    place = dict(zip(known["gen_id"], known.index.tolist(), strict=True))
    children = known[known["parent_gen_id"].isin(list(place))]
    parents = [place[name] for name in children["parent_gen_id"]]
    found.loc[children.index, "parent_cosine"] = meaning.pairs(children.index.tolist(), parents)
    return found

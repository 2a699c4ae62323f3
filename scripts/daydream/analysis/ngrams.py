"""Texts as runs of characters: what of a text also stands in another, and how alike two are.

Texts are compared without regard to case and to how much white space there is. A run of `n`
characters is a 64-bit number, so that runs are compared as arrays. No model, dictionary or network
is needed, and any script will do.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Hashes = NDArray[np.unsignedinteger[Any]]

# So many characters in a row are not shared by chance: four or five words of English.
COPIED = 24
# Shorter runs tell how alike texts are.
ALIKE = 5
# Columns of the vectors that texts are compared by.
COLUMNS = 1 << 20
# Steele and Vigna, Computationally easy, spectrally good multipliers, 2021.
_FACTOR = np.uint64(0xD1342543DE82EF95)


def runs(text: str, n: int) -> Hashes:
    """Return the hashes of a text's runs of `n` characters, in order; none if it is shorter."""
    plain = " ".join(text.casefold().split())
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    count = len(codes) - n + 1
    if count < 1:
        return np.zeros(0, dtype=np.uint64)
    hashes = np.zeros(count, dtype=np.uint64)
    for place in range(n):
        hashes = hashes * _FACTOR + codes[place : place + count] + np.uint64(1)
    # The last characters reach the high bits only by another product.
    hashes = (hashes ^ (hashes >> np.uint64(32))) * _FACTOR
    return hashes ^ (hashes >> np.uint64(29))


def distinct(hashes: Hashes) -> Hashes:
    """Return each of some hashes once, sorted."""
    # numpy's own `unique` is slower for arrays as short as a text.
    ordered = np.sort(hashes)
    return ordered[_firsts(ordered)]


def _firsts(ordered: Hashes) -> NDArray[np.bool_]:
    first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first


def share_in(own: Hashes, sources: Hashes, *, n: int = COPIED) -> float:
    """Return which part of a text's characters stands in runs that the sources have, too.

    `own` are the runs of the text, `sources` those of all sources, `distinct`; both of `n`
    characters. NaN for a text that has none.
    """
    if not len(own):
        return float("nan")
    if not len(sources):
        return 0.0
    places = np.searchsorted(sources, own)
    places[places == len(sources)] = 0
    return _covered(sources[places] == own, n)


def shares_in_others(texts: Sequence[Hashes], *, n: int = COPIED) -> list[float]:
    """Return, for each of some texts, which part of it stands in any of the others."""
    if not texts:
        return []
    ordered = np.sort(np.concatenate([distinct(own) for own in texts]))
    shared = distinct(ordered[~_firsts(ordered)])
    return [share_in(own, shared, n=n) for own in texts]


def _covered(marked: NDArray[np.bool_], n: int) -> float:
    """Return the part of all characters that lie in a marked run."""
    edges = np.zeros(len(marked) + n, dtype=np.int64)
    starts = np.flatnonzero(marked)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + n, -1)
    return float((np.cumsum(edges)[:-1] > 0).mean())


class Profile(NamedTuple):
    """The different runs of a text, sorted, as 32-bit numbers, and how often each is in it."""

    runs: NDArray[np.uint32]
    counts: NDArray[np.uint16]


def profile(text: str, n: int = ALIKE) -> Profile:
    """Return the runs of a text by which it is compared with others."""
    ordered = np.sort((runs(text, n) >> np.uint64(32)).astype(np.uint32))
    starts = np.flatnonzero(_firsts(ordered))
    counts = np.diff(starts, append=len(ordered))
    return Profile(ordered[starts], np.minimum(counts, 0xFFFF).astype(np.uint16))


def jaccard(one: Profile, other: Profile) -> float:
    """Return how many different runs both texts have, as a part of all that one of them has."""
    both = len(np.intersect1d(one.runs, other.runs, assume_unique=True))
    return both / (len(one.runs) + len(other.runs) - both)


def compression(text: str) -> float:
    """Return the length of a text, packed by zlib, as a part of its own in bytes; NaN if empty."""
    data = text.encode("utf-8", "surrogatepass")
    return len(zlib.compress(data, 9)) / len(data) if data else float("nan")


def similarities(texts: Sequence[Profile]) -> NDArray[np.float64]:
    """Return the cosines of the counts of runs of each two texts, as a square matrix."""
    if not texts:
        return np.zeros((0, 0))
    lengths = [len(text.runs) for text in texts]
    counts = np.concatenate([text.counts for text in texts]).astype(float)
    columns = np.concatenate([text.runs for text in texts]).astype(np.int64) % COLUMNS
    rows = np.repeat(np.arange(len(texts)), lengths)
    vectors = sparse.csr_matrix((counts, (rows, columns)), shape=(len(texts), COLUMNS))
    norms = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1), dtype=float)).ravel()
    vectors = sparse.diags_array(1 / np.where(norms > 0, norms, 1)) @ vectors
    cosines: NDArray[np.float64] = (vectors @ vectors.T).toarray()
    np.fill_diagonal(cosines, 1.0)
    return cosines


def effective_number(cosines: NDArray[Any]) -> float:
    """Return the effective number of distinct texts: 1 if all are the same, n if none are alike.

    The exponential of the entropy of the eigenvalues of the similarities (Friedman and Dieng, The
    Vendi Score, 2023). NaN without texts.
    """
    n = len(cosines)
    if not n:
        return float("nan")
    values = np.linalg.eigvalsh(cosines / n)
    values = values[values > 0]
    return float(np.exp(-(values * np.log(values)).sum()))

"""How new each text is: what of it stands in its prompt, its parent and its siblings.

The siblings of a text are the other texts of the same stage and combo, whatever their recipe. Texts
that a stage copied are nobody's work: nothing is a copy of them, and they have no siblings.

Where the texts have embeddings, they are compared in meaning, too (`meaning`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from datasketch import MinHash, MinHashLSH

from daydream.analysis.frames import read_csv
from daydream.analysis.meaning import Meaning, compared, read_meaning
from daydream.analysis.ngrams import (
    COPIED,
    Hashes,
    Profile,
    compression,
    distinct,
    jaccard,
    profile,
    runs,
    share_in,
    shares_in_others,
)
from daydream.errors import Problems, nearest
from daydream.files import read_text

NEEDED = ("stage", "gen_id", "parent_gen_id", "combo_id", "mode", "slice")
FILES = ("file", "prompt_file", "parent_file")
# Two texts are near-duplicates if they have so much of their runs in common.
NEAR = 0.8
_PERMUTATIONS = 128
# One run of four is enough to tell near-duplicates; which ones follows from the runs themselves.
_EVERY = np.uint32(4)

SHARES = ("prompt_share", "parent_share", "sibling_share")
MEASURES = (*SHARES, "compression")
FOUND = ("near_duplicates", "nearest", "nearest_similarity")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Texts:
    """The texts of a cohort: a row each, what it is compared by, and what `novelty` says of it.

    `rows` has the columns of the file.
    """

    rows: pd.DataFrame
    alike: list[Profile]
    meaning: Meaning
    novelty: pd.DataFrame

    @property
    def made(self) -> pd.Series[bool]:
        """Whether each text is the work of a model, and no copy."""
        return self.rows["mode"] != "copy"


def read_texts(path: str, embeddings: str = "") -> Texts:
    """Return the texts that a table names (`reports.texts`), read and compared.

    `embeddings` is the path of the matrix of their embeddings (`reports.embeddings`), if any.

    Raises:
        InputError: the table or the matrix cannot be read.
        StoreError: one of the texts cannot be read.
    """
    problems = Problems("texts")
    rows = read_csv(path, problems)
    for name in (*NEEDED, *FILES):
        if name not in rows:
            problems.add(path, f"lacks the column {name!r}", nearest(name, rows.columns))
    problems.check()
    meaning = read_meaning(embeddings, len(rows))
    texts = [read_text(file) for file in rows["file"]]
    alike = [profile(text) for text in texts]
    measured = pd.DataFrame(
        {
            "chars": [len(text) for text in texts],
            **_shares(rows, texts),
            "compression": [compression(text) for text in texts],
        },
        index=rows.index,
    )
    near = _near_duplicates(rows, alike)
    own = [name for name in rows.columns if name not in (*FILES, "slice")]
    parts = [rows[own], measured, near, compared(rows, meaning), rows[["slice"]]]
    table = pd.concat(parts, axis=1)
    return Texts(rows=rows, alike=alike, meaning=meaning, novelty=table)


def _shares(rows: pd.DataFrame, texts: list[str]) -> dict[str, list[float]]:
    """Return which part of each text stands in its prompt, its parent and its siblings."""
    shares = {name: [float("nan")] * len(rows) for name in SHARES}
    # A group at a time: all runs of all texts would be 24 kB for each page.
    for (_, _, mode), group in rows.groupby(["stage", "combo_id", "mode"], sort=False):
        own = {place: runs(texts[place], COPIED) for place in group.index}
        siblings = shares_in_others([*own.values()]) if mode != "copy" else []
        for (place, _), share in zip(own.items(), siblings, strict=False):
            shares["sibling_share"][place] = share
        parents: dict[str, Hashes] = {}
        for place, each in own.items():
            prompt, parent = rows["prompt_file"][place], rows["parent_file"][place]
            shares["prompt_share"][place] = share_in(each, _source(prompt))
            if parent:
                if parent not in parents:
                    parents[parent] = _source(parent)
                shares["parent_share"][place] = share_in(each, parents[parent])
    return shares


def _source(file: str) -> Hashes:
    return distinct(runs(read_text(file), COPIED))


def _near_duplicates(rows: pd.DataFrame, alike: list[Profile]) -> pd.DataFrame:
    """Return how many near-duplicates each text has in its stage, and its nearest one."""
    found = pd.DataFrame(
        {"near_duplicates": np.nan, "nearest": "", "nearest_similarity": np.nan}, index=rows.index
    )
    for _, group in rows[rows["mode"] != "copy"].groupby("stage", sort=False):
        places = list(group.index)
        found.loc[places, "near_duplicates"] = 0
        for place, others in _alike(places, alike).items():
            near, similarity = max(others.items(), key=lambda item: (item[1], -item[0]))
            found.loc[place, list(FOUND)] = [len(others), rows["gen_id"][near], similarity]
    return found


def _alike(places: list[int], alike: list[Profile]) -> Mapping[int, Mapping[int, float]]:
    """Return the near-duplicates of each text that has any, with their similarity.

    Candidates are found by MinHash (Broder, On the resemblance and containment of documents, 1997),
    and then compared exactly.
    """
    index = MinHashLSH(threshold=NEAR, num_perm=_PERMUTATIONS)
    pairs: dict[int, dict[int, float]] = {}
    for place in places:
        if not len(alike[place].runs):
            continue
        sketch = _sketch(alike[place])
        for other in index.query(sketch):
            similarity = jaccard(alike[place], alike[other])
            if similarity >= NEAR:
                pairs.setdefault(place, {})[other] = similarity
                pairs.setdefault(other, {})[place] = similarity
        index.insert(place, sketch)
    return pairs


def _sketch(text: Profile) -> MinHash:
    kept = text.runs[text.runs % _EVERY == 0]
    # Of a short text, all runs.
    kept = kept if len(kept) >= _PERMUTATIONS else text.runs
    sketch = MinHash(num_perm=_PERMUTATIONS, hashfunc=int)
    sketch.update_batch(kept.tolist())
    return sketch


def joined(rows: pd.DataFrame, novelty: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return score rows with some columns of `novelty`, of what each has judged.

    Empty where that has no text, or none but a score.
    """
    of_text = novelty.set_index("gen_id")[list(names)].apply(pd.to_numeric, errors="coerce")
    return rows.join(of_text, on="parent_gen_id")


def novelty(texts: Texts) -> pd.DataFrame:
    """Return a row per text: its recipe, and how new it is."""
    return texts.novelty

"""The embeddings of a cohort's texts, in the order of the table of texts: a matrix in NumPy's form.

A row of NaN is a text without an embedding: an empty one, or, in a partial report, one that has
none yet.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from daydream.calls.embedding import Text
from daydream.errors import StoreError
from daydream.experiment.experiment import Experiment
from daydream.files import read_text, replacing, text_sha256
from daydream.llm.embeddings import NUMBER_BYTES
from daydream.store.embeddings import Space, find_embedding


def embed_texts(experiment: Experiment, *, cohort: str, texts: str, output: str) -> None:
    """Get the embeddings that a table of texts lacks, and write all of them.

    With the setting `partial`, none are asked for.

    Raises:
        DaydreamError: as `Embedding.embed`; or one of the files is damaged.
    """
    wanted = [text_of(file) for file in _files(texts)]
    if not experiment.settings.partial:
        experiment.embedding.embed((text for text in wanted if text is not None), cohort=cohort)
    _write(output, _vectors(experiment.embedding.space, wanted))


def text_of(file: str) -> Text | None:
    """Return what is asked about a text; None if there is nothing in it to be asked about."""
    content = read_text(file)
    if not content.strip():
        return None
    return Text(file, text_sha256(content), len(content.encode()))


def _files(texts: str) -> list[str]:
    with Path(texts).open(encoding="utf-8", newline="") as table:
        return [row["file"] for row in csv.DictReader(table)]


def _vectors(space: Space, texts: Iterable[Text | None]) -> list[bytes | None]:
    """Return the vectors that there are, all of the same length.

    Raises:
        StoreError: one is damaged, or of another length than those before it.
    """
    vectors: list[bytes | None] = []
    length = 0
    for text in texts:
        vector = None if text is None else find_embedding(space, text.sha256)
        if vector is not None and text is not None:
            length = length or len(vector)
            if len(vector) != length:
                raise StoreError(
                    f"{space.file(text.sha256)}: has {len(vector) // NUMBER_BYTES} numbers, and "
                    f"others have {length // NUMBER_BYTES}; delete the files of {space.directory} "
                    f"that another model has given"
                )
        vectors.append(vector)
    return vectors


def _write(path: str, vectors: Sequence[bytes | None]) -> None:
    import numpy as np  # noqa: PLC0415 - slow to import, and only needed with embeddings

    width = next((len(each) // NUMBER_BYTES for each in vectors if each is not None), 1)
    matrix = np.full((len(vectors), width), np.nan, dtype="<f4")
    for row, vector in enumerate(vectors):
        if vector is not None:
            matrix[row] = np.frombuffer(vector, dtype="<f4")
    with replacing(path) as file:
        np.save(file, matrix)

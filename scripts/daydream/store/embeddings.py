"""Paid embeddings, each once per text, provider, model and dimensions.

`data/embeddings/<provider>/<model>/<first two digits>/<sha256 of the text>.json`, where the model
is ``<model>@<dimensions>`` if the settings give these. Each is written durably before it is used.
So equal texts share one, whichever cohort they are in.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from daydream.errors import StoreError
from daydream.files import ReservedFile, cannot_be_written, write_text
from daydream.llm.embeddings import NUMBER_BYTES, Embedded
from daydream.store.journal import CHECKSUM, CLAIM_PAUSE_S, checksum_of
from daydream.store.layout import read_json

EMBEDDINGS = Path("data/embeddings")
LOCK = "lock"
# The bytes of a file besides those of its vector, and the length of a vector that is not known yet.
HEAD_BYTES = 1024
LONGEST = 4096


class Space(NamedTuple):
    """What makes vectors comparable: who gave them, and how long they are (None: as they come)."""

    provider: str
    model: str
    dimensions: int | None = None

    @property
    def directory(self) -> Path:
        """The directory of its embeddings."""
        name = _name(self.model)
        size = "" if self.dimensions is None else f"@{self.dimensions}"
        return EMBEDDINGS / _name(self.provider) / f"{name}{size}"

    def file(self, text_sha256: str) -> Path:
        """Return the file of a text's embedding."""
        return self.directory / text_sha256[:2] / f"{text_sha256}.json"


def _name(text: str) -> str:
    """Return a text as the name of a directory: ``BAAI%2Fbge-m3``."""
    name = quote(text, safe="")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def find_embedding(space: Space, text_sha256: str) -> bytes | None:
    """Return the vector of a text, as little-endian numbers of four bytes; None if there is none.

    Raises:
        StoreError: the file is damaged. It is not paid for again: the user restores or deletes it.
    """
    path = space.file(text_sha256)
    return read_embedding(path) if path.exists() else None


def read_embedding(path: Path) -> bytes:
    """Return the vector in a file.

    Raises:
        StoreError: the file is damaged, or is not the one that its name says.
    """
    entry = read_json(path)
    try:
        vector = base64.b64decode(entry["embedding"], validate=True)
        whole = entry[CHECKSUM] == checksum_of(entry) and entry["text_sha256"] == path.stem
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: is not an embedding; restore it, or delete it") from error
    if not whole or not vector or len(vector) % NUMBER_BYTES:
        raise StoreError(
            f"{path}: is not what was written, as its checksum is another one; restore it, or "
            f"delete it"
        )
    return vector


def record_embedding(
    space: Space, text_sha256: str, vector: bytes, answer: Embedded, *, client: str
) -> None:
    """Write a text's embedding so that it survives a crash of the process or the machine.

    Raises:
        StoreError: the file system does not take it.
    """
    path = space.file(text_sha256)
    entry: dict[str, object] = {
        "text_sha256": text_sha256,
        **space._asdict(),
        "answered_by": answer.model,
        "client": client,
        "started_at": answer.started_at,
        "numbers": len(vector) // NUMBER_BYTES,
        "embedding": base64.b64encode(vector).decode(),
    }
    entry[CHECKSUM] = checksum_of(entry)
    text = json.dumps(entry, ensure_ascii=False, indent=1) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_be_written(path.parent, error) from error
    write_text(path, text, durable=True)


@contextmanager
def room(space: Space, name: str, count: int) -> Iterator[None]:
    """Make sure that the disk has room for so many embeddings, before they are paid for.

    `name` tells the file that takes the room apart from those of other threads.

    Raises:
        StoreError: it has not.
    """
    size = count * (HEAD_BYTES + 6 * (space.dimensions or LONGEST))
    path = space.directory / name
    try:
        # It is never written: nobody else has a file of that name.
        file = ReservedFile(path, size=size, wait=lambda: None)
    except OSError as error:
        raise cannot_be_written(path, error) from error
    with file:
        yield


@contextmanager
def alone(space: Space, *, wait: Callable[[float], object]) -> Iterator[None]:
    """Exclude all other threads and processes from asking for these embeddings.

    While another one does, `wait` is called with the seconds until the next look. The system lets
    go when the process ends, however it ends.

    Raises:
        StoreError: the file system does not allow it.
    """
    try:
        space.directory.mkdir(parents=True, exist_ok=True)
        file = os.open(space.directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise cannot_be_written(space.directory / LOCK, error) from error
    try:
        while not _locked(file):
            wait(CLAIM_PAUSE_S)
        yield
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def kept_embeddings() -> Iterator[Path]:
    """Yield the files of all embeddings."""
    return EMBEDDINGS.glob("*/*/??/*.json")

"""Files that are never seen half-written, and their digests.

Every write goes to a temporary file in the same directory that then takes the final name. What
holds a paid answer is written `durable`: file and directory reach the disk before the call returns.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from daydream.errors import StoreError


def write_text(path: str | Path, text: str, *, durable: bool = False) -> None:
    """Write `text` to `path` as UTF-8, exactly as it is, atomically.

    Raises:
        StoreError: the text has no UTF-8 form, or the file system refuses the file.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise StoreError(
            f"{path}: character {error.start + 1} of the text is a lone surrogate, which UTF-8 "
            f"cannot hold; remove it at its source"
        ) from error
    temporary = f"{path}.{os.getpid()}-{threading.get_ident()}.tmp"
    try:
        _write_and_rename(data, temporary, str(path), durable=durable)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}); mend that and run snakemake again"
        ) from error


def _write_and_rename(data: bytes, temporary: str, path: str, *, durable: bool) -> None:
    with open(temporary, "wb") as file:  # noqa: PTH123 - one call less than Path.open, per job
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)  # noqa: PTH105 - as above
    if durable:
        directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY)  # noqa: PTH120
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def write_json(path: str | Path, value: Mapping[str, object], *, durable: bool = False) -> None:
    """Write `value` to `path` as readable JSON, one key a line, in the order given."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    write_text(path, text + "\n", durable=durable)


def read_text(path: str | Path) -> str:
    """Return the text of a file of the store, newlines kept as they are.

    Raises:
        StoreError: the file is missing, unreadable or no UTF-8.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read().decode()
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be read ({error.strerror}); run snakemake for it again"
        ) from error
    except UnicodeDecodeError as error:
        raise StoreError(
            f"{path}: byte {error.start + 1} is no UTF-8; delete the file and run snakemake again"
        ) from error


def text_sha256(text: str) -> str:
    """Return the SHA-256 of `text` in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes; read again only when its size or time changed."""
    status = path.stat()
    return _file_sha256(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4096)
def _file_sha256(path: Path, _mtime_ns: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""Files that are never seen half-written, and their digests.

Every write goes to a temporary file in the same directory that then takes the final name. What
holds a paid answer is written `durable`: file and directory reach the disk before the call returns.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from daydream.errors import StoreError

CHUNK = 1 << 14


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
        sync_directory(os.path.dirname(path) or ".")  # noqa: PTH120


def sync_directory(path: str | Path) -> None:
    """Let the names in a directory reach the disk."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class ReservedFile:
    """A file that one thread of one process may write, and whose space is taken beforehand.

    Whoever reserves it holds a lock (flock) on `<path>.part`, which the system releases when the
    process ends, however it ends. Another that reserves it waits, and then finds the file written,
    or takes over. As a context it leaves nothing behind if it was not written.
    """

    def __init__(self, path: Path, *, size: int, wait: Callable[[], object]) -> None:
        """Take `size` bytes beside `path`; while another holds it, call `wait` again and again.

        Raises:
            OSError: the file system does not have the space, or refuses the file.
        """
        self.path = path
        self._part = f"{path}.part"
        self._written = False
        while (file := _locked(self._part)) is None:
            wait()
        self._file = file
        try:
            os.posix_fallocate(self._file, 0, size)
        except OSError:
            self.__exit__()
            raise

    def write(self, text: str) -> None:
        """Give the file its content and its name, durably.

        Raises:
            StoreError: the file system refuses it.
        """
        data = text.encode()
        try:
            with os.fdopen(os.dup(self._file), "wb") as file:
                file.write(data)
            os.ftruncate(self._file, len(data))
            os.fsync(self._file)
            Path(self._part).replace(self.path)
            self._written = True
            sync_directory(self.path.parent)
        except OSError as error:
            raise StoreError(
                f"{self.path}: cannot be written ({error.strerror}); mend that and run snakemake "
                f"again"
            ) from error

    def __enter__(self) -> ReservedFile:
        return self

    def __exit__(self, *_: object) -> None:
        # In this order: who waits sees that the name is gone, and begins again.
        if not self._written:
            Path(self._part).unlink(missing_ok=True)
        os.close(self._file)


def _locked(path: str) -> int | None:
    """Return a file, open and locked; None if another holds it, or has just given it its name."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        own, named = os.fstat(file), os.stat(path)  # noqa: PTH116 - as below
        if (own.st_dev, own.st_ino) == (named.st_dev, named.st_ino):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return None


def write_json(path: str | Path, value: Mapping[str, object], *, durable: bool = False) -> None:
    """Write `value` to `path` as readable JSON, one key a line, in the order given."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    write_text(path, text + "\n", durable=durable)


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a file.

    It takes four system calls, where `open` takes eight: many threads read many small files here,
    and each call passes the interpreter from one to the next.

    Raises:
        OSError: the file is missing or unreadable.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, CHUNK):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def read_text(path: str | Path) -> str:
    """Return the text of a file of the store, newlines kept as they are.

    Raises:
        StoreError: the file is missing, unreadable or no UTF-8.
    """
    try:
        return read_bytes(path).decode()
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be read ({error.strerror}); run snakemake for it again"
        ) from error
    except UnicodeDecodeError as error:
        raise StoreError(
            f"{path}: byte {error.start + 1} is no UTF-8; delete the file and run snakemake again"
        ) from error


def holds(path: str | Path, text: str) -> bool:
    """Tell whether a file is there and holds just that text."""
    try:
        return read_bytes(path) == text.encode()
    except OSError:
        return False


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

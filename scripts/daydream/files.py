"""Files that are never visible half-written, and their digests.

Every write goes to a temporary file in the same directory, which is then renamed. What holds a paid
answer is written `durable`: the file and its directory reach the disk before the call returns.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

from daydream.errors import StoreError

CHUNK = 1 << 14
# The name of this machine in the names of unfinished files.
HOST = re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname())[:32] or "host"
TEMPORARY = re.compile(r"\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)-\d+\.tmp$")
PART = ".part"
# What the system says if nothing more can be written.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
# What it says if no more files can be open, in this process or on this machine.
NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
MORE_FILES = "allow more open files (ulimit -n), or use fewer --cores"
# For how many seconds other threads and processes may close some of theirs, and how often to look.
FILES_WAIT_S, FILES_PAUSE_S = 10.0, 0.05
# A text of JSON, which is a key if a colon follows, and what begins or ends an object or a list.
_JSON_MARKS = re.compile(r'(?:(?P<key>"(?:[^"\\]|\\.)*")\s*:)|"(?:[^"\\]|\\.)*"|[{}\[\]]')


@contextmanager
def replacing(path: str | Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing. It gets the name `path` when it is complete.

    If anything fails before that, the file is deleted, and the old file at `path` stays.

    Raises:
        StoreError: the file system does not take the file.
    """
    temporary = _temporary(path)
    try:
        # One call less than Path.open, per job.
        with open(temporary, "wb", opener=open_file) as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        _rename(temporary, path, durable=durable)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_be_written(path, error) from error
        raise


def _temporary(path: str | Path) -> str:
    """Return the name of a file until it is complete; no other thread or process uses it.

    The name says which process writes it, so that `store.leftovers` can find those of killed ones.
    """
    return f"{path}.{HOST}.{os.getpid()}-{threading.get_ident()}.tmp"


def _rename(temporary: str, path: str | Path, *, durable: bool) -> None:
    os.replace(temporary, path)  # noqa: PTH105 - as above
    if durable:
        sync_directory(os.path.dirname(path) or ".")  # noqa: PTH120


def cannot_be_written(path: str | Path, error: OSError) -> StoreError:
    """Return the error about a file that the file system does not take."""
    remedy = remedy_of(error, "fix that")
    return StoreError(
        f"{path}: cannot be written ({error.strerror}); {remedy} and run snakemake again"
    )


def remedy_of(error: OSError, otherwise: str) -> str:
    """Return what helps against an error: more open files if there are too few, or `otherwise`."""
    return MORE_FILES if error.errno in NO_FILES else otherwise


def open_file(path: str | Path, flags: int, mode: int = 0o666) -> int:
    """Open a file, and return its descriptor. Where too many are open, wait for others to close.

    Raises:
        OSError: it cannot be opened, or too many files stay open.
    """
    end = time.monotonic() + FILES_WAIT_S
    while True:
        try:
            return os.open(path, flags | os.O_CLOEXEC, mode)
        except OSError as error:
            if error.errno not in NO_FILES or time.monotonic() > end:
                raise
        time.sleep(FILES_PAUSE_S)


def sync_directory(path: str | Path) -> None:
    """Write the names in a directory to the disk."""
    directory = open_file(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_text(path: str | Path, text: str, *, durable: bool = False) -> None:
    """Write `text` to `path` as UTF-8, exactly as it is, atomically.

    Raises:
        StoreError: the text has no UTF-8 form, or the file system does not take the file.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise StoreError(
            f"{path}: character {error.start + 1} of the text is a lone surrogate, which UTF-8 "
            f"cannot hold; remove it at its source"
        ) from error
    with replacing(path, durable=durable) as file:
        file.write(data)


def write_json(path: str | Path, value: Mapping[str, object]) -> None:
    """Write `value` to `path` as readable JSON, one key per line, in the order given."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


@contextmanager
def held(path: Path) -> Iterator[TextIO]:
    """Hold the lock of a file, which excludes all other threads and processes; yield the file.

    The system releases it when the process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def lacks_room(error: StoreError) -> bool:
    """Tell whether nothing more can be written: the disk does not take it, or no file opens."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in NO_ROOM | NO_FILES


class ReservedFile:
    """A file that one thread of one process may write, and whose disk space is reserved first.

    The holder has a lock (flock) on `<path>.part`. The system releases it when the process ends,
    however it ends. Another thread or process waits; then it finds the file written, or takes over.
    Used as a context, it leaves nothing behind if the file was not written.
    """

    def __init__(self, path: Path, *, size: int, wait: Callable[[], object]) -> None:
        """Reserve `size` bytes next to `path`. While another one holds it, call `wait` repeatedly.

        Raises:
            OSError: the file system does not have the space, or does not take the file.
        """
        self.path = path
        self._part = f"{path}{PART}"
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
        """Write the content durably and give the file its name.

        Raises:
            StoreError: the file system does not take it.
        """
        data = text.encode()
        try:
            with os.fdopen(self._file, "wb", closefd=False) as file:
                file.write(data)
            os.ftruncate(self._file, len(data))
            os.fsync(self._file)
            _rename(self._part, self.path, durable=True)
            self._written = True
        except OSError as error:
            raise cannot_be_written(self.path, error) from error

    def __enter__(self) -> ReservedFile:
        return self

    def __exit__(self, *_: object) -> None:
        # In this order: another process that waits sees that the name is gone, and starts over.
        if not self._written:
            Path(self._part).unlink(missing_ok=True)
        os.close(self._file)


def is_reserved(path: Path) -> bool:
    """Tell whether a thread or process has reserved a file, and has not written it yet."""
    return is_locked(f"{path}{PART}")


def is_locked(path: Path | str) -> bool:
    """Tell whether a thread or process holds the lock of a file; nobody does if it is not there."""
    try:
        file = open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two that ask are no holders to each other.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _locked(path: str) -> int | None:
    """Return an open and locked file; None if another one holds it or has just renamed it."""
    file = open_file(path, os.O_RDWR | os.O_CREAT, 0o644)
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


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a file.

    It takes four system calls, where `open` takes eight: many threads read many small files here,
    and each call passes the interpreter from one to the next.

    Raises:
        OSError: the file is missing or unreadable.
    """
    descriptor = open_file(path, os.O_RDONLY)
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
        StoreError: the file is missing, unreadable or not UTF-8.
    """
    try:
        return read_bytes(path).decode()
    except OSError as error:
        remedy = "run snakemake for it again"
        if error.errno in NO_FILES:
            remedy = f"{MORE_FILES} and {remedy}"
        raise StoreError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except UnicodeDecodeError as error:
        raise StoreError(
            f"{path}: byte {error.start + 1} is not UTF-8; delete the file and run snakemake again"
        ) from error


def parse_json(data: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return the value of a JSON text.

    Raises:
        ValueError: it is not JSON, or is nested deeper than Python reads.
    """
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


class RepeatedKey(NamedTuple):
    """A key that an object of a JSON text has twice: its name, its line, and that of the first."""

    name: str
    line: int
    first: int


def repeated_keys(text: str) -> Iterator[RepeatedKey]:
    """Yield the keys that an object of a valid JSON text has twice; Python takes the last."""
    within: list[dict[str, int]] = []
    for token in _JSON_MARKS.finditer(text):
        if token[0] in "{[":
            within.append({})
        elif token[0] in "}]":
            within.pop()
        elif token["key"]:
            name, line = json.loads(token["key"]), text.count("\n", 0, token.start()) + 1
            if name in within[-1]:
                yield RepeatedKey(name, line, within[-1][name])
            within[-1].setdefault(name, line)


def holds(path: str | Path, text: str) -> bool:
    """Tell whether a file exists and holds exactly that text."""
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

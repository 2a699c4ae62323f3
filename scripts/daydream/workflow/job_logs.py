"""The log of a job: the error that ended its last attempt, which is shown when the job fails."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from daydream.errors import DaydreamError, StoreError
from daydream.files import read_text, write_text


class _Logged:
    """The errors that jobs of this process have written to their logs; shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, error: str) -> None:
        """Note an error."""
        with self._lock:
            self._counts[error] += 1

    def take(self, error: str) -> bool:
        """Tell whether an error was noted, and remove the note."""
        with self._lock:
            if not self._counts[error]:
                del self._counts[error]
                return False
            self._counts[error] -= 1
            return True


logged = _Logged()
"""Those of this process."""

# What could not be written to a job's log, by its path, as where the disk is full.
_unwritten: dict[str, str] = {}


def read_log(path: str) -> str:
    """Return what a job's log says, or would say if this process could have written it.

    Raises:
        StoreError: there is none.
    """
    return _unwritten.get(path) or read_text(path)


def _write_log(path: str, text: str) -> None:
    try:
        write_text(path, text)
    except StoreError:
        # The job's own error is the one to tell.
        _unwritten[path] = text


@contextmanager
def job_log(path: str) -> Iterator[None]:
    """Write the error that ends a job to its log, which is shown when a job fails.

    An error caused by the user is one line. Anything else is a defect and keeps its traceback.
    """
    try:
        yield
    except DaydreamError as error:
        _write_log(path, f"{error}\n")
        logged.add(str(error))
        raise
    except SystemExit as error:
        # It would end the thread of the job without a word, and the run would wait for it.
        _write_log(path, traceback.format_exc())
        message = f"something has ended the job with exit code {error.code}"
        raise RuntimeError(message) from error
    except Exception:
        _write_log(path, traceback.format_exc())
        raise
    with suppress(FileNotFoundError):
        # What an earlier attempt said does not hold any more.
        os.unlink(path)  # noqa: PTH108 - a Path takes ten times as long


@contextmanager
def script_log(path: str) -> Iterator[None]:
    """Do the same for a separate process: a user's error ends it without a traceback."""
    try:
        with job_log(path):
            yield
    except DaydreamError:
        sys.exit(1)

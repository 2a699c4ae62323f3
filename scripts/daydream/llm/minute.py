"""So many calls or tokens in any minute, of all processes that share a directory.

They are the rows of an SQLite file under a file lock (pyrate-limiter). The file holds nothing that
a minute would not bring back: one that cannot be read is made again, and rows of the future, which
a clock that was set back leaves behind, are taken out: they would count until that future comes.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from daydream.errors import CallError

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from pyrate_limiter import Rate as Share
    from pyrate_limiter import SQLiteBucket

# Requests leave a little earlier or later than they arrive: so much is left free of each limit.
MARGIN = 0.02
# The shortest time that has a limit of its own.
SLICE_S = 0.25
# Who finds the file taken comes again: waiting in line would hold up a stop.
TAKEN_S = 1.0
# Clocks of machines that share a directory differ by less.
FUTURE_MS = 2_000
# How often rows of the future are looked for.
LOOK_S = 1.0
# Of SQLite: the file is taken, or it is damaged, none of SQLite's, or has other tables.
BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
TABLE = "rate_bucket"


class Rate:
    """So many units in any minute, and in any second a sixtieth, of all processes together."""

    def __init__(self, path: Path, limit: int | None, minute: float) -> None:
        self._path = path
        self._limit = limit
        self._minute = minute
        self._lock = threading.Lock()
        self._bucket: SQLiteBucket | None = None
        self._most = 1
        self._puts = 0
        self._not_before = 0.0
        self._look_at = 0.0

    def take(self, weight: int = 1) -> bool:
        """Take units if there are as many; a larger weight than a minute has takes a minute's.

        Raises:
            CallError: the file can neither be used nor made again.
        """
        if self._limit is None:
            return True
        # After a no, nobody asks the file again before there can be a yes.
        if time.monotonic() < self._not_before:
            return False
        if not self._lock.acquire(timeout=TAKEN_S):
            return False
        try:
            with self._repairing():
                return self._take(self._limit, weight)
            return False
        finally:
            self._lock.release()

    def _take(self, limit: int, weight: int) -> bool:
        from pyrate_limiter import RateItem  # noqa: PLC0415 - for those who set a limit

        bucket = self._bucket = self._bucket or self._open(limit)
        self._puts += 1
        if self._puts % 200 == 0:
            bucket.leak(_now_ms())
        granted: bool = bucket.put(RateItem("call", _now_ms(), weight=min(weight, self._most)))
        if not granted:
            self._not_before = time.monotonic() + min(0.25, self._minute / self._most)
            self._forget_future(bucket)
        return granted

    def _forget_future(self, bucket: SQLiteBucket) -> None:
        """Take out what was entered at times that have not come, once a while."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_S
        with bucket.lock:
            query = f"DELETE FROM {TABLE} WHERE item_timestamp > ?"  # noqa: S608 - a constant
            bucket.conn.execute(query, [_now_ms() + FUTURE_MS]).close()
            bucket.conn.commit()

    @contextmanager
    def _repairing(self) -> Iterator[None]:
        """Make the file again if it is damaged, and leave it alone if another holds it.

        Nothing was taken then; the next `take` finds out more.
        """
        from filelock import Timeout  # noqa: PLC0415 - for those who set a limit

        try:
            yield
        except Timeout:
            return
        except (sqlite3.Error, OSError) as error:
            code = getattr(error, "sqlite_errorcode", None)
            # The low byte is the error, the others say more of it.
            code = code & 0xFF if isinstance(code, int) else None
            if code in BUSY:
                return
            self._close()
            if code not in DAMAGED:
                raise self._unusable(error) from error
            self._remove()

    def _remove(self) -> None:
        try:
            with self._file_lock():
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> CallError:
        return CallError(
            f"{self._path}: could not be used to count calls ({error}); make it and its directory "
            f"writable, or remove it: it is made again"
        )

    def _close(self) -> None:
        if self._bucket is not None:
            self._bucket.conn.close()
            self._bucket = None

    def _file_lock(self) -> BaseFileLock:
        from filelock import FileLock  # noqa: PLC0415

        return FileLock(f"{self._path}.lock", timeout=TAKEN_S, thread_local=False)

    def _open(self, limit: int) -> SQLiteBucket:
        from pyrate_limiter import SQLiteBucket  # noqa: PLC0415

        self._path.parent.mkdir(parents=True, exist_ok=True)
        rates = self._rates(limit)
        lock = self._file_lock()
        # As SQLiteBucket.init_from_file does, whose lock is waited for without end.
        with lock:
            connection = sqlite3.connect(self._path, timeout=TAKEN_S, check_same_thread=False)
            try:
                for query in (
                    "PRAGMA journal_mode=WAL",
                    "PRAGMA synchronous=NORMAL",
                    f"CREATE TABLE IF NOT EXISTS {TABLE} (name VARCHAR, item_timestamp INTEGER)",
                    f"CREATE INDEX IF NOT EXISTS idx_{TABLE}_rate_item_timestamp "
                    f"ON {TABLE} (item_timestamp)",
                ):
                    connection.execute(query).close()
                connection.commit()
            except BaseException:
                connection.close()
                raise
        return SQLiteBucket(rates, connection, TABLE, lock=lock)

    def _rates(self, limit: int) -> list[Share]:
        from pyrate_limiter import Rate as Share  # noqa: PLC0415

        self._most = max(1, math.floor(limit * (1 - MARGIN)))
        minute = round(1000 * self._minute)
        rates: list[Share] = [Share(self._most, minute)]
        # A second's share too, so that a minute is used evenly; not where that would be a call or
        # two, nor for tokens, of which a single call may take more.
        slices = min(60, int(self._minute / SLICE_S))
        share = math.ceil(self._most / max(1, slices))
        if self._path.stem.endswith("calls") and slices > 1 and 2 < share < self._most:
            rates.insert(0, Share(share, minute // slices))
        return rates


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""A limit of calls or tokens in any minute, for all processes that share a directory.

They are the rows of an SQLite file under a file lock (pyrate-limiter). The file holds only the last
minute. So a damaged file is simply created again. Rows with a time in the future, which appear when
a clock is set back, are deleted: otherwise they would count until that time comes.
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

# Requests arrive a little earlier or later than they are sent, so this share of a limit stays free.
MARGIN = 0.02
# The shortest period that has a limit of its own.
SLICE_S = 0.25
# How long to wait for the file. Then try again later: a longer wait would delay the end of a run.
TAKEN_S = 1.0
# The clocks of machines that share a directory differ by less than this.
FUTURE_MS = 2_000
# How often to look for rows with a time in the future.
LOOK_S = 1.0
# SQLite's errors: the file is in use; it is damaged, is not an SQLite file, or has other tables.
BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
TABLE = "rate_bucket"


class Rate:
    """A number of units in any minute, and a sixtieth of it in any second, for all processes."""

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
        """Take units if that many are left. A weight above a whole minute takes the whole minute.

        Raises:
            CallError: the file can neither be used nor created again.
        """
        if self._limit is None:
            return True
        # After a failed try, the file is not asked again before units can be free.
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
        """Delete rows with a time in the future, from time to time."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_S
        with bucket.lock:
            query = f"DELETE FROM {TABLE} WHERE item_timestamp > ?"  # noqa: S608 - a constant
            bucket.conn.execute(query, [_now_ms() + FUTURE_MS]).close()
            bucket.conn.commit()

    @contextmanager
    def _repairing(self) -> Iterator[None]:
        """Create the file again if it is damaged. Leave it alone if another process is using it.

        Nothing was taken in either case; the next `take` tries again.
        """
        from filelock import Timeout  # noqa: PLC0415 - for those who set a limit

        try:
            yield
        except Timeout:
            return
        except (sqlite3.Error, OSError) as error:
            code = getattr(error, "sqlite_errorcode", None)
            # The low byte is the kind of error; the other bytes say more about it.
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
            f"writable, or delete it: it is created again"
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
        # Like SQLiteBucket.init_from_file, which would wait for the lock without end.
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
        # Also a share per second, so that a minute is used evenly. Not if that would be only a
        # call or two, and not for tokens, of which one call may take more.
        slices = min(60, int(self._minute / SLICE_S))
        share = math.ceil(self._most / max(1, slices))
        if self._path.stem.endswith("calls") and slices > 1 and 2 < share < self._most:
            rates.insert(0, Share(share, minute // slices))
        return rates


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

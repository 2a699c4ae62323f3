"""What a pool of models may be asked: calls and tokens a minute, calls at once.

Threads of one process share a `Limits`; processes, on one machine or a shared file system, share
what is behind it: the calls and tokens of the last minute in an SQLite file under a file lock
(pyrate-limiter), and a locked file for each call at once, which the system gives back when its
process dies.

How many calls may be in flight adapts within one process (additive increase, multiplicative
decrease: Chiu and Jain 1989): a 429 halves it, at most once for all calls that were then in flight,
and each round of answers adds one, up to `concurrent`. A 429 also holds up all calls of the pool,
not just the refused one, for as long as it says.
"""

from __future__ import annotations

import fcntl
import math
import os
import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daydream.errors import StoppedError
from daydream.llm.failures import CallFailedError
from daydream.llm.request import Request

if TYPE_CHECKING:
    from pyrate_limiter import SQLiteBucket

# Requests leave a little earlier or later than they arrive: so much is left free of each limit.
MARGIN = 0.02
# An SQLite row stands for so much of a limit of tokens that a minute has this many rows.
TOKEN_ROWS = 1000
CHARACTERS_PER_TOKEN = 4
POLL_S = 0.02
# Who waits for another thread of this process is woken by it, and looks this often for a stop.
TURN_S = 0.25
# The shortest time that has a limit of its own.
SLICE_S = 0.25


class Limits:
    """The limits of one pool. `minute` is the length of a minute in seconds (tests shorten it)."""

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        stop: threading.Event,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        concurrent: int | None = None,
        minute: float = 60.0,
    ) -> None:
        self._stop = stop
        self._calls = _Rate(directory / f"{name}-calls.sqlite", requests_per_minute, minute)
        unit = max(1, (tokens_per_minute or 0) // TOKEN_ROWS)
        rows = None if tokens_per_minute is None else tokens_per_minute // unit
        self._tokens = _Rate(directory / f"{name}-tokens.sqlite", rows, minute)
        self._unit = unit
        self._slots = _Slots(directory / f"{name}-slots", concurrent)
        self._window = _Window(concurrent)
        self._completion = _Mean()
        self._paused_until = 0.0

    @contextmanager
    def call(self, request: Request) -> Iterator[dict[str, Any]]:
        """Hold a place for one attempt; put the answer's `usage` into the mapping that is given.

        Raises:
            StoppedError: the run is to end, and the attempt was not begun.
        """
        usage: dict[str, Any] = {}
        self._wait_for(self._window.enter)
        try:
            with self._slots.hold(self._wait_for):
                self._wait_for(lambda: time.monotonic() >= self._paused_until)
                self._wait_for(lambda: self._tokens.take(self._rows(request)))
                self._wait_for(self._calls.take)
                begun = time.monotonic()
                yield usage
            self._window.grow()
            self._completion.add(usage.get("completion_tokens"))
        except CallFailedError as failure:
            if failure.limited:
                self._window.shrink(begun)
                pause = time.monotonic() + (failure.retry_after or 0.0)
                self._paused_until = max(self._paused_until, pause)
            raise
        finally:
            self._window.leave()

    def _rows(self, request: Request) -> int:
        """Return what a request takes of the limit of tokens, by the answers so far."""
        prompt = sum(len(message["content"]) for message in request.messages)
        limit = request.sampling.get("max_tokens")
        completion = self._completion.value or (limit if isinstance(limit, int) else 1000)
        return math.ceil((prompt / CHARACTERS_PER_TOKEN + completion) / self._unit)

    def _wait_for(self, ask: Any) -> Any:  # noqa: ANN401 - a function of nothing, and its answer
        """Ask until the answer is other than no, and return it."""
        while not (granted := ask()):
            if self._stop.wait(POLL_S):
                raise StoppedError("the call waited for its turn, and the run is to end")
        return granted


class _Rate:
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

    def take(self, weight: int = 1) -> bool:
        """Take units if there are as many; a larger weight than a minute has takes a minute's."""
        if self._limit is None:
            return True
        from pyrate_limiter import RateItem  # noqa: PLC0415 - for those who set a limit

        # After a no, nobody asks the file again before there can be a yes.
        if time.monotonic() < self._not_before:
            return False
        # Whoever finds it taken comes again: waiting in line would hold up a stop.
        if not self._lock.acquire(timeout=1):
            return False
        try:
            bucket = self._bucket = self._bucket or self._open(self._limit)
            self._puts += 1
            if self._puts % 200 == 0:
                bucket.leak(_now_ms())
            item = RateItem("call", _now_ms(), weight=min(weight, self._most))
            granted: bool = bucket.put(item)
            if not granted:
                self._not_before = time.monotonic() + min(0.25, self._minute / self._most)
            return granted
        finally:
            self._lock.release()

    def _open(self, limit: int) -> SQLiteBucket:
        from pyrate_limiter import Rate, SQLiteBucket  # noqa: PLC0415

        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._most = max(1, math.floor(limit * (1 - MARGIN)))
        minute = round(1000 * self._minute)
        rates = [Rate(self._most, minute)]
        # A second's share too, so that a minute is used evenly; not where that would be a call or
        # two, nor for tokens, of which a single call may take more.
        slices = min(60, int(self._minute / SLICE_S))
        share = math.ceil(self._most / max(1, slices))
        if self._path.stem.endswith("calls") and slices > 1 and 2 < share < self._most:
            rates.insert(0, Rate(share, minute // slices))
        return SQLiteBucket.init_from_file(rates, db_path=str(self._path), use_file_lock=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class _Slots:
    """A locked file for each of so many calls at once, of all processes together."""

    def __init__(self, directory: Path, count: int | None) -> None:
        self._directory = directory
        self._count = count
        # In an order of its own, so that processes seldom try the same one.
        self._not_ours = deque(random.sample(range(count or 0), count or 0))
        self._turn = threading.Lock()

    @contextmanager
    def hold(self, wait_for: Any) -> Iterator[None]:  # noqa: ANN401 - a function of a function
        """Hold one of the files."""
        if self._count is None:
            yield
            return
        # One thread looks at a time: the others would look at the same files.
        wait_for(lambda: self._turn.acquire(timeout=TURN_S))
        try:
            number, file = wait_for(self._take)
        finally:
            self._turn.release()
        try:
            yield
        finally:
            os.close(file)
            self._not_ours.append(number)

    def _take(self) -> tuple[int, int] | None:
        """Lock one of the files that no thread of this process holds; its number, and it open."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for _ in range(len(self._not_ours)):
            # It leaves the list when it is locked, so that no error loses a place.
            number = self._not_ours[0]
            file = os.open(self._directory / str(number), os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                self._not_ours.rotate(-1)
            else:
                return self._not_ours.popleft(), file
        return None


class _Window:
    """How many calls of this process may be in flight; unlimited until a 429 if `most` is None."""

    def __init__(self, most: int | None) -> None:
        self._most = math.inf if most is None else float(most)
        self._limit = self._most
        self._in_flight = 0
        self._shrunk = 0.0
        self._lock = threading.Condition()

    def enter(self) -> bool:
        """Take a place, if there is one in time."""
        with self._lock:
            entered = self._lock.wait_for(self._has_place, TURN_S)
            self._in_flight += entered
            return entered

    def leave(self) -> None:
        with self._lock:
            self._in_flight -= 1
            self._lock.notify()

    def _has_place(self) -> bool:
        return self._in_flight + 1 <= self._limit

    def grow(self) -> None:
        """Add one for as many answers as there may be calls in flight."""
        with self._lock:
            self._limit = min(self._most, self._limit + 1 / max(1.0, self._limit))

    def shrink(self, begun: float) -> None:
        """Halve it, unless the refused call was begun before that was last done."""
        with self._lock:
            if begun >= self._shrunk:
                self._shrunk = time.monotonic()
                self._limit = max(1.0, min(self._limit, self._in_flight) / 2)


class _Mean:
    """The mean of the numbers so far; None before the first."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, number: object) -> None:
        if isinstance(number, int):
            self._sum, self._count = self._sum + number, self._count + 1

    @property
    def value(self) -> float | None:
        return self._sum / self._count if self._count else None

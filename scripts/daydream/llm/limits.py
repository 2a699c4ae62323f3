"""What a pool of models may be asked: calls and tokens a minute, calls at once.

Threads of one process share a `Limits`; processes, on one machine or a shared file system, share
what is behind it: the calls and tokens of the last minute (`daydream.llm.minute`), and a locked
file for each call at once, which the system gives back when its process dies. What the provider
itself refuses sets the pace of one process (`daydream.llm.pace`).

Calls wait in one line, and only the first of it looks whether it may go: the others would look at
the same files. A call that has been sent before waits no longer than its deadline; one that has not
waits for the pool's own limits as long as they take, but not for a pause that the provider asks for
and that is longer than its deadline.
"""

from __future__ import annotations

import fcntl
import math
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from daydream.errors import CallError, StoppedError
from daydream.llm.deadline import LONG_WAIT_S, Deadline, Notices
from daydream.llm.failures import CallFailedError
from daydream.llm.minute import Rate
from daydream.llm.pace import Pace, Start
from daydream.llm.request import Request
from daydream.llm.usage import Usage

# An SQLite row stands for so much of a limit of tokens that a minute has this many rows.
TOKEN_ROWS = 1000
CHARACTERS_PER_TOKEN = 4
POLL_S = 0.02
# Who waits for another thread of this process is woken by it, and looks this often for a stop.
TURN_S = 0.25
IN_LINE = "other calls are before it in line"

Granted = TypeVar("Granted")


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
        notices: Notices | None = None,
    ) -> None:
        self._name = name
        self._stop = stop
        self._notices = notices or Notices()
        self._calls = Rate(directory / f"{name}-calls.sqlite", requests_per_minute, minute)
        unit = max(1, (tokens_per_minute or 0) // TOKEN_ROWS)
        rows = None if tokens_per_minute is None else tokens_per_minute // unit
        self._tokens = Rate(directory / f"{name}-tokens.sqlite", rows, minute)
        self._unit = unit
        self._concurrent = concurrent
        self._slots = _Slots(directory / f"{name}-slots", concurrent)
        # Of the calls at once, those of this process: who waits here is woken, and polls no files.
        self._places = None if concurrent is None else threading.Semaphore(concurrent)
        self._turn = threading.Lock()
        self._pace = Pace(self._say_pause)
        self._completion = _Mean()

    @contextmanager
    def call(self, request: Request, deadline: Deadline | None = None) -> Iterator[list[Usage]]:
        """Hold a place for one attempt; put the answer's usage into the list that is given.

        The clock of `deadline` runs from the first time that a place is held.

        Raises:
            CallError: the deadline would pass before there is a place.
            StoppedError: the run is to end, and the attempt was not begun.
        """
        told: list[Usage] = []
        wait = _Wait(self._stop, self._notices, request, self._name, deadline)
        with self._place(wait), self._slots.hold(wait):
            start = self._start(request, wait)
            if deadline is not None:
                deadline.start()
            try:
                yield told
            except CallFailedError as failure:
                if failure.limited:
                    self._pace.refused(start, failure)
                else:
                    self._pace.passed(start)
                raise
            self._pace.passed(start)
            for usage in told:
                self._completion.add(usage.completion)

    @contextmanager
    def _place(self, wait: _Wait) -> Iterator[None]:
        places = self._places
        if places is None:
            yield
            return
        at_once = f"all {self._concurrent} calls at once (concurrent) are in flight"
        wait.until(lambda: places.acquire(timeout=TURN_S), at_once, told=False)
        try:
            yield
        finally:
            places.release()

    def _start(self, request: Request, wait: _Wait) -> Start:
        """Wait in line until a call may begin."""
        wait.until(lambda: self._turn.acquire(timeout=TURN_S), IN_LINE, told=False)
        try:
            start = wait.pace(self._pace)
            rows = self._rows(request)
            wait.until(lambda: self._tokens.take(rows), "its tokens_per_minute are used up")
            wait.until(self._calls.take, "its requests_per_minute are used up")
        finally:
            self._turn.release()
        # The place in the line of the pool's own limits came after that in the pace.
        start.at = time.monotonic()
        return start

    def _say_pause(self, seconds: float) -> None:
        line = f"the provider answers 429 and asks to wait; no call for {seconds:.0f} s"
        self._notices.wait(f"{self._name} pause", seconds, f"pool {self._name!r}: {line}")

    def _rows(self, request: Request) -> int:
        """Return what a request takes of the limit of tokens, by the answers so far."""
        prompt = sum(len(message["content"]) for message in request.messages)
        limit = request.sampling.get("max_tokens")
        completion = self._completion.value or (limit if isinstance(limit, int) else 1000)
        return math.ceil((prompt / CHARACTERS_PER_TOKEN + completion) / self._unit)


class _Wait:
    """One attempt's waiting: it ends with the run, and with the call's deadline."""

    def __init__(
        self,
        stop: threading.Event,
        notices: Notices,
        request: Request,
        pool: str,
        deadline: Deadline | None,
    ) -> None:
        self._stop = stop
        self._notices = notices
        self._request = request
        self._pool = pool
        self._deadline = deadline

    def until(
        self, ask: Callable[[], Granted | None], reason: str, *, told: bool = True
    ) -> Granted:
        """Ask until the answer is other than no, and return it; `reason` says what is missing.

        A wait for other threads of this process is not told: the first of the line tells.
        """
        begin = time.monotonic()
        while not (granted := ask()):
            self._check(reason)
            if told and (waited := time.monotonic() - begin) > LONG_WAIT_S:
                # Once in a run: a limit that is used up is no news the second time.
                line = f"pool {self._pool!r}: {reason}; calls go on as it allows"
                self._notices.once(f"{self._pool} {reason}", waited, line)
            if self._stop.wait(POLL_S):
                raise StoppedError("the call waited for its turn, and the run is to end")
        return granted

    def pace(self, pace: Pace) -> Start:
        """Wait until the provider is asked again."""
        while not isinstance(start := pace.enter(), Start):
            left = math.inf if self._deadline is None else self._deadline.left
            if start > left:
                raise CallError(
                    f"{self._request}: pool {self._pool!r} is to wait {start:.0f} s, as the "
                    f"provider answered 429, which is longer than what is left of the deadline "
                    f"({max(0.0, left):.0f} s); run snakemake again later, or raise the "
                    f"provider's deadline"
                )
            if self._stop.wait(min(start, TURN_S)):
                raise StoppedError("the call waited for its turn, and the run is to end")
        return start

    def _check(self, reason: str) -> None:
        if self._deadline is not None and self._deadline.left < 0:
            raise CallError(
                f"{self._request}: waited to be made again, as in pool {self._pool!r} {reason}, "
                f"until its deadline ({self._deadline.seconds:g} s) had passed; raise the "
                f"provider's deadline, or the limits of the pool"
            )


class _Slots:
    """A locked file for each of so many calls at once, of all processes together."""

    def __init__(self, directory: Path, count: int | None) -> None:
        self._directory = directory
        self._count = count
        # In an order of its own, so that processes seldom try the same one.
        self._not_ours = deque(random.sample(range(count or 0), count or 0))
        self._turn = threading.Lock()

    @contextmanager
    def hold(self, wait: _Wait) -> Iterator[None]:
        """Hold one of the files."""
        if self._count is None:
            yield
            return
        at_once = (
            f"all {self._count} calls at once (concurrent) are in flight, in all runs together"
        )
        # One thread looks at a time: the others would look at the same files.
        wait.until(lambda: self._turn.acquire(timeout=TURN_S), at_once, told=False)
        try:
            number, file = wait.until(self._take, at_once)
        finally:
            self._turn.release()
        try:
            yield
        finally:
            os.close(file)
            self._not_ours.append(number)

    def _take(self) -> tuple[int, int] | None:
        """Lock one of the files that no thread of this process holds; its number, and it open."""
        for _ in range(len(self._not_ours)):
            # It leaves the list when it is locked, so that no error loses a place.
            number = self._not_ours[0]
            file = self._open(self._directory / str(number))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                self._not_ours.rotate(-1)
            else:
                return self._not_ours.popleft(), file
        return None

    def _open(self, path: Path) -> int:
        """Open a file of the directory, which is made if it is not there or not a directory."""
        try:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except FileExistsError:
                # A file: nothing of ours. Others may be making the directory at the same time.
                with suppress(IsADirectoryError, FileNotFoundError, PermissionError):
                    self._directory.unlink()
                self._directory.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise CallError(
                f"{path}: could not be used to count calls at once ({error.strerror}); make it and "
                f"its directory writable, or remove it: it is made again"
            ) from error


class _Mean:
    """The mean of the numbers so far; None before the first."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, number: int | None) -> None:
        if number is not None:
            self._sum, self._count = self._sum + number, self._count + 1

    @property
    def value(self) -> float | None:
        return self._sum / self._count if self._count else None

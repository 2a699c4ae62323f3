"""The limits of a pool of models: calls per minute, tokens per minute, calls in flight.

The threads of a process share one `Limits`. Processes on one machine, or on a shared file system,
share the files behind it: the calls and tokens of the last minute (`daydream.llm.minute`), and one
locked file per call in flight, which the system unlocks when its process ends. Which calls the
provider rate limits sets the pace of one process (`daydream.llm.pace`).

Calls wait in a queue, and only the first one checks whether it may begin: the others would check
the same files. A call that has been sent before waits at most until its deadline. A call that has
not been sent yet waits for the pool's own limits as long as necessary, but not for a pause that the
provider asks for and that is longer than its deadline.
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
from daydream.files import open_file, remedy_of
from daydream.llm.deadline import LONG_WAIT_S, Deadline, Notices
from daydream.llm.failures import CallFailedError
from daydream.llm.minute import Rate
from daydream.llm.pace import Pace, Start
from daydream.llm.request import Asked
from daydream.llm.usage import Usage

# Each SQLite row stands for so many tokens that a minute has this many rows.
TOKEN_ROWS = 1000
POLL_S = 0.02
# A thread that waits for another thread is woken by it, and checks this often whether the run ends.
TURN_S = 0.25
IN_LINE = "other calls are ahead of it in the queue"

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
        # This process's own calls in flight. A thread that waits here is woken, and polls no files.
        self._places = None if concurrent is None else threading.Semaphore(concurrent)
        self._turn = threading.Lock()
        self._pace = Pace(self._say_pause)
        self._completion = _Mean()

    @contextmanager
    def call(self, request: Asked, deadline: Deadline | None = None) -> Iterator[list[Usage]]:
        """Hold a place for one attempt. The caller appends the answer's usage to the list.

        The clock of `deadline` starts when a place is held for the first time.

        Raises:
            CallError: the deadline would pass before a place is free.
            StoppedError: the run is ending, and the attempt has not begun.
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
                if failure.rate_limited:
                    self._pace.rate_limited(start, failure)
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
        at_once = f"all {self._concurrent} calls of `concurrent` are in flight"
        wait.until(lambda: places.acquire(timeout=TURN_S), at_once, told=False)
        try:
            yield
        finally:
            places.release()

    def _start(self, request: Asked, wait: _Wait) -> Start:
        """Wait in the queue until a call may begin."""
        wait.until(lambda: self._turn.acquire(timeout=TURN_S), IN_LINE, told=False)
        try:
            start = wait.pace(self._pace)
            rows = self._rows(request)
            wait.until(lambda: self._tokens.take(rows), "its tokens_per_minute are used up")
            wait.until(self._calls.take, "its requests_per_minute are used up")
        finally:
            self._turn.release()
        # The pool's own limits may have taken time since the pace was asked.
        start.at = time.monotonic()
        return start

    def _say_pause(self, seconds: float) -> None:
        answer = f"the provider answers {self._pace.status} and asks to wait"
        line = f"{answer}; no calls for {seconds:.0f} s"
        self._notices.wait(f"{self._name} pause", seconds, f"pool {self._name!r}: {line}")

    def _rows(self, request: Asked) -> int:
        """Return how many rows of the token limit a request needs, by the answers so far."""
        return math.ceil(request.expected_tokens(self._completion.value) / self._unit)


class _Wait:
    """The waiting of one attempt. It ends when the run ends or the call's deadline passes."""

    def __init__(
        self,
        stop: threading.Event,
        notices: Notices,
        request: Asked,
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
        """Call `ask` until it returns something true, and return it; `reason` says what lacks.

        A wait for other threads of this process is not reported: the first in the queue reports.
        """
        begin = time.monotonic()
        while not (granted := ask()):
            self._check(reason)
            if told and (waited := time.monotonic() - begin) > LONG_WAIT_S:
                # Once per run: that a limit is used up is only news the first time.
                line = f"pool {self._pool!r}: {reason}; calls continue as it allows"
                self._notices.once(f"{self._pool} {reason}", waited, line)
            if self._stop.wait(POLL_S):
                raise StoppedError("the call was waiting for its turn when the run ended")
        return granted

    def pace(self, pace: Pace) -> Start:
        """Wait until the provider may be asked again."""
        while not isinstance(start := pace.enter(), Start):
            left = math.inf if self._deadline is None else self._deadline.left
            if start > left:
                raise CallError(
                    f"{self._request}: the provider answered {pace.status} and asks pool "
                    f"{self._pool!r} to wait {start:.0f} s, longer than the {max(0.0, left):.0f} s "
                    f"left of the deadline; run snakemake again later, or raise the provider's "
                    f"deadline"
                )
            if self._stop.wait(min(start, TURN_S)):
                raise StoppedError("the call was waiting for its turn when the run ended")
        return start

    def _check(self, reason: str) -> None:
        if self._deadline is not None and self._deadline.left < 0:
            raise CallError(
                f"{self._request}: waited to be sent again until its deadline "
                f"({self._deadline.seconds:g} s) passed, because in pool {self._pool!r} {reason}; "
                f"raise the provider's deadline, or the limits of the pool"
            )


class _Slots:
    """One locked file per call in flight, for all processes together."""

    def __init__(self, directory: Path, count: int | None) -> None:
        self._directory = directory
        self._count = count
        # In random order, so that processes seldom try the same one.
        self._not_ours = deque(random.sample(range(count or 0), count or 0))
        self._turn = threading.Lock()

    @contextmanager
    def hold(self, wait: _Wait) -> Iterator[None]:
        """Hold one of the files."""
        if self._count is None:
            yield
            return
        at_once = f"all {self._count} calls of `concurrent` are in flight, in all runs together"
        # One thread at a time: the others would check the same files.
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
        """Lock a file that no thread of this process holds. Return its number and descriptor."""
        for _ in range(len(self._not_ours)):
            # It leaves the list only when it is locked, so that no error loses a place.
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
        """Open a file of the directory. If there is no directory, create it."""
        try:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except FileExistsError:
                # A file is in its way, or another process is creating the directory right now.
                with suppress(IsADirectoryError, FileNotFoundError, PermissionError):
                    self._directory.unlink()
                self._directory.mkdir(parents=True, exist_ok=True)
            return open_file(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            writable = "make it and its directory writable, or delete it: it is created again"
            raise CallError(
                f"{path}: could not be used to count the calls in flight ({error.strerror}); "
                f"{remedy_of(error, writable)}"
            ) from error


class _Mean:
    """The mean of the numbers so far; None before the first."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, number: int | None) -> None:
        # Nothing is answered to a request for embeddings, which says nothing about answers.
        if number:
            self._sum, self._count = self._sum + number, self._count + 1

    @property
    def value(self) -> float | None:
        return self._sum / self._count if self._count else None

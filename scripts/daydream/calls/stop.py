"""Ending a run cleanly: no new calls begin, and those in flight are finished and kept.

A signal, the budget or a full disk requests a stop. From then on, `check` raises, waits that watch
`event` end, and the scheduler starts no further jobs. Calls in flight continue until their answers
are in the journal. A second signal ends the process at once; only the answers to its calls in
flight are lost.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

from daydream.errors import StoppedError

# Signals that come so close together, in seconds, are one: a program such as uv passes on what the
# terminal, or a kill of the whole process group, has sent to this process as well.
ONE_WISH = 0.5
# What a first signal is answered with.
SECOND = " (a second one ends it at once)"


class Stop:
    """Whether the run is to end, and how many model calls it is waiting for."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reason = ""
        self.by_signal = False
        self._lock = threading.Lock()
        self._in_flight = 0
        self._own = threading.local()
        self._signalled_at: float | None = None
        self._end_scheduler: Callable[[], None] = lambda: None

    def request(self, reason: str, *, hint: str = "") -> None:
        """Let no further call begin; the first reason is the one that is reported.

        `hint` is told now, and not with the reason later.
        """
        with self._lock:
            if self.event.is_set():
                return
            self.reason = reason
            self.event.set()
            # What asks for the end from within a call does not wait for an answer any more.
            in_flight = self._in_flight - getattr(self._own, "calls", 0)
        calls = f"{in_flight} call{'s' if in_flight > 1 else ''} in flight"
        waits = f"waiting for {calls}" if in_flight else "no call is in flight"
        print(f"Stopping: {reason}{hint}; {waits}, no new one begins.", file=sys.stderr)
        # In its own thread, because the interrupted code may hold the scheduler's lock.
        threading.Thread(target=self._end_scheduler, daemon=True).start()

    def check(self) -> None:
        """Raise if the run is to end.

        Raises:
            StoppedError: it is.
        """
        if self.event.is_set():
            raise StoppedError(f"{self.reason}; run snakemake again to go on")

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a model call as in flight.

        Raises:
            StoppedError: the run is to end.
        """
        with self._lock:
            self.check()
            self._in_flight += 1
        self._own.calls = 1
        try:
            yield
        finally:
            self._own.calls = 0
            with self._lock:
                self._in_flight -= 1

    def install(self) -> None:
        """Take over SIGINT and SIGTERM, in the main thread, after the scheduler took SIGTERM."""
        previous = signal.getsignal(signal.SIGTERM)
        if previous == self._on_signal:
            return
        if callable(previous):
            self._end_scheduler = lambda: _call(previous)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        name = signal.Signals(number).name
        if self._signalled_at is None:
            self._signalled_at = now
            self.by_signal = True
            # Not here, because the interrupted code may hold the lock.
            request = partial(self.request, name, hint=SECOND)
            threading.Thread(target=request, daemon=True).start()
        elif now - self._signalled_at >= ONE_WISH:
            os.write(2, f"Stopped at once by a second signal ({name}).\n".encode())
            os._exit(128 + number)


def end_before_jobs() -> None:
    """Let Ctrl-C end a run that is still planned in one line: nothing of it is under way.

    `Stop.install` takes over before the first job.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _on_early_signal)


def _on_early_signal(number: int, _frame: FrameType | None) -> None:
    os.write(2, f"Stopped before the first job ({signal.Signals(number).name}).\n".encode())
    os._exit(128 + number)


def _call(handler: Callable[[int, FrameType | None], object]) -> None:
    handler(signal.SIGTERM, None)

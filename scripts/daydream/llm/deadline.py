"""How long a call may take, and saying so when it waits for long."""

from __future__ import annotations

import math
import sys
import threading
import time

# A wait above this is told.
LONG_WAIT_S = 10.0


class Deadline:
    """The seconds of one call: all of them until it is first allowed to send, then fewer.

    The clock does not run before that, as a large run waits for long in the line of a limit that
    the user has set: such a wait says nothing about the provider.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end: float | None = None

    def start(self) -> None:
        """Let the clock run, if it does not yet."""
        if self._end is None:
            self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """The seconds that are left; below zero once it has passed."""
        return self.seconds if self._end is None else self._end - time.monotonic()


class Notices:
    """Lines on standard error about long waits: one per wait, not one per thread that waits."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, subject: str, seconds: float, line: str) -> None:
        """Say `line`, unless the wait is short or the last one of this subject still lasts."""
        if seconds <= LONG_WAIT_S:
            return
        now = time.monotonic()
        with self._lock:
            if now < self._quiet_until.get(subject, 0.0):
                return
            self._quiet_until[subject] = now + seconds
        print(f"Waiting: {line}", file=sys.stderr, flush=True)

    def once(self, subject: str, seconds: float, line: str) -> None:
        """Say `line` for the first long wait of this subject alone."""
        self.wait(subject, seconds if seconds <= LONG_WAIT_S else math.inf, line)

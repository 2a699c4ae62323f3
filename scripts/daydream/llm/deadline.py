"""How long a call may take, and the lines that report a long wait."""

from __future__ import annotations

import math
import sys
import threading
import time

# A longer wait is reported.
LONG_WAIT_S = 10.0


class Deadline:
    """The seconds of one call. The clock starts when the call may first be sent.

    It does not run before, because the calls of a large run wait for a long time for a limit that
    the user has set. Such a wait says nothing about the provider.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end: float | None = None

    def start(self) -> None:
        """Start the clock, unless it is running."""
        if self._end is None:
            self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """The seconds that are left; negative after the deadline."""
        return self.seconds if self._end is None else self._end - time.monotonic()


class Notices:
    """Lines on standard error about long waits: one per wait, not one per waiting thread."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, subject: str, seconds: float, line: str) -> None:
        """Print `line`, unless the wait is short or an earlier one of this subject still lasts."""
        if seconds <= LONG_WAIT_S:
            return
        now = time.monotonic()
        with self._lock:
            if now < self._quiet_until.get(subject, 0.0):
                return
            self._quiet_until[subject] = now + seconds
        print(f"Waiting: {line}", file=sys.stderr, flush=True)

    def once(self, subject: str, seconds: float, line: str) -> None:
        """Print `line` only for the first long wait of this subject."""
        self.wait(subject, seconds if seconds <= LONG_WAIT_S else math.inf, line)

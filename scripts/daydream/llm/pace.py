"""How fast a pool is asked, by what its provider refuses.

A 429 may refuse one request alone (a busy machine behind a router) or say that a limit is reached.
A limit refuses calls that begin close together; so each refusal is judged with the calls begun just
before it, and calls still in flight count as let through, as refusals come fast:

- Five in a row, or none let through: the pool is closed for as long as the provider asks. Then one
  call at a time finds out whether it is open, after pauses that double. When one is let through,
  the pool goes on at the rate that the provider has let through since before it closed.
- Six of the last twenty, or one whose headers say that nothing remains of the limit: the rate
  drops to 0.7 of what was let through, returns there within seconds, stays a while, and then grows
  ever faster: the cubic curve of TCP CUBIC (RFC 9438) and of the AWS SDKs' adaptive retry mode.
- Anything less is no concern of other calls: only the refused one waits.

It is the rate that adapts, not the calls in flight: a limit per minute is one of the rate, and one
of calls in flight bounds the rate just as well, by Little's law. The pace is one process's own.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from daydream.llm.failures import CallFailedError

# Refusals in a row, by the order in which calls began, that close the pool.
ROW = 5
# The calls that a refusal is judged with, and how many of them refused drop the rate.
JUDGED, TOO_MANY = 20, 6
# The rate drops to so much of what was let through.
DROP = 0.7
# The curve's unit of time: so many seconds, and at least so many calls, so that a slow pool is not
# taken past its limit before there can be a refusal to tell.
CURVE_S, CURVE_CALLS = 2.0, 40
# Past so many units the rate is no limit any more.
CURVE_END = 4.0
# Pauses of a closed pool, where the provider asks for none or for shorter ones.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0
# What was let through is counted over the time for which most providers set limits.
MEMORY_S = 60.0
# Calls that are late by up to so much may follow each other at once.
SLACK_S = 0.1
SLOWEST = 1 / 30


@dataclass(slots=True, eq=False)
class Start:
    """One call: when it began, and whether it was refused as far as is known."""

    at: float
    refused: bool = False


class Pace:
    """The pace of one pool; `told` hears the seconds of each pause of the whole pool."""

    def __init__(self, told: Callable[[float], None] = lambda _: None) -> None:
        self._told = told
        self._lock = threading.Lock()
        self._starts: deque[Start] = deque(maxlen=10_000)
        self._changed = 0.0
        self._peak = math.inf
        self._next = 0.0
        # Of a closed pool: its pause, 0 if it is open; the call that finds out; what went before.
        self._pause = 0.0
        self._probe: Start | None = None
        self._patience = 0.0
        self._passed, self._since = 0, 0.0

    def enter(self) -> Start | float:
        """Begin a call, or return the seconds until one may begin."""
        with self._lock:
            now = time.monotonic()
            if self._pause and self._probe and now - self._probe.at > self._patience:
                # A refusal would be here by now.
                self._open(now)
            if self._next > now:
                return self._next - now
            start = Start(now)
            if self._pause:
                self._probe = start
                self._next = now + self._pause
            elif (rate := self._rate(now)) < math.inf:
                self._next = max(self._next, now - SLACK_S) + 1 / rate
            self._starts.append(start)
            return start

    def passed(self, start: Start) -> None:
        """Note that a call was let through, whatever became of it."""
        if self._pause:
            with self._lock:
                if self._pause and start.at >= self._changed:
                    self._open(time.monotonic())

    def refused(self, start: Start, failure: CallFailedError) -> None:
        """Note that a call was refused, and slow down if that concerns others."""
        with self._lock:
            now = time.monotonic()
            start.refused = True
            if start.at < self._changed:
                # What is known by now is the answer to calls like this one.
                return
            asked = failure.retry_after
            if self._pause:
                pause = min(2 * self._pause, LONGEST_PAUSE_S)
                self._close(now, start, max(pause, asked or 0.0))
                return
            with_it = self._judged(start)
            share = sum(other.refused for other in with_it) / len(with_it)
            row = with_it[:ROW]
            if len(row) == ROW and all(other.refused for other in row):
                self._remember(now)
                self._close(now, start, FIRST_PAUSE_S if asked is None else max(SLACK_S, asked))
            elif failure.exhausted is False:
                # The provider says that no limit is reached.
                return
            elif failure.exhausted or share * len(with_it) >= TOO_MANY:
                self._drop(now, self._measured(now) * (1 - share))

    def _judged(self, start: Start) -> list[Start]:
        """Return the call and those begun just before it, newest first, since the last change."""
        starts = (
            other for other in reversed(self._starts) if self._changed <= other.at <= start.at
        )
        return list(islice(starts, JUDGED))

    def _rate(self, now: float) -> float:
        """Return the calls per second that may begin now."""
        if self._peak == math.inf:
            return math.inf
        unit = max(CURVE_S, CURVE_CALLS / self._peak)
        past = (now - self._changed) / unit - (1 - DROP) ** (1 / 3)
        if past > CURVE_END:
            self._peak = math.inf
            return math.inf
        rate: float = self._peak * (1 + past**3)
        return max(SLOWEST, rate)

    def _measured(self, now: float) -> float:
        """Return the calls per second that began lately: in two seconds, or the last ten."""
        lately = [start.at for start in islice(reversed(self._starts), 1000)]
        counted = lately[: max(10, sum(at > now - 2 for at in lately))]
        return len(counted) / max(2.0, now - counted[-1])

    def _drop(self, now: float, let_through: float) -> None:
        self._peak = max(SLOWEST, min(let_through, self._rate(now)))
        self._changed = now
        self._next = max(self._next, now)

    def _remember(self, now: float) -> None:
        """Keep what was let through before the pool closes."""
        lately = [start for start in self._starts if start.at > now - MEMORY_S]
        self._passed = sum(not start.refused for start in lately)
        self._since = lately[0].at

    def _close(self, now: float, start: Start, pause: float) -> None:
        self._pause = pause
        self._changed = now
        self._next = now + pause
        self._probe = None
        self._patience = 2 * (now - start.at) + 0.5
        self._told(pause)

    def _open(self, now: float) -> None:
        self._pause, self._probe = 0.0, None
        self._next = now
        self._peak = math.inf
        self._drop(now, max(1, self._passed) / (now - self._since))

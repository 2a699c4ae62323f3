"""How fast a pool is asked, by what its provider refuses.

A 429 may refuse one request alone (a busy machine behind a router) or say that a limit is reached.
A limit refuses calls that begin close together; so each refusal is judged with the calls begun just
before it, and calls still in flight count as let through, as refusals come fast:

- Five in a row: the pool is closed for as long as the provider asks. Then one
  call at a time finds out whether it is open, after pauses that double. When one is let through,
  the pool goes on at the rate that the provider has let through since before it closed.
- Six of the last twenty, or one whose headers say that nothing remains of the limit: the rate
  drops to 0.7 of what was let through, returns there within seconds, stays a while, and then grows
  ever faster: the cubic curve of TCP CUBIC (RFC 9438) and of the AWS SDKs' adaptive retry mode.
- If two drops in a row do not help, refusals have nothing to do with the rate: it goes back to what
  it was, and for a while only refusals in a row count, and those that headers explain.
- Anything less is no concern of other calls: only the refused one waits.

It is the rate that adapts, not the calls in flight: a limit per minute is one of the rate, and one
of calls in flight bounds the rate just as well, by Little's law. The pace is one process's own.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
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
# taken past its limit before there can be a refusal to tell; and the longest one.
CURVE_S, CURVE_CALLS, CURVE_LONGEST_S = 2.0, 80, 30.0
# Past so many units the rate is no limit any more.
CURVE_END = 4.0
# Pauses of a closed pool, where the provider asks for none or for shorter ones.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0
# So many drops in a row, each below what was let through at first, before refusals are taken to be
# independent of the rate; and the seconds for which they are.
FUTILE, IGNORED_S = 2, 20.0
# The rate never drops below what was let through in the last so many seconds.
LATELY_S = 5.0
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
        # When the rate was last set, and when the pool last closed or opened.
        self._changed = self._opened = 0.0
        self._peak = math.inf
        # Whether the peak is known from calls; otherwise the rate grows fast, to find out.
        self._known = True
        self._next = 0.0
        # Drops since the rate was last where it was let through, the rate before the first of them,
        # and until when refusals are not heard.
        self._drops, self._at_first = 0, math.inf
        self._ignore_until = 0.0
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
                if self._pause and start.at >= self._opened:
                    self._open(time.monotonic())

    def refused(self, start: Start, failure: CallFailedError) -> None:
        """Note that a call was refused, and slow down if that concerns others."""
        with self._lock:
            now = time.monotonic()
            start.refused = True
            if start.at < self._opened:
                # What is known by now is the answer to calls like this one.
                return
            asked = failure.retry_after
            if self._pause:
                pause = min(2 * self._pause, LONGEST_PAUSE_S)
                self._close(now, start, max(pause, asked or 0.0))
            elif self._refused_in_a_row(start):
                self._remember(now)
                self._close(now, start, FIRST_PAUSE_S if asked is None else max(SLACK_S, asked))
            elif start.at >= self._changed and failure.exhausted is not False:
                judged = list(islice(self._before(start, self._changed), JUDGED))
                refused = sum(other.refused for other in judged)
                if failure.exhausted or refused >= TOO_MANY:
                    share = refused / len(judged)
                    self._slow_down(now, share, sure=bool(failure.exhausted))

    def _before(self, start: Start, since: float) -> Iterator[Start]:
        """Return the call and those begun before it, newest first, not before a time."""
        return (other for other in reversed(self._starts) if since <= other.at <= start.at)

    def _refused_in_a_row(self, start: Start) -> bool:
        row = list(islice(self._before(start, self._opened), ROW))
        return len(row) == ROW and all(other.refused for other in row)

    def _rate(self, now: float) -> float:
        """Return the calls per second that may begin now."""
        if self._peak == math.inf:
            return math.inf
        calls_s = CURVE_CALLS / self._peak if self._known else 0.0
        unit = max(CURVE_S, min(calls_s, CURVE_LONGEST_S))
        past = (now - self._changed) / unit - (1 - DROP) ** (1 / 3)
        if past > CURVE_END:
            self._peak = math.inf
            return math.inf
        rate: float = self._peak * (1 + past**3)
        return max(SLOWEST, rate)

    def _let_through(self, now: float) -> float:
        """Return the calls per second that were let through in the last seconds."""
        lately = itertools.takewhile(lambda s: s.at > now - LATELY_S, reversed(self._starts))
        return sum(not start.refused for start in lately) / LATELY_S

    def _measured(self, now: float) -> float:
        """Return the calls per second that began lately: in two seconds, or the last ten."""
        lately = [start.at for start in islice(reversed(self._starts), 1000)]
        counted = lately[: max(10, sum(at > now - 2 for at in lately))]
        return len(counted) / max(2.0, now - counted[-1])

    def _slow_down(self, now: float, share: float, *, sure: bool) -> None:
        """Drop the rate; unless it is `sure` to be the cause, not if that has not helped."""
        rate, measured = self._rate(now), self._measured(now)
        if rate >= self._peak:
            self._drops, self._at_first = 0, max(measured, self._peak)
        if now < self._ignore_until and not sure:
            return
        if self._drops >= FUTILE and not sure:
            # As many are refused at a fraction of the rate.
            self._ignore_until = now + IGNORED_S
            self._drops = 0
            self._set_peak(now, self._at_first / DROP)
            return
        self._drops += 1
        self._known = True
        self._set_peak(now, max(min(measured * (1 - share), rate), self._let_through(now)))

    def _set_peak(self, now: float, peak: float) -> None:
        """Begin the curve again: below the peak, which it comes back to."""
        self._peak = max(SLOWEST, peak)
        self._changed = now
        self._next = max(self._next, now)

    def _remember(self, now: float) -> None:
        """Keep what was let through before the pool closes."""
        lately = [start for start in self._starts if start.at > now - MEMORY_S]
        self._passed = sum(not start.refused for start in lately)
        self._since = lately[0].at

    def _close(self, now: float, start: Start, pause: float) -> None:
        self._pause = pause
        self._opened = now
        self._next = now + pause
        self._probe = None
        self._patience = 2 * (now - start.at) + 0.5
        self._told(pause)

    def _open(self, now: float) -> None:
        self._pause, self._probe = 0.0, None
        self._opened = self._next = now
        self._drops = 0
        before = self._peak / 2 if self._peak < math.inf else 0.0
        self._known = self._passed >= JUDGED
        let_through = max(1, self._passed) / (now - self._since)
        self._set_peak(now, max(before, let_through) if self._known else 1.0)

"""How fast a pool is asked. The pace follows from which calls its provider rate limits.

What is said of a 429 here holds for each answer by which a provider says that it is called too
often, or has no room at present (`CallFailedError.rate_limited`).

A 429 can concern one request alone (a busy machine behind a router), or it can say that a limit is
reached. A limit rejects calls that begin close together. So each 429 is judged together with the
calls that began just before it. Calls still in flight count as accepted, because a 429 comes fast.

- Five in a row: the pool closes for as long as the provider asks. Then one call at a time tests
  whether it is open again, after pauses that double. When one is accepted, the pool continues at
  the rate that the provider accepted before it closed.
- Six of the last twenty, or one whose headers say that nothing is left of the limit: the rate drops
  to 0.7 of what was accepted. It returns to that level within seconds, stays there for a while, and
  then grows faster and faster. This is the cubic curve of TCP CUBIC (RFC 9438) and of the adaptive
  retry mode of the AWS SDKs.
- If two drops in a row do not help, the 429s have nothing to do with the rate. It returns to what
  it was. For a while, only 429s in a row count, and those that headers explain.
- In all other cases, only the call itself waits.

The rate adapts, not the number of calls in flight. A limit per minute is a limit of the rate, and a
limit of calls in flight bounds the rate as well, by Little's law. Each process has its own pace.
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

# So many 429s in a row, in the order in which the calls began, close the pool.
ROW = 5
# How many calls a 429 is judged with, and how many of these must be 429s for the rate to drop.
JUDGED, TOO_MANY = 20, 6
# The rate drops to this share of what was accepted.
DROP = 0.7
# The unit of time of the curve: so many seconds, and at least so many calls. Otherwise a slow pool
# would grow past its limit before a 429 could tell. The last number is the longest unit.
CURVE_S, CURVE_CALLS, CURVE_LONGEST_S = 2.0, 80, 30.0
# After so many units the rate is no longer limited.
CURVE_END = 4.0
# The pauses of a closed pool, if the provider does not ask for longer ones.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0
# After so many drops in a row, each below the rate accepted at first, 429s count as independent of
# the rate, for so many seconds.
FUTILE, IGNORED_S = 2, 20.0
# The rate never drops below what was accepted in the last so many seconds.
LATELY_S = 5.0
# What was accepted is counted over the time for which most providers set limits.
MEMORY_S = 60.0
# Calls that are late by up to so many seconds may follow each other immediately.
SLACK_S = 0.1
SLOWEST = 1 / 30


@dataclass(slots=True, eq=False)
class Start:
    """One call: when it began, and whether it is known to have been rate limited."""

    at: float
    rate_limited: bool = False


class Pace:
    """The pace of one pool. `told` is called with the seconds of each pause of the whole pool."""

    def __init__(self, told: Callable[[float], None] = lambda _: None) -> None:
        self._told = told
        # The status of the last answer of that kind.
        self.status = 429
        self._lock = threading.Lock()
        self._starts: deque[Start] = deque(maxlen=10_000)
        # When the rate was last set, and when the pool last closed or opened.
        self._changed = self._opened = 0.0
        self._peak = math.inf
        # Whether the peak is known from calls. If not, the rate grows fast in order to find it.
        self._known = True
        self._next = 0.0
        # How many drops there were since the rate was last accepted, the rate before the first of
        # them, and until when 429s are ignored.
        self._drops, self._at_first = 0, math.inf
        self._ignore_until = 0.0
        # For a closed pool: its pause (0: it is open), the call that tests it, what came before.
        self._pause = 0.0
        self._probe: Start | None = None
        self._patience = 0.0
        self._passed, self._since = 0, 0.0

    def enter(self) -> Start | float:
        """Begin a call, or return the seconds until one may begin."""
        with self._lock:
            now = time.monotonic()
            if self._pause and self._probe and now - self._probe.at > self._patience:
                # A 429 would have come by now.
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
        """Note that a call was accepted, whatever its answer was."""
        if self._pause:
            with self._lock:
                if self._pause and start.at >= self._opened:
                    self._open(time.monotonic())

    def rate_limited(self, start: Start, failure: CallFailedError) -> None:
        """Note that a call was rate limited, and slow down if that concerns other calls."""
        with self._lock:
            now = time.monotonic()
            start.rate_limited = True
            self.status = failure.status or self.status
            if start.at < self._opened:
                # The pool has already reacted to calls like this one.
                return
            asked = failure.retry_after
            if self._pause:
                pause = min(2 * self._pause, LONGEST_PAUSE_S)
                self._close(now, start, max(pause, asked or 0.0))
            elif self._limited_in_a_row(start):
                self._remember(now)
                self._close(now, start, FIRST_PAUSE_S if asked is None else max(SLACK_S, asked))
            elif start.at >= self._changed and failure.exhausted is not False:
                judged = list(islice(self._before(start, self._changed), JUDGED))
                limited = sum(other.rate_limited for other in judged)
                if failure.exhausted or limited >= TOO_MANY:
                    share = limited / len(judged)
                    self._slow_down(now, share, sure=bool(failure.exhausted))

    def _before(self, start: Start, since: float) -> Iterator[Start]:
        """Yield the call and those that began before it, newest first, back to a time."""
        return (other for other in reversed(self._starts) if since <= other.at <= start.at)

    def _limited_in_a_row(self, start: Start) -> bool:
        row = list(islice(self._before(start, self._opened), ROW))
        return len(row) == ROW and all(other.rate_limited for other in row)

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

    def _accepted(self, now: float) -> float:
        """Return the calls per second that were accepted in the last seconds."""
        lately = itertools.takewhile(lambda s: s.at > now - LATELY_S, reversed(self._starts))
        return sum(not start.rate_limited for start in lately) / LATELY_S

    def _measured(self, now: float) -> float:
        """Return the calls per second that began in the last two seconds, or the last ten calls."""
        lately = [start.at for start in islice(reversed(self._starts), 1000)]
        counted = lately[: max(10, sum(at > now - 2 for at in lately))]
        return len(counted) / max(2.0, now - counted[-1])

    def _slow_down(self, now: float, share: float, *, sure: bool) -> None:
        """Drop the rate. If it is not `sure` to be the cause, only while drops help."""
        rate, measured = self._rate(now), self._measured(now)
        if rate >= self._peak:
            self._drops, self._at_first = 0, max(measured, self._peak)
        if now < self._ignore_until and not sure:
            return
        if self._drops >= FUTILE and not sure:
            # Just as many calls are rate limited at a fraction of the rate.
            self._ignore_until = now + IGNORED_S
            self._drops = 0
            self._set_peak(now, self._at_first / DROP)
            return
        self._drops += 1
        self._known = True
        self._set_peak(now, max(min(measured * (1 - share), rate), self._accepted(now)))

    def _set_peak(self, now: float, peak: float) -> None:
        """Restart the curve: below the peak, to which it returns."""
        self._peak = max(SLOWEST, peak)
        self._changed = now
        self._next = max(self._next, now)

    def _remember(self, now: float) -> None:
        """Remember what was accepted before the pool closes."""
        lately = [start for start in self._starts if start.at > now - MEMORY_S]
        self._passed = sum(not start.rate_limited for start in lately)
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
        accepted = max(1, self._passed) / (now - self._since)
        self._set_peak(now, max(before, accepted) if self._known else 1.0)

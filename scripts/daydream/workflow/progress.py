"""How far a run is, reported in lines if there is no terminal, and its results for the summary.

    1 min 20 s: 612 of 9,003 jobs; 204 calls (3.4 per second), 0.4312 USD; 2 failed; about 40 min
    left

At first there is a line every ten seconds, later less often. The numbers come from the records that
Snakemake logs anyway, and from the ledger.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from daydream.calls.spent import Spent
from daydream.errors import DaydreamError
from daydream.store.layout import GENS
from daydream.workflow.failures import Failure

# (until so many seconds have passed, a line every so many)
INTERVALS = ((60.0, 10.0), (600.0, 30.0), (float("inf"), 60.0))
# The time left is estimated from the pace of about the last so many seconds.
WINDOW = 120.0


class Moment(NamedTuple):
    """How far a run is at one time, in seconds since its start."""

    seconds: float
    done: int
    total: int
    calls: int
    usd: float
    unpriced: int
    failed: int


class Progress(logging.Handler):
    """Counts the jobs that end and fail. `start` begins to report them, and `stop` ends it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.started_at = time.time()
        # Whether a job that makes part of a generation or of a report has begun.
        self.worked = False
        # Why a run within this one was stopped early.
        self.stopped = ""
        self._failures: dict[object, list[Failure]] = {}
        self._done = self._total = 0
        self._tell = tell
        self._stop = threading.Event()

    @property
    def failures(self) -> list[Failure]:
        """The jobs that failed, without those that succeeded in a later attempt."""
        return [failure for failures in self._failures.values() for failure in failures]

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record. If something is wrong with it, the run continues."""
        try:
            self._note(vars(record))
        except Exception:
            self.handleError(record)

    def _note(self, fields: Mapping[str, Any]) -> None:
        if "failures" in fields:
            self._failures[fields["failed_job"]] = fields["failures"]
            self.stopped = self.stopped or fields.get("stopped", "")
        event = fields.get("event")
        if event == "progress":
            self._done, self._total = fields["done"], fields["total"]
        elif event == "job_finished":
            self._failures.pop(fields["job_id"], None)
        elif event == "job_info" and not self.worked:
            self.worked = any(map(_is_result, fields["output"]))

    def start(self, spent: Callable[[], Spent]) -> None:
        """Report the progress from now on, in a daemon thread."""
        thread = threading.Thread(target=self._run, args=(spent,), daemon=True, name="progress")
        thread.start()

    def stop(self) -> None:
        """Stop reporting."""
        self._stop.set()

    def close(self) -> None:
        """Stop when the run ends, however it ends."""
        self.stop()
        super().close()

    def _run(self, spent: Callable[[], Spent]) -> None:
        # A ledger that cannot be read is an error of the run, which reports it once.
        with suppress(DaydreamError):
            self._follow(spent)

    def _follow(self, spent: Callable[[], Spent]) -> None:
        begin = time.monotonic()
        moments = deque([self._moment(0.0, spent())])
        while not self._stop.wait(_interval(time.monotonic() - begin)):
            now = self._moment(time.monotonic() - begin, spent())
            moments.append(now)
            while len(moments) > 2 and moments[1].seconds < now.seconds - WINDOW:
                moments.popleft()
            self._tell(line(now, moments[0], moments[-2]))

    def _moment(self, seconds: float, spent: Spent) -> Moment:
        return Moment(
            seconds=seconds,
            done=self._done,
            total=self._total,
            calls=spent.calls,
            usd=spent.usd,
            unpriced=spent.unpriced,
            failed=len(self.failures),
        )


def _is_result(path: str) -> bool:
    return path.startswith((f"{GENS}/", "data/7_")) or "/reports/" in path


def _interval(seconds: float) -> float:
    return next(interval for until, interval in INTERVALS if seconds < until)


def line(now: Moment, earlier: Moment, last: Moment) -> str:
    """Return how far a run is. `last` is the moment of the previous line, `earlier` an older one.

    The calls per second are those since `last`. The time left follows from the pace since
    `earlier`.
    """
    parts = [f"{now.done:,} of {now.total:,} jobs" if now.total else f"{now.done:,} jobs"]
    if now.calls:
        pace = (now.calls - last.calls) / (now.seconds - last.seconds)
        parts.append(f"{now.calls:,} call{'s' * (now.calls > 1)} ({pace:.1f} per second)")
        if now.unpriced < now.calls:
            parts[-1] += f", {now.usd:.4f} USD{' and more' if now.unpriced else ''}"
    if now.failed:
        parts.append(f"{now.failed:,} failed")
    made = now.done - earlier.done
    if made > 0 and now.total > now.done:
        left = (now.total - now.done) * (now.seconds - earlier.seconds) / made
        parts.append(f"about {_duration(_rounded(left))} left")
    return f"{_duration(now.seconds)}: {'; '.join(parts)}"


def _rounded(seconds: float) -> float:
    """Round an estimate to ten seconds, minutes, or quarters of an hour."""
    step = 10 if seconds < 120 else 60 if seconds < 7200 else 900
    return max(step, round(seconds / step) * step)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"
    if minutes:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{rest} s"

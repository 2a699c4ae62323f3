"""How far a run is, and its results for the summary.

    1 min 20 s: 204 of 3,000 answers (6 %); 8 in flight; 3.4 calls per second; 0.4312 USD of about
    6.34; 5 asked again; 2 failed; about 14 min left

Without a terminal this is a line, at first every ten seconds, later less often; a terminal shows
the same (`display`). A run that needs no answers counts its jobs; one that has no answer to wait
for any more, but makes reports, says which instead. The numbers come from the records
that Snakemake logs anyway, from the ledger, and from the design (`workload`).
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
from daydream.experiment.provenance import RULES
from daydream.store.layout import GENS
from daydream.workflow.failures import Failure
from daydream.workflow.workload import Workload

# (until so many seconds have passed, a line every so many)
INTERVALS = ((60.0, 10.0), (600.0, 30.0), (float("inf"), 60.0))
# The time left is estimated from the pace of about the last so many seconds.
WINDOW = 120.0
# On a terminal, so many seconds pass between the moments that the pace is taken from.
DRAWN = 2.0


class Moment(NamedTuple):
    """How far a run is at one time, in seconds since its start.

    Of the `expected` answers, `answers` are there, and `missed` failed.
    """

    seconds: float
    done: int
    total: int
    calls: int
    usd: float
    unpriced: int
    failed: int
    answers: int = 0
    missed: int = 0
    expected: int = 0
    in_flight: int = 0
    again: int = 0
    making: str = ""

    @property
    def share(self) -> tuple[int, int]:
        """What is done and what is to be done: answers where some are expected, else jobs.

        An answer that failed is done with: it takes no more of the time that is left.
        """
        done = self.answers + self.missed
        return (done, self.expected) if self.expected else (self.done, self.total)


class Progress(logging.Handler):
    """Counts the jobs that end and fail. `start` begins to report them, and `stop` ends it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        # Whether a job that makes part of a generation or of a report has begun.
        self.worked = False
        # Why a run within this one was stopped early.
        self.stopped = ""
        self._failures: dict[object, list[Failure]] = {}
        self._done = self._total = 0
        self._tell = tell
        self._stop = threading.Event()
        self._workload: Workload | None = None
        # The generations of jobs that get an answer, by the job's id.
        self._asking: dict[object, str] = {}
        # What the jobs make that make reports, by the job's id.
        self._reports: dict[object, str] = {}
        # What a run within this one makes, after all jobs of this one.
        self._within = ""
        self._spent: Callable[[], Spent] = Spent
        self._begin = time.monotonic()
        self._moments: deque[Moment] = deque()

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
            self._asking.pop(fields["failed_job"], None)
            self._reports.pop(fields["failed_job"], None)
            self._failures[fields["failed_job"]] = fields["failures"]
            self.stopped = self.stopped or fields.get("stopped", "")
            if self._workload:
                for failure in fields["failures"]:
                    self._workload.fail(failure.gen_id)
        event = fields.get("event")
        if event == "progress":
            self._done, self._total = fields["done"], fields["total"]
        elif event == "job_finished":
            recovered = self._failures.pop(fields["job_id"], [])
            gen_id = self._asking.pop(fields["job_id"], "")
            self._reports.pop(fields["job_id"], None)
            if self._workload:
                self._workload.settle(gen_id)
                for failure in recovered:
                    self._workload.recover(failure.gen_id)
        elif event == "job_info":
            self.worked = self.worked or any(map(_is_result, fields["output"]))
            if fields.get("rule_name", "").endswith(RULES["raw"]):
                wildcards = dict(fields["wildcards"].items())
                self.begin(fields["jobid"], fields["rule_name"], wildcards["gen_id"])
            if report := next(filter(None, map(_report, fields["output"])), ""):
                self._reports[fields["jobid"]] = report

    def begin(self, job: object, rule: str, gen_id: str) -> None:
        """Note that a job of a generation has begun."""
        self.worked = True
        if rule.endswith(RULES["raw"]):
            self._asking[job] = gen_id

    def make(self, what: str) -> None:
        """Say from now on that this is made, by a run within this one."""
        self._within = what

    def start(
        self,
        spent: Callable[[], Spent],
        workload: Callable[[], Workload | None],
        *,
        tells: bool = True,
    ) -> None:
        """Follow the run from now on, in a daemon thread; `tells`: report it in lines.

        `workload` is asked for once, in that thread. A run without one counts its jobs.
        """
        self._spent, self._begin = spent, time.monotonic()
        self._moments.append(self._moment())
        target, arguments = self._run, (workload, tells)
        thread = threading.Thread(target=target, args=arguments, daemon=True, name="progress")
        thread.start()

    def stop(self) -> None:
        """Stop reporting."""
        self._stop.set()

    def close(self) -> None:
        """Stop when the run ends, however it ends."""
        self.stop()
        super().close()

    def _run(self, workload: Callable[[], Workload | None], tells: bool) -> None:
        # What cannot be read, such as the ledger, is an error of the run, which reports it once.
        with suppress(DaydreamError, OSError):
            self._workload = workload()
            # The pace is that of answers from here on.
            self._moments = deque([self._moment()])
            self._follow(tells)

    def _follow(self, tells: bool) -> None:
        while not self._stop.wait(_interval(time.monotonic() - self._begin) if tells else DRAWN):
            now, earlier, last = self.moments()
            self._moments.append(now)
            while len(self._moments) > 2 and self._moments[1].seconds < now.seconds - WINDOW:
                self._moments.popleft()
            if tells:
                self._tell(line(now, earlier, last))

    def moments(self) -> tuple[Moment, Moment, Moment]:
        """Return the run now, at most `WINDOW` seconds ago, and at the last report."""
        now = self._moment()
        if not self._moments:
            return now, now, now
        return now, self._moments[0], self._moments[-1]

    def _moment(self) -> Moment:
        try:
            spent = self._spent()
        except DaydreamError:
            spent = Spent()
        load = self._workload
        answers, missed = _answers(load, spent) if load else (0, 0)
        expected = load.total if load else 0
        waits = bool(self._asking) or answers + missed < expected
        # A copy, because other threads change it at the same time.
        reports = " and ".join(dict.fromkeys([*self._reports.values()]))
        return Moment(
            seconds=time.monotonic() - self._begin,
            done=self._done,
            total=self._total,
            calls=spent.calls,
            usd=spent.usd,
            unpriced=spent.unpriced,
            failed=sum(not failure.is_waiting for failure in self.failures),
            answers=answers,
            missed=missed,
            expected=expected,
            in_flight=len(spent.open),
            again=spent.again,
            making=self._within or ("" if waits else reports),
        )


def _answers(load: Workload, spent: Spent) -> tuple[int, int]:
    """Return how many answers there are, and how many failed."""
    if load.divided:
        return min(spent.calls, load.total), 0
    return load.answered, load.done - load.answered


def _is_result(path: str) -> bool:
    return path.startswith((f"{GENS}/", "data/7_")) or "/reports/" in path


# The name of a report by its folder, or by its file where a folder holds several.
_REPORTS = {
    "aggregated_scores.csv": "the scores",
    "texts.csv": "the list of texts",
    "calls.csv": "the table of calls",
    "ratings.csv": "the list of ratings",
    "summary": "the tables",
    "analysis": "the tables",
    "criteria": "the tables of criteria",
    "ratings": "the tables of ratings",
    "figures": "the figures",
    "explorer": "the explorer",
}


def _report(path: str) -> str:
    """Return in words which report a file is, and of which cohort; empty if it is none."""
    if path.startswith("data/7_"):
        return "the tables of all cohorts"
    _, _, report = path.partition("/reports/")
    cohort = path.split("/")[2] if report else ""
    folder, _, file = report.partition("/")
    name = _REPORTS.get(folder) or _REPORTS.get(file, "")
    return f"{name} of {cohort}" if name else ""


def _interval(seconds: float) -> float:
    return next(interval for until, interval in INTERVALS if seconds < until)


def line(now: Moment, earlier: Moment, last: Moment) -> str:
    """Return how far a run is; `last` is the moment of the last line, `earlier` an older one."""
    return f"{_duration(now.seconds)}: {'; '.join(facts(now, earlier, last))}"


def facts(now: Moment, earlier: Moment, last: Moment) -> list[str]:
    """Return what there is to say of a run, the most important first.

    The calls per second are those since `last`. The time left follows from the pace since
    `earlier`, and the whole cost from that of the answers so far.
    """
    parts = [_share(now)]
    if now.in_flight:
        parts.append(f"{now.in_flight:,} in flight")
    if now.calls:
        passed = now.seconds - last.seconds
        pace = (now.calls - last.calls) / passed if passed > 0 else 0.0
        if not _only_reports(now):
            parts.append(f"{pace:.1f} calls per second")
        if now.unpriced < now.calls:
            parts.append(_cost(now))
    if now.again:
        parts.append(f"{now.again:,} asked again")
    if now.failed:
        parts.append(f"{now.failed:,} failed")
    (done, total), (before, _) = now.share, earlier.share
    if _only_reports(now):
        return parts
    if done > before and total > done and bool(now.expected) == bool(earlier.expected):
        left = (total - done) * (now.seconds - earlier.seconds) / (done - before)
        parts.append(f"about {_duration(_rounded(left))} left")
    return parts


def _only_reports(now: Moment) -> bool:
    """Tell whether no answer is to come any more, and reports are made."""
    return bool(now.making) and not now.in_flight


def _share(now: Moment) -> str:
    if _only_reports(now):
        return f"making {now.making}"
    if now.expected:
        share = 100 * now.answers // now.expected
        return f"{now.answers:,} of {now.expected:,} answers ({share} %)"
    if not now.total:
        return f"{now.done:,} jobs" if now.done else "no job is done yet"
    return f"{now.done:,} of {now.total:,} jobs"


def _cost(now: Moment) -> str:
    cost = f"{now.usd:.4f} USD{' and more' if now.unpriced else ''}"
    to_pay = now.expected - now.missed
    if now.usd and now.answers and to_pay > now.answers:
        cost += f" of about {now.usd * to_pay / now.answers:.2f}"
    return cost


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

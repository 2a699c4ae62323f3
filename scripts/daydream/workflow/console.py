"""What a user sees of a run: the logs of jobs, and shortened messages of Snakemake.

Snakemake surrounds an exception in a rule or an input function with file names, line numbers and a
traceback. An error of the library already says what happened, where, and what to do, so only its
own lines (`[code] ...`) are shown.

Snakemake reports a failed job three times: its exception, the job, and its log. Here this becomes
the one line in the log. Any error that is not the library's is printed unchanged.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from daydream.calls.stop import SECOND
from daydream.errors import StoppedError, StoreError, nearest
from daydream.experiment.provenance import FILES
from daydream.store.layout import GENS
from daydream.workflow.failures import Failure
from daydream.workflow.job_logs import logged, read_log
from daydream.workflow.progress import Progress

LOGGER = logging.getLogger("snakemake.logging")
_OWN_LINE = re.compile(r"^\s*(?:\w+Error: )?(\[[a-z]+\] .*)$", re.MULTILINE)
_GENERATION = re.compile(rf"{GENS}/([^/]+)/([^/]+)/")
_BEGINNING = re.compile(r"\[[a-z]+\] ")
# A line of a failed job names the generation at its beginning or at its end.
_NAMED = re.compile(r"^\[[a-z]+\] (\w+) ([\w-]+): |\((\w+) ([\w-]+)\)$")
_SHARD, _STOPPING = "[shard] ", "Stopping: "
_STOPPED = f"[{StoppedError.code}]"
# What Snakemake says at the end of a run with a failed job.
_FINAL = ("Exiting because a job execution failed", "At least one job did not complete")
# What it says of a target that is neither a file nor a rule.
_UNKNOWN_TARGET = re.compile(r"(?:MissingRuleException:\s*)?No rule to produce (.+) \(if you")
# What it says of files that `--report` is to show.
_NO_RECORD = re.compile(r"Missing metadata for file (.+?)\. Maybe metadata")
_UNMADE = (
    "is not made yet; run the same command without --report, or name a target that is made, such "
    "as: snakemake scores --report report.html"
)
_NOT_THERE = re.compile(r"File (\S+) marked for report but does not exist")
# The exception for a script's process, which only says that it failed.
_SCRIPT = re.compile(
    r"(?:RuleException:\s*)?CalledProcessError in file [^\n]*:\s*"
    r"Command [^\n]*\.snakemake/scripts/[^\n]* returned non-zero exit status \d+\.\s*"
)


class Forgiving(logging.Filter):
    """Lets a record pass as it is if something is wrong with it, or with what the filter asks.

    Snakemake logs in the threads of its jobs and waits for what they report. An exception there
    would end such a thread without a report, and the run would wait forever.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record passes, as `passes` has it."""
        try:
            return self.passes(record)
        except Exception:
            traceback.print_exc()
            return True

    def passes(self, record: logging.LogRecord) -> bool:
        """Tell whether a record passes; it may be changed."""
        raise NotImplementedError


class JobErrors(Forgiving):
    """Makes one line of everything that is reported about a job that failed with a library error.

    Snakemake first reports the exception, and then, in the same thread, the job, which names its
    log. The line is made from the second report, because only it says what the job makes. The first
    is dropped if the same error is already in a job's log. A script's exception waits until its job
    is reported.

    A job that failed only because the run is ending is dropped completely. The records of other
    jobs get `failures` and a `failed_job`. A shortened record is no longer a `job_error`, because
    handlers would then print its log as well. A shard's record has the lines of all jobs that
    failed in it, and why it `stopped`.
    """

    def __init__(self, *, told_by_parent: bool = False) -> None:
        """`told_by_parent`: the process that started this one reports its job as well."""
        super().__init__()
        self._told_by_parent = told_by_parent
        self._waiting: dict[int, logging.LogRecord] = {}
        self._own = self._others = 0

    def passes(self, record: logging.LogRecord) -> bool:
        """Shorten the report of a job, and drop reports that repeat it."""
        waiting = self._waiting.pop(threading.get_ident(), None)
        event = getattr(record, "event", None)
        if event == "job_error":
            return self._job_error(record, waiting)
        if waiting is not None:
            LOGGER.callHandlers(waiting)
        if record.levelno < logging.ERROR:
            return True
        message = record.getMessage()
        if event == "error":
            if _SCRIPT.fullmatch(message):
                self._waiting[threading.get_ident()] = record
                return False
            own = "\n".join(_OWN_LINE.findall(message))
            if own and (own.startswith("[shard]") or logged.take(own)):
                return False
        # All failures have been reported, each in a line that says more than this.
        return not (self._own and not self._others and any(end in message for end in _FINAL))

    def _job_error(self, record: logging.LogRecord, waiting: logging.LogRecord | None) -> bool:
        fields = vars(record)
        place, gen_id = _place(fields)
        line = _own_log(fields.get("log") or [])
        if not line:
            self._others += 1
            line = f"rule {fields.get('rule_name')} failed; see its log, or what it has printed"
            fields |= {
                "failures": [Failure(line, place, gen_id)],
                "failed_job": fields.get("jobid"),
            }
            if waiting is not None:
                LOGGER.callHandlers(waiting)
            if gen_id and _logs_less():
                # No handler has been told of this job, so none can show its log.
                record.msg, record.args = f"{line} ({place}):\n{_whole_log(fields)}", ()
                del fields["event"]
            return True
        self._own += 1
        if line.startswith(_STOPPED):
            return False
        if gen_id and gen_id not in line:
            line = f"{line} ({place})"
        failures = [Failure(line, place, gen_id)]
        if _SHARD in line:
            stops, within = _shard_failures(line)
            failures = within or failures
            fields["stopped"] = stops
        fields |= {"failures": failures, "failed_job": fields.get("jobid")}
        record.msg, record.args = line, ()
        del fields["event"]
        return not self._told_by_parent

    def flush(self) -> None:
        """Print the exceptions that still wait for the report of a job."""
        while self._waiting:
            LOGGER.callHandlers(self._waiting.popitem()[1])


def _own_log(paths: Sequence[str]) -> str:
    """Return the error in a failed job's log, if it is one of the library's."""
    for path in paths:
        try:
            lines = read_log(path).splitlines()
        except StoreError:
            continue
        if lines and lines[-1].startswith(_SHARD):
            # A shard's log is the output of a whole run; its error is the last line.
            lines = [line for line in lines if _BEGINNING.match(line) or line.startswith(_STOPPING)]
            return "\n".join(dict.fromkeys(lines))
        if lines and all(map(_BEGINNING.match, lines)):
            return "\n".join(lines)
    return ""


def _whole_log(fields: Mapping[str, Any]) -> str:
    """Return what the log of a failed job says, whoever wrote it."""
    with suppress(StoreError):
        return "\n".join(read_log(path) for path in fields.get("log") or [])
    return ""


def _shard_failures(lines: str) -> tuple[str, list[Failure]]:
    """Return why a shard was stopped, if it was, and the failures of the jobs within it."""
    stopped, failures = "", []
    for line in lines.splitlines():
        if line.startswith(_STOPPING):
            stopped = line.removeprefix(_STOPPING).split("; ")[0].removesuffix(SECOND)
        elif found := _NAMED.search(line):
            stage, gen_id = (group for group in found.groups() if group)
            failures.append(Failure(line, f"{stage} {gen_id}", gen_id))
    return stopped, failures


def _place(fields: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a job makes, in words, and its gen_id if it makes a generation."""
    paths = [str(path) for name in ("output", "log") for path in fields.get(name) or []]
    for path in paths:
        if found := _GENERATION.match(path):
            return " ".join(found.groups()), found[2]
    return (paths[-1] if paths else str(fields.get("rule_name"))), ""


class ConciseErrors(Forgiving):
    """Reduces a log record about a library error to the lines of that error."""

    def passes(self, record: logging.LogRecord) -> bool:
        """Shorten the record's message in place; never drop it."""
        if record.levelno >= logging.ERROR and isinstance(record.msg, str):
            own = _OWN_LINE.findall(record.getMessage())
            if own:
                record.msg, record.args = "\n".join(dict.fromkeys(own)), ()
        return True


class OtherRuns(Forgiving):
    """Says which run has locked the files, which Snakemake can only guess."""

    def __init__(self, others: Callable[[], Sequence[str]]) -> None:
        super().__init__()
        self._others = others

    def passes(self, record: logging.LogRecord) -> bool:
        """Replace the message that the directory cannot be locked; never drop it."""
        is_refusal = record.levelno >= logging.ERROR and "cannot be locked" in str(record.msg)
        if is_refusal and (others := self._others()):
            record.args = ()
            record.msg = (
                f"[run] another run makes the same files here ({'; '.join(others)}); wait "
                f"for it, or stop it with Ctrl-C or kill"
            )
        return True


class UnmadeReports(Forgiving):
    """Says of a report of files that are not made yet which command makes them, in one line."""

    def passes(self, record: logging.LogRecord) -> bool:
        """Replace the message that a file is not there, and drop those that it has no record."""
        if found := _NO_RECORD.match(record.getMessage()):
            return Path(found[1]).exists()
        if found := _NOT_THERE.search(record.getMessage()):
            record.args, record.msg = (), f"[report] {found[1]} {_UNMADE}"
        return True


class UnknownTargets(Forgiving):
    """Says of a target that nothing makes which one may have been meant."""

    def __init__(self) -> None:
        super().__init__()
        self.names_of: Callable[[], Iterable[str]] = tuple
        self.files_of: Callable[[], Iterable[str]] = tuple

    def passes(self, record: logging.LogRecord) -> bool:
        """Replace the message that no rule makes a target; never drop it."""
        found = _UNKNOWN_TARGET.match(record.getMessage().strip())
        if record.levelno >= logging.ERROR and found:
            record.args = ()
            record.msg = (
                f"[target] found {found[1]!r}, which nothing here makes; {self._remedy(found[1])}"
            )
        return True

    def _remedy(self, target: str) -> str:
        """Return which targets there are of the kind of one that nothing makes."""
        if target.startswith(f"{GENS}/"):
            texts = ", ".join(text for texts in FILES.values() for text in texts)
            return f"of a generation, these are made: {GENS}/<stage>/<gen_id>/ with {texts}"
        return nearest(target, self.files_of() if "/" in target else self.names_of())


class Before(Forgiving):
    """Prints something once, just before Snakemake says something."""

    def __init__(self, *texts: str, say: Callable[[], None]) -> None:
        super().__init__()
        self._texts = texts
        self._say = say
        self._said = False

    def passes(self, record: logging.LogRecord) -> bool:
        """Never drop the record."""
        if not self._said and any(text in str(record.msg) for text in self._texts):
            self._said = True
            self._say()
        return True


def before(*texts: str, say: Callable[[], None]) -> None:
    """Print something once, just before Snakemake says one of these texts."""
    LOGGER.addFilter(Before(*texts, say=say))


def know_targets(
    names_of: Callable[[], Iterable[str]], files_of: Callable[[], Iterable[str]]
) -> None:
    """Name the nearest target, or the nearest file, in the message about an unknown one."""
    for each in LOGGER.filters:
        if isinstance(each, UnknownTargets):
            each.names_of, each.files_of = names_of, files_of


def tell(text: str) -> None:
    """Print a message of the run, if there is one, after all earlier ones, and log it."""
    for each in LOGGER.filters:
        if isinstance(each, JobErrors):
            each.flush()
    if text:
        LOGGER.info(f"\n{text}\n" if "\n" in text else text)


class EventsOfJobs(Forgiving):
    """Passes on to the progress alone what is logged of each job, three records.

    Every handler would format each record, a tenth of what a job costs, and none of those that a
    run has by itself would show it. Failures are other records.
    """

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def passes(self, record: logging.LogRecord) -> bool:
        """Drop the record if it is one of these."""
        event = getattr(record, "event", None)
        if event not in ("job_started", "job_finished", "progress"):
            return True
        if event != "job_started":
            self._progress.emit(record)
        return False


def log_less(progress: Progress) -> None:
    """Log single jobs no more."""
    if not _logs_less():
        LOGGER.addFilter(EventsOfJobs(progress))


def _logs_less() -> bool:
    return any(isinstance(each, EventsOfJobs) for each in LOGGER.filters)


def attach(others: Callable[[], Sequence[str]]) -> Progress:
    """Shorten the messages of Snakemake's logger; `others` returns the other live runs here.

    The returned `Progress` sees everything that is logged.
    """
    for known in LOGGER.handlers:
        if isinstance(known, Progress):
            # A workflow may import this one several times.
            return known
    LOGGER.addFilter(JobErrors(told_by_parent=_is_inner_process(sys.argv)))
    LOGGER.addFilter(ConciseErrors())
    LOGGER.addFilter(UnmadeReports())
    LOGGER.addFilter(UnknownTargets())
    LOGGER.addFilter(OtherRuns(others))
    progress = Progress(tell)
    LOGGER.addHandler(progress)
    return progress


def _is_inner_process(argv: Sequence[str]) -> bool:
    """Tell whether Snakemake started this process for one job, and prints its output."""
    return any(pair == ("--mode", "subprocess") for pair in pairwise(argv))

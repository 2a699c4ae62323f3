"""What a user reads of a run: the job logs, and Snakemake's messages made short.

Snakemake frames an exception of a rule or of an input function with file names, line numbers and a
traceback. An error of the library says itself what, where and what to do, so only its own lines
(`[code] ...`) are left. In a dry run each job is one line with its reason, which the logger plugin
`rich` leaves out.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from daydream.errors import DaydreamError, StoppedError, StoreError
from daydream.files import read_text, write_text

_OWN_LINE = re.compile(r"^\s*(?:\w+Error: )?(\[[a-z]+\] .*)$", re.MULTILINE)


@contextmanager
def job_log(path: str) -> Iterator[None]:
    """Write the error that ends a job to its log, which Snakemake shows for a failed job.

    A user's error is its one line; anything else is a defect and keeps its traceback.
    """
    try:
        yield
    except DaydreamError as error:
        write_text(path, f"{error}\n")
        raise
    except Exception:
        write_text(path, traceback.format_exc())
        raise


class ConciseErrors(logging.Filter):
    """Reduces a log record that reports an error of the library to that error's own lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the record's message in place; never drop it."""
        if record.levelno >= logging.ERROR and isinstance(record.msg, str):
            own = _OWN_LINE.findall(record.getMessage())
            if own:
                record.msg, record.args = "\n".join(dict.fromkeys(own)), ()
        return True


class OtherRuns(logging.Filter):
    """Says which run has locked the files, where Snakemake can only guess."""

    def __init__(self, others: Sequence[str]) -> None:
        super().__init__()
        self._others = others

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the message that the directory cannot be locked; never drop it."""
        if record.levelno >= logging.ERROR and "cannot be locked" in str(record.msg):
            record.args = ()
            record.msg = (
                f"[run] another run makes the same files here ({'; '.join(self._others)}); wait "
                f"for it, or stop it with Ctrl-C or kill"
            )
        return True


class StoppedJobs(logging.Filter):
    """Leaves out the jobs that failed for no other reason than that the run is to end."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop what reports a job that was stopped before its call."""
        if f"[{StoppedError.code}]" in str(record.msg):
            return False
        if getattr(record, "event", None) != "job_error":
            return True
        logs = vars(record).get("log") or []
        return not any(_holds(path, f"[{StoppedError.code}]") for path in logs)


def _holds(path: str, beginning: str) -> bool:
    try:
        return read_text(path).startswith(beginning)
    except StoreError:
        return False


class DryRunJobs(logging.Filter):
    """Prints each job of a dry run as one line: rule, wildcards, reason."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Print the job that a record announces; never drop the record."""
        if getattr(record, "event", None) == "job_info":
            fields = vars(record)
            wildcards = " ".join(f"{name}={value}" for name, value in fields["wildcards"].items())
            reason = " ".join(str(fields["reason"]).split())
            print(f"{fields['rule_name']} {wildcards}  # {reason}", file=sys.stderr)
        return True


def tell(text: str) -> None:
    """Print what a run has to say at its end, if anything."""
    if text:
        print(text, file=sys.stderr)


def attach(*, dry_run: bool, others: Sequence[str], lists_jobs: bool) -> None:
    """Shorten the messages of Snakemake's logger; list a dry run's jobs unless it `lists_jobs`.

    `others` are the other runs that are alive here.
    """
    logger = logging.getLogger("snakemake.logging")
    if any(isinstance(known, ConciseErrors) for known in logger.filters):
        # A workflow that imports this one may do so several times.
        return
    logger.addFilter(ConciseErrors())
    logger.addFilter(StoppedJobs())
    if others:
        logger.addFilter(OtherRuns(others))
    if dry_run and not lists_jobs:
        logger.addFilter(DryRunJobs())

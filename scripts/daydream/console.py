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
from collections.abc import Iterator
from contextlib import contextmanager

from daydream.errors import DaydreamError
from daydream.files import write_text

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


def attach(*, dry_run: bool, lists_jobs: bool) -> None:
    """Shorten the messages of Snakemake's logger; list a dry run's jobs unless it `lists_jobs`."""
    logger = logging.getLogger("snakemake.logging")
    logger.addFilter(ConciseErrors())
    if dry_run and not lists_jobs:
        logger.addFilter(DryRunJobs())

"""The jobs of a dry run on the terminal: each is one line with its reason.

The logger plugin `rich` leaves out the reasons. Of the jobs of generations that have failed before,
or whose parent has, only the first of each cause are listed, as a run does with failures.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping

from daydream.text import clipped
from daydream.workflow.console import LOGGER, Forgiving
from daydream.workflow.failures import Failure
from daydream.workflow.repeats import FirstOfEach

# How many characters a reason may have.
REASON = 120

ReasonOf = Callable[[str, Mapping[str, str]], str]
IsAfterFailure = Callable[[Mapping[str, str]], bool]


class DryRunJobs(Forgiving):
    """Prints each job of a dry run as one line: rule, wildcards, reason.

    `reason_of` may give a better reason than Snakemake for a rule and its wildcards.
    `is_after_failure` tells whether a job is of a generation that failed, or comes after one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reason_of: ReasonOf = lambda _rule, _wildcards: ""
        self.is_after_failure: IsAfterFailure = lambda _wildcards: False
        self._first: dict[str, FirstOfEach] = {}

    def passes(self, record: logging.LogRecord) -> bool:
        """Print the job that a record announces; never drop the record."""
        if getattr(record, "event", None) == "job_info":
            fields = vars(record)
            rule, wildcards = fields["rule_name"], dict(fields["wildcards"].items())
            reason = self.reason_of(rule, wildcards) or str(fields["reason"])
            if not self.is_after_failure(wildcards) or self._is_shown(rule, wildcards, reason):
                named = " ".join(f"{name}={value}" for name, value in wildcards.items())
                _print(rule, named, reason)
        return True

    def _is_shown(self, rule: str, wildcards: Mapping[str, str], reason: str) -> bool:
        def say(cause: str) -> None:
            _print(rule, "…", f"more like these: {cause}")

        gen_id = wildcards["gen_id"]
        failure = Failure(reason, f"{wildcards['stage']} {gen_id}", gen_id)
        return self._first.setdefault(rule, FirstOfEach(say)).has(failure)


def _print(rule: str, what: str, reason: str) -> None:
    print(f"{rule} {what}  # {clipped(' '.join(reason.split()), REASON)}", file=sys.stderr)


def list_jobs() -> None:
    """Print each job of this dry run, from now on."""
    if not any(isinstance(each, DryRunJobs) for each in LOGGER.filters):
        LOGGER.addFilter(DryRunJobs())


def give_reasons(reason_of: ReasonOf, is_after_failure: IsAfterFailure) -> None:
    """Let a dry run show the reasons that `reason_of` gives."""
    for each in LOGGER.filters:
        if isinstance(each, DryRunJobs):
            each.reason_of, each.is_after_failure = reason_of, is_after_failure

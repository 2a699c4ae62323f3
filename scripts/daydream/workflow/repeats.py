"""Failures of one cause on the terminal: the first ones, and that there are more.

A wrong key fails each call of a cohort with the same line. The log file keeps them all, and the
summary at the end counts them by cause.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from daydream.workflow.failures import Failure
from daydream.workflow.progress import Progress
from daydream.workflow.summary import cause

# How many failures of one cause are shown.
SHOWN = 3


class FirstOfEach:
    """Counts failures by cause; `say` is given a cause when there are more than are shown."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._seen: Counter[str] = Counter()

    def has(self, failure: Failure) -> bool:
        """Count a failure, and tell whether it is one of the first of its cause."""
        found = cause(failure)
        self._seen[found] += 1
        if self._seen[found] == SHOWN + 1:
            self._say(found)
        return self._seen[found] <= SHOWN


class Repeats(logging.Filter):
    """Drops failures of a cause of which enough have been shown, and tells so once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._first = FirstOfEach(
            lambda found: tell(
                f"More failures like this are only counted here; .snakemake/log has all: {found}"
            )
        )

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be shown."""
        fields = vars(record)
        if "is_shown" not in fields:  # decided for another handler
            failures: Sequence[Failure] = fields.get("failures", ())
            is_one = len(failures) == 1 and failures[0].gen_id
            fields["is_shown"] = not is_one or self._first.has(failures[0])
        return bool(fields["is_shown"])


def shorten(
    logger: logging.Logger,
    logs: Collection[logging.Handler],
    tell: Callable[[str], None],
) -> None:
    """Show no more than the first failures of a cause; `logs` are the handlers of log files."""
    repeats = Repeats(tell)
    for handler in logger.handlers:
        shows = not isinstance(handler, Progress) and handler not in logs
        if shows and not any(isinstance(each, Repeats) for each in handler.filters):
            handler.addFilter(repeats)

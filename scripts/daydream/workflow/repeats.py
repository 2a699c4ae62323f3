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


class Repeats(logging.Filter):
    """Drops failures of a cause of which enough have been shown, and tells so once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell
        self._seen: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be shown."""
        fields = vars(record)
        if "is_shown" not in fields:  # decided for another handler
            fields["is_shown"] = self._is_shown(fields.get("failures", ()))
        return bool(fields["is_shown"])

    def _is_shown(self, failures: Sequence[Failure]) -> bool:
        if len(failures) != 1 or not failures[0].gen_id:
            return True
        found = cause(failures[0])
        self._seen[found] += 1
        if self._seen[found] == SHOWN + 1:
            self._tell(
                f"More failures like this are only counted here; .snakemake/log has all: {found}"
            )
        return self._seen[found] <= SHOWN


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

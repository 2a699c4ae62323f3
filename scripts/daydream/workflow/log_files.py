"""Log files of a run that cannot be written, as on a full disk: said once, and the run goes on.

Python's own way is a traceback on the terminal for each record.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable


def say_once(handlers: Iterable[logging.Handler], tell: Callable[[str], None]) -> None:
    """Let handlers of log files `tell` the first time that the file system refuses a record."""
    for handler in handlers:
        others = handler.handleError
        handler.handleError = _Refused(others, tell)  # type: ignore[method-assign]


class _Refused:
    """What a handler does with an error; `others` is what it does with any other error."""

    def __init__(
        self, others: Callable[[logging.LogRecord], None], tell: Callable[[str], None]
    ) -> None:
        self._others = others
        self._tell = tell
        self._told = False

    def __call__(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self._others(record)
        elif not self._told:
            self._told = True
            self._tell(f"The log of this run cannot be written ({error.strerror}).")

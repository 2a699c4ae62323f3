"""How far a run is, on a terminal: answers, pace, cost and failures, in a few lines that stay.

The logger plugin `rich` draws a bar per rule, whose length is the number of jobs started so far. It
keeps its place on the screen; what it shows there is replaced by this.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from daydream.workflow.failures import Failure
from daydream.workflow.progress import Moment, facts
from daydream.workflow.summary import cause

# How many causes of failures have a line.
CAUSES = 3
# Seconds between two looks at the run.
REDRAWN = 0.5


class Watched(Protocol):
    """What is drawn: a run's latest moment and its failures."""

    def moments(self) -> tuple[Moment, Moment, Moment]:
        """Return the run now, some time ago, and a short time ago."""
        ...

    @property
    def failures(self) -> list[Failure]:
        """The jobs that failed."""
        ...


class Display:
    """Draws a run each time that the terminal is refreshed."""

    def __init__(self, run: Watched) -> None:
        self._run = run
        self._drawn_at = float("-inf")
        self._lines: RenderableType = ""

    def __rich__(self) -> RenderableType:
        """Return the lines; none is wider than the terminal."""
        # The terminal asks eight times per second, and a thousand failures take a while to count.
        if time.monotonic() - self._drawn_at > REDRAWN:
            self._lines, self._drawn_at = self._drawn(), time.monotonic()
        return self._lines

    def _drawn(self) -> RenderableType:
        now, earlier, last = self._run.moments()
        counted, *others = facts(now, earlier, last)
        done, total = now.share
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(ratio=1)
        head.add_column(no_wrap=True)
        head.add_row(ProgressBar(total=max(total, 1), completed=done), counted)
        lines = [_line(" · ".join(others)), *map(_line, _causes(self._run.failures))]
        return Panel(Group(head, *lines), title="Daydream", border_style="dim", padding=(0, 1))


def _line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")


def _causes(failures: Iterable[Failure]) -> Iterator[str]:
    counts = Counter(cause(failure) for failure in failures)
    for text, count in counts.most_common(CAUSES):
        yield f"{count:,} × {text}"
    rest = len(counts) - CAUSES
    if rest > 0:
        yield f"… and {rest:,} more cause{'s' * (rest > 1)}"


def take_over(handlers: Iterable[logging.Handler], run: Watched) -> bool:
    """Draw a run where the logger plugin `rich` draws its bars; tell whether it is there."""
    for handler in handlers:
        live = getattr(handler, "live_display", None)
        if isinstance(live, Live):
            live.update(Display(run))
            return True
    return False

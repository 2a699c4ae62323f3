"""A page that follows a run: it is made again every some seconds, and loads itself again as often.

It is a file of its own, ``live.html``, and not the one that runs make: Snakemake deletes that one
before it is made again, and a browser that reloads it at this moment stays with an error. This one
takes its name whole. Making it takes no lock and makes no other file, so nothing waits for it.

It is there only while a run is followed: a page that stayed would soon be of older texts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from daydream.errors import StoreError
from daydream.experiment.experiment import Experiment
from daydream.explorer.page import write_explorer
from daydream.reports.report import EXPLORER
from daydream.reports.scores import write_scores
from daydream.reports.sources import look

# What makes the page of what there is, complete or not, without a call.
PAGE = "snakemake -c1 explorer --config partial=true"


def follow(
    experiment: Experiment, goes_on: Callable[[], object], tell: Callable[[str], None]
) -> str:
    """Make the pages of all cohorts until no run goes on, or nothing is missing; then delete them.

    If none goes on when it begins, no page is made.

    `tell` is given where the pages are; what has become of them is returned.

    Raises:
        StoreError: the file system does not take a page.
    """
    if not goes_on():
        return "No run goes on here that could be followed: start one first, in another terminal."
    every, stop = experiment.settings.follow, experiment.stop.event
    pages = {cohort: live_page(cohort) for cohort in experiment.settings.cohorts}
    tell("\n".join(["Open in a browser:", *map(str, pages.values())]))
    try:
        # Asked before a page is made: the last one is of what the run has left.
        while goes_on() and not stop.is_set():
            try:
                whole = [_make(experiment, *page, every=every) for page in pages.items()]
            except StoreError as error:
                # The run may take away a text at this moment, to make it again.
                tell(str(error))
                whole = [False]
            if all(whole):
                break
            stop.wait(every)
        for cohort, path in pages.items():
            _make(experiment, cohort, path, every=0)
        # So that a page that is open can load this last one.
        stop.wait(2 * every)
    finally:
        for path in pages.values():
            path.unlink(missing_ok=True)
    return "The run is over, or nothing is missing. To see all that there is: " + PAGE


def live_page(cohort: str) -> Path:
    """Return the page that follows a run of a cohort."""
    return Path(EXPLORER.path(cohort)).with_name("live.html")


def _make(experiment: Experiment, cohort: str, page: Path, *, every: float) -> bool:
    """Make a page that loads itself again after `every` seconds; tell whether it is whole."""
    known = look(experiment, cohort)
    whole = all(account.complete for account in known.values())
    page.parent.mkdir(parents=True, exist_ok=True)
    made = datetime.now().astimezone().strftime("%H:%M:%S")
    with TemporaryDirectory() as directory:
        scores = Path(directory, "scores.csv")
        write_scores(experiment, cohort, known, str(scores))
        follows = {"every": 0 if whole else every, "made": made}
        write_explorer(experiment, cohort, known, str(page), scores=scores, follows=follows)
    return whole

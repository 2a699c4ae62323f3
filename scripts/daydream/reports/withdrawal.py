"""Deleting outdated reports, so that every number that remains is from today's inputs.

Before the first text of a cohort is made, its old reports are deleted (`Withdrawal.before`), so
that none is left if the run ends early. A run that makes no text checks all reports instead
(`withdraw_outdated`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from daydream.analysis import CRITERIA, FOLDERS
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.figures import FIGURES, FORMATS
from daydream.generations.row import Generation
from daydream.reports.report import CROSS, EMBEDDINGS, REPORTS, is_current
from daydream.store.layout import COHORTS


class Withdrawal:
    """The cohorts of an experiment whose reports are still those of earlier runs."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._untouched: dict[str, frozenset[str]] | None = None

    def before(self, generation: Generation) -> None:
        """Delete the reports of the cohorts to which a text belongs that is about to be made.

        Only the first text of a cohort takes time. A report that was made during this run stays: it
        is a partial one.
        """
        if self._untouched is None:
            memberships = self._experiment.memberships
            self._untouched = {
                cohort: frozenset(row.gen_id for row in rows)
                for cohort, rows in memberships.items()
            }
        if not self._untouched:
            return
        # A copy, because other threads remove cohorts from it at the same time.
        for cohort, ids in list(self._untouched.items()):
            if generation.gen_id in ids:
                _remove(self._experiment, [cohort])
                self._untouched.pop(cohort, None)


def withdraw_outdated(experiment: Experiment, known: Mapping[str, Account]) -> None:
    """Delete the cohorts' reports that are outdated, and the tables that combine them."""
    _remove(
        experiment,
        [
            cohort
            for cohort in experiment.settings.cohorts
            if not all(is_current(experiment, report, cohort, known) for report in REPORTS)
        ],
    )


def _remove(experiment: Experiment, cohorts: Iterable[str]) -> None:
    for cohort in cohorts:
        for path in (*_files(COHORTS / cohort / "reports"), *_joined()):
            try:
                if path.stat().st_mtime_ns < experiment.calls.started_ns:
                    path.unlink()
            except FileNotFoundError:
                continue


def _files(reports: Path) -> Iterator[Path]:
    """Yield every file that a run writes in the reports of a cohort."""
    for report in REPORTS:
        yield reports / report.file
    yield reports / EMBEDDINGS
    for table, folder in FOLDERS.items():
        yield reports / folder / f"{table}.csv"
    for table in CRITERIA:
        yield reports / "criteria" / f"{table}.csv"
    for figure in FIGURES:
        for form in FORMATS:
            yield reports / "figures" / f"{figure}.{form}"


def _joined() -> Iterator[Path]:
    """Yield the tables that combine cohorts."""
    for directory in (CROSS, *(CROSS / "views").glob("*")):
        for name in ("scores.csv", "template_model.csv"):
            yield directory / name

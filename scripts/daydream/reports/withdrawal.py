"""Deleting outdated reports, so that every number that remains is from today's inputs.

Before its first job, a run deletes the reports that are not of today's inputs
(`withdraw_outdated`): it may make one of them again, and the others would contradict it. Before the
first text of a cohort is made, all its old reports are deleted (`Withdrawal.before`), so that none
is left if the run ends early.

A ranking holds what the user has selected. So it is not deleted, but renamed, until `snakemake top`
ranks again and takes over the selection.

A report that has a record of its own (`reports.sources`) is outdated if the record is not that of
today. What is made from such reports, such as a table, is outdated with any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from daydream.analysis import CRITERIA, FOLDERS, OF_RATINGS
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.figures import FIGURES, FORMATS
from daydream.generations.row import Generation
from daydream.reports.overview import PAGES
from daydream.reports.ranking import OUTDATED_RANKING, RANKING
from daydream.reports.report import (
    CALLS,
    CROSS,
    EMBEDDINGS,
    RATINGS,
    REPORTS,
    SCORES,
    TEXTS,
    Report,
)
from daydream.reports.sources import Sources
from daydream.store.layout import COHORTS

Tell = Callable[[str], None]


class Withdrawal:
    """The cohorts of an experiment whose reports are still those of earlier runs.

    `tell` is given what the user has to know.
    """

    def __init__(self, experiment: Experiment, tell: Tell) -> None:
        self._experiment = experiment
        self._tell = tell
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
                _remove(self._experiment, cohort, REPORTS, self._tell)
                self._untouched.pop(cohort, None)


def withdraw_outdated(experiment: Experiment, known: Mapping[str, Account], tell: Tell) -> None:
    """Delete the cohorts' reports that are outdated, and what is made from them.

    A partial report of exactly what exists is not outdated. A shard covers only a part of what
    reports show, so it leaves them to the run that started it.
    """
    if experiment.settings.shard is not None:
        return
    for cohort in experiment.settings.cohorts:
        _remove(experiment, cohort, outdated_reports(experiment, cohort, known), tell)


def outdated_reports(
    experiment: Experiment, cohort: str, known: Mapping[str, Account]
) -> list[Report]:
    """Return the reports of a cohort that are not of exactly what exists, also those not made."""
    sources = Sources(experiment, cohort, known)
    return [report for report in REPORTS if not sources.is_current(report, partial=True)]


def _remove(experiment: Experiment, cohort: str, outdated: Collection[Report], tell: Tell) -> None:
    paths = [*_files(COHORTS / cohort / "reports", outdated)]
    if SCORES in outdated or TEXTS in outdated:
        paths += _comparisons(cohort)
        _set_aside(cohort, tell)
    for path in paths:
        with suppress(FileNotFoundError):
            if path.stat().st_mtime_ns < experiment.calls.started_ns:
                path.unlink()


def _files(reports: Path, outdated: Collection[Report]) -> Iterator[Path]:
    """Yield every file that a run makes of outdated reports of a cohort, and these themselves."""
    for report in outdated:
        yield reports / report.file
    yield from _pages(reports, outdated)
    if SCORES in outdated:
        for table in CRITERIA:
            yield reports / "criteria" / f"{table}.csv"
    if SCORES in outdated or RATINGS in outdated:
        for table in OF_RATINGS:
            yield reports / "ratings" / f"{table}.csv"
    if TEXTS in outdated:
        yield reports / EMBEDDINGS
    if SCORES in outdated or TEXTS in outdated:
        for table, folder in FOLDERS.items():
            yield reports / folder / f"{table}.csv"
        yield from _joined()
    if SCORES in outdated or TEXTS in outdated or CALLS in outdated:
        for figure in FIGURES:
            for form in FORMATS:
                yield reports / "figures" / f"{figure}.{form}"


def _pages(reports: Path, outdated: Collection[Report]) -> Iterator[Path]:
    """Yield the overview and the page of tables, if they are outdated.

    Where nobody has rated, there never are ratings that would be of today.
    """
    rated = RATINGS in outdated and (reports / RATINGS.file).exists()
    if rated or not {SCORES, TEXTS, CALLS}.isdisjoint(outdated):
        for page in PAGES:
            yield reports / page


def _comparisons(cohort: str) -> Iterator[Path]:
    """Yield the comparisons of a cohort with others."""
    yield from (COHORTS / cohort / "reports" / "diff").glob("*.csv")
    yield from COHORTS.glob(f"*/reports/diff/{cohort}.csv")


def _set_aside(cohort: str, tell: Tell) -> None:
    """Give a cohort's ranking, if there is one, the name of an outdated one."""
    ranking, outdated = (COHORTS / cohort / name for name in (RANKING, OUTDATED_RANKING))
    with suppress(FileNotFoundError):
        ranking.replace(outdated)
        tell(
            f"{ranking} is not of today's texts and scores: now it is {outdated.name}; "
            "snakemake -c1 top ranks again, and keeps what you have selected"
        )


def _joined() -> Iterator[Path]:
    """Yield the tables that combine cohorts."""
    for directory in (CROSS, *(CROSS / "views").glob("*")):
        for name in ("scores.csv", "template_model.csv"):
            yield directory / name

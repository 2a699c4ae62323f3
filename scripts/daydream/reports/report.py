"""The reports that read the store itself: which ones there are, and what each was made of.

A digest of everything that a report shows is recorded when it is made: its rows, the state and
texts of each, the catalogs, the slice, the library that makes it. The report is current if today's
digest is the same. So it depends on its rows, not on the files that a run names. A run that makes
only the missing texts, or only a part of the rows, cannot leave it half updated. Everything that is
made from these reports, such as the tables, follows them by Snakemake's own rules.

`daydream.reports.withdrawal` deletes outdated reports.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from daydream.catalog.ratings import Rating
from daydream.errors import InputError, Problems, StoreError, nearest
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account, accounts
from daydream.files import file_sha256, parse_json, read_text, write_text
from daydream.generations.row import Generation
from daydream.store.layout import COHORTS

CROSS = Path("data/7_cross_experiment")
SOURCES = {".py", ".js", ".css", ".html", ".j2"}


@dataclass(frozen=True, slots=True)
class Report:
    """A report of a cohort: its name, its file in the reports' directory, and what it covers.

    `shows_ratings`: it shows what people have said of texts, too.
    """

    name: str
    file: str
    rows: Callable[[Experiment, str], list[Generation]]
    shows_ratings: bool = False

    def path(self, cohort: str) -> str:
        """Return the file of a cohort's report."""
        return f"{COHORTS}/{cohort}/reports/{self.file}"

    def record(self, cohort: str) -> Path:
        """Return the file that says what a cohort's report was made of."""
        return COHORTS / cohort / "reports" / "provenance" / f"{self.name}.json"


def covered(experiment: Experiment, cohort: str) -> list[Generation]:
    """Return the selected generations of a cohort, in membership order.

    Raises:
        InputError: it is not one of the configured cohorts.
    """
    if cohort not in experiment.memberships:
        problems = Problems("cohort")
        known = nearest(cohort, experiment.memberships)
        remedy = f"{known}; or add it with --config 'cohorts=[{cohort}]'"
        problems.add(f"{COHORTS}/{cohort}", "is not one of the configured cohorts", remedy)
        problems.check()
    return [row for row in experiment.memberships[cohort] if row.gen_id in experiment.selected]


def scored(experiment: Experiment, cohort: str) -> list[Generation]:
    """Return the selected generations of a cohort's scored stages, in membership order."""
    stages = experiment.settings.stages
    return [row for row in covered(experiment, cohort) if stages[row.stage].scored]


def unscored(experiment: Experiment, cohort: str) -> list[Generation]:
    """Return the selected generations of a cohort whose texts are no scores, in that order."""
    stages = experiment.settings.stages
    return [row for row in covered(experiment, cohort) if not stages[row.stage].scored]


SCORES = Report("scores", "parsing/aggregated_scores.csv", scored)
# Of all rows, as all reports of a cohort are withdrawn together: one that did not wait for the
# scores would not be made again.
TEXTS = Report("texts", "parsing/texts.csv", covered)
CALLS = Report("calls", "parsing/calls.csv", covered)
EXPLORER = Report("explorer", "explorer/index.html", covered, shows_ratings=True)
# Of all rows, too; a cohort that nobody has rated is without it.
RATINGS = Report("ratings", "parsing/ratings.csv", covered, shows_ratings=True)
# What is made of the table of texts: their embeddings, in its order.
EMBEDDINGS = "parsing/embeddings.npy"
REPORTS = (SCORES, TEXTS, CALLS, EXPLORER, RATINGS)


def ratings_of(experiment: Experiment, cohort: str) -> list[Rating]:
    """Return what people have said of texts that a cohort has, or has had.

    Raises:
        InputError: it cannot be read.
    """
    ratings = experiment.ratings.rows
    known = {row.gen_id for row in experiment.memberships[cohort]} if ratings else set()
    return [each for each in ratings if each.cohort == cohort or each.gen_id in known]


def look(experiment: Experiment, cohort: str) -> dict[str, Account]:
    """Return the present accounts of everything that a cohort's reports show."""
    return accounts(experiment, with_lineage(experiment, covered(experiment, cohort)))


def is_current(
    experiment: Experiment,
    report: Report,
    cohort: str,
    known: Mapping[str, Account],
    *,
    partial: bool = False,
) -> bool:
    """Tell whether a report was made of exactly what exists, with nothing missing.

    A `partial` report uses what exists; for it, missing texts do not count. What shows ratings is
    of others than there are now if these cannot be read.
    """
    rows = report.rows(experiment, cohort)
    if not partial and not all(known[row.gen_id].complete for row in rows):
        return False
    try:
        recorded = parse_json(read_text(report.record(cohort)))
        return bool(recorded == {"made_of": _made_of(experiment, report, cohort, known)})
    except (StoreError, InputError, ValueError):
        return False


Write = Callable[[Experiment, str, Mapping[str, Account], str], None]


def make_report(
    experiment: Experiment, report: Report, write: Write, *, cohort: str, output: str
) -> None:
    """Write a cohort's report from the present store, and record what it was made of."""
    known = look(experiment, cohort)
    write(experiment, cohort, known, output)
    path = report.record(cohort)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"made_of": _made_of(experiment, report, cohort, known)}) + "\n")


@cache
def library_sha256() -> str:
    """Return the digest of this library's files: another version may count or draw otherwise."""
    library = Path(__file__).resolve().parents[2]
    files = (path for path in library.rglob("*.*") if path.suffix in SOURCES)
    digest = sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(library)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _made_of(
    experiment: Experiment, report: Report, cohort: str, known: Mapping[str, Account]
) -> str:
    """Return the digest of everything that a cohort's report shows."""
    digest = sha256()
    tables = [(str(path), file_sha256(path)) for path in experiment.catalog.tables]
    stages = [(s.name, s.scored, s.dimensions) for s in experiment.settings.stages.values()]
    digest.update(repr((experiment.slice, tables, stages, library_sha256())).encode())
    if report.shows_ratings and (ratings := ratings_of(experiment, cohort)):
        digest.update(repr(ratings).encode())
    for row in with_lineage(experiment, report.rows(experiment, cohort)):
        account = known[row.gen_id]
        digest.update(row.gen_id.encode() + row.key.encode())
        for state in account:
            digest.update(f"{state.kind}{state.edited}{state.sha256}".encode())
        if not account.complete:
            digest.update(account.reason.encode())
    return digest.hexdigest()


def with_lineage(experiment: Experiment, rows: Iterable[Generation]) -> list[Generation]:
    """Return rows and all their ancestors, each once, parents first."""
    kept: dict[str, Generation] = {}
    for row in rows:
        if row.parent_gen_id and row.parent_gen_id not in kept:
            kept.update((link.gen_id, link) for link in experiment.lineage(row))
        kept[row.gen_id] = row
    return list(kept.values())


def is_report_file(path: str) -> bool:
    """Tell whether a file is a report of a cohort, or combines those of several."""
    parts = Path(path).parts
    return Path(path).is_relative_to(CROSS) or (
        Path(path).is_relative_to(COHORTS) and parts[3:4] == ("reports",)
    )

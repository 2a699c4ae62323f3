"""What a report was made of, and what it would be made of today.

Digests of everything that a report shows are recorded when it is made: its rows, the state and
texts of each, the catalogs, the slice, the settings that decide what it shows, the library that
makes it. The report is current if today's digests are the same. So it depends on its rows, not on
the files that a run names. A run that makes only the missing texts, or only a part of the rows,
cannot leave it half updated. Everything that is made from these reports, such as the tables,
follows them by Snakemake's own rules.

`daydream.reports.withdrawal` deletes outdated reports.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from daydream.errors import InputError, StoreError
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account, Digests, accounts
from daydream.files import file_sha256, parse_json, read_text, text_sha256, write_text
from daydream.generations.row import Generation
from daydream.reports.report import Report, covered, ratings_of, with_lineage

SOURCES = {".py", ".js", ".css", ".html", ".j2"}
# What to call a source whose name in the record does not say enough.
LABELS = {"library": "Daydream", "texts": "what is in the store"}


class Sources:
    """What a cohort's reports are made of. `known` are the accounts of all that they show."""

    def __init__(self, experiment: Experiment, cohort: str, known: Mapping[str, Account]) -> None:
        self._experiment = experiment
        self._cohort = cohort
        self._known = known
        # Most reports show the same rows.
        self._texts: dict[Callable[[Experiment, str], list[Generation]], str] = {}

    def of(self, report: Report) -> Digests:
        """Return what a report would be made of today.

        Raises:
            StoreError: a catalog cannot be read.
            InputError: what people have said cannot be read, and the report shows it.
        """
        experiment = self._experiment
        found = {
            "library": library_sha256(),
            "stages": _stages(experiment),
            "slice": experiment.slice,
            **{str(path): file_sha256(path) for path in experiment.catalog.tables},
            **report.settings(experiment),
            "texts": self._texts_of(report),
        }
        if report.shows_ratings and (ratings := ratings_of(experiment, self._cohort)):
            found["ratings"] = text_sha256(repr(ratings))
        return found

    def is_current(self, report: Report, *, partial: bool = False) -> bool:
        """Tell whether a report was made of exactly what exists, with nothing missing.

        A `partial` report uses what exists; for it, missing texts do not count. What shows ratings
        is of others than there are now if these cannot be read.
        """
        return (partial or not self._to_come(report)) and not self._changes(report)

    def reason(self, report: Report) -> str:
        """Return why a report has to be made again; empty if it is current."""
        if not Path(report.path(self._cohort)).exists():
            return "it is missing"
        count = self._to_come(report)
        to_come = [f"{count} {'text is' if count == 1 else 'texts are'} to come"] if count else []
        return ", ".join([*to_come, *self._changes(report)])

    def _to_come(self, report: Report) -> int:
        rows = report.rows(self._experiment, self._cohort)
        return sum(not self._known[row.gen_id].complete for row in rows)

    def _changes(self, report: Report) -> list[str]:
        """Return what is not as it was when a report was made, a few words each."""
        try:
            made_of = parse_json(read_text(report.record(self._cohort)))["made_of"]
            today = self.of(report)
            if made_of == today:
                return []
            names = [name for name in {**made_of, **today} if made_of.get(name) != today.get(name)]
        except (StoreError, InputError, ValueError, TypeError, KeyError):
            return ["what it was made of is not recorded"]
        return [f"{LABELS.get(name, name)} changed" for name in names]

    def _texts_of(self, report: Report) -> str:
        if report.rows not in self._texts:
            rows = report.rows(self._experiment, self._cohort)
            self._texts[report.rows] = _texts_sha256(self._experiment, rows, self._known)
        return self._texts[report.rows]


Write = Callable[[Experiment, str, Mapping[str, Account], str], None]


def look(experiment: Experiment, cohort: str) -> dict[str, Account]:
    """Return the present accounts of everything that a cohort's reports show."""
    return accounts(experiment, with_lineage(experiment, covered(experiment, cohort)))


def make_report(
    experiment: Experiment, report: Report, write: Write, *, cohort: str, output: str
) -> None:
    """Write a cohort's report from the present store, and record what it was made of."""
    known = look(experiment, cohort)
    write(experiment, cohort, known, output)
    path = report.record(cohort)
    path.parent.mkdir(parents=True, exist_ok=True)
    made_of = Sources(experiment, cohort, known).of(report)
    write_text(path, json.dumps({"made_of": made_of}, indent=1) + "\n")


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


def _stages(experiment: Experiment) -> str:
    stages = experiment.settings.stages.values()
    return text_sha256(repr([(stage.name, stage.scored, stage.dimensions) for stage in stages]))


def _texts_sha256(
    experiment: Experiment, rows: list[Generation], known: Mapping[str, Account]
) -> str:
    """Return the digest of rows and their ancestors, with the state and the texts of each."""
    return text_sha256("".join(_shown(with_lineage(experiment, rows), known)))


def _shown(rows: list[Generation], known: Mapping[str, Account]) -> Iterator[str]:
    for row in rows:
        account = known[row.gen_id]
        yield row.gen_id + row.key
        for state in account:
            yield f"{state.kind}{state.edited}{state.sha256}"
        if not account.complete:
            yield account.reason

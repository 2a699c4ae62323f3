"""The import: checked, written, and reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from daydream.cohorts.sources import spec_dir
from daydream.cohorts.uses import check_uses
from daydream.errors import Problems, StoreError
from daydream.experiment.experiment import Experiment
from daydream.files import read_text, write_text
from daydream.generations.row import further_dimensions
from daydream.planning.imports.reading import IDENTITY, Entry, Omission, examine
from daydream.planning.imports.writing import write_generation
from daydream.settings import Stage
from daydream.store.layout import COHORTS, GENS
from daydream.tables import csv_text

_CODE = "import"


def import_store(experiment: Experiment, *, source: str | None, cohort: str | None) -> str:
    """Import a data root as a cohort given by hand; return a paragraph about what was done.

    Writes the generations, ``data/cohorts/<cohort>/spec/membership.csv`` and
    ``data/cohorts/<cohort>/reports/import.csv``. Existing files stay as they
    are. So a second import of the same source changes nothing, and one after an interruption
    completes it.

    Raises:
        InputError: source or cohort cannot be used, or the cohort has another membership.
        StoreError: nothing of the source can be imported, or a file cannot be written.
    """
    if source is None or cohort is None:
        raise StoreError("found no source or no cohort; give --config source=… cohort=…")
    root = Path(source, "gens")
    _check_places(experiment, root, cohort)
    entries, omissions = examine(experiment, root, cohort)
    report = COHORTS / cohort / "reports" / "import.csv"
    _write_if_new(report, csv_text(Omission._fields, omissions))
    if not entries:
        raise StoreError(f"{root}: holds nothing that can be imported; {report} says why")
    membership = spec_dir(experiment.settings, cohort) / "membership.csv"
    table = _membership(entries, experiment.settings.stages)
    _check_membership(membership, table, report)
    check_uses(
        {cohort: [entry.generation for entry in entries]},
        settings=experiment.settings,
        catalog=experiment.catalog,
        parsers=experiment.parsers,
        read=experiment.text,
    )
    parsed = {
        entry.generation.gen_id: read_text(entry.directory / "parsed.txt") for entry in entries
    }
    new = sum([write_generation(experiment, entry, parsed) for entry in entries])
    _write_if_new(membership, table)
    return _summary(cohort, entries, omissions, new=new, report=report)


def _check_places(experiment: Experiment, root: Path, cohort: str) -> None:
    problems = Problems(_CODE)
    design = spec_dir(experiment.settings, cohort) / "config.yaml"
    if not root.is_dir():
        problems.add(root, "is not a directory", "let source be the directory that holds gens")
    elif root.resolve() == Path(GENS).resolve():
        problems.add(root, "is the store itself", "move it elsewhere, and let source be that place")
    if design.exists():
        problems.add(design, f"cohort {cohort!r} is a design", "give the import another name")
    problems.check()


def _check_membership(path: Path, table: str, report: Path) -> None:
    if path.exists() and read_text(path) != table:
        problems = Problems(_CODE)
        found = f"is not what this import would write, without what {report} lists"
        problems.add(path, found, "give the import another name, or delete the file")
        problems.check()


def _membership(entries: Sequence[Entry], stages: Mapping[str, Stage]) -> str:
    """Return the cohort as its spec lists it by hand, without columns that follow from others."""
    further = further_dimensions(stages)
    rows = []
    for generation in (entry.generation for entry in entries):
        names = stages[generation.stage].dimensions
        own = dict(zip(names, generation.dimensions, strict=True))
        cells = [getattr(generation, name) for name in IDENTITY]
        rows.append([*cells, *(own.get(name, "") for name in further)])
    return csv_text([*IDENTITY, *further], rows, exact=True)


def _write_if_new(path: Path, text: str) -> None:
    if not path.exists() or path.read_bytes() != text.encode():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def _summary(
    cohort: str,
    entries: Sequence[Entry],
    omissions: Sequence[Omission],
    *,
    new: int,
    report: Path,
) -> str:
    stages = Counter(entry.generation.stage for entry in entries)
    of_stages = ", ".join(f"{count} {stage}" for stage, count in stages.items())
    kinds = Counter(kind for kind, _, _ in {omission[:3] for omission in omissions})
    left_out = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing"
    return (
        f"Imported {len(entries)} generations as cohort {cohort!r} ({of_stages}): {new} are new, "
        f"{len(entries) - new} were here already. Left out: {left_out}; {report} says why. "
        f"To go on: snakemake --cores 4 --config 'cohorts=[{cohort}]'"
    )

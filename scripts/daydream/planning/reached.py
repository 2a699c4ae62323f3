"""Which generations of the store a cohort reaches."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from daydream.cohorts.sources import spec_dir
from daydream.errors import Problems
from daydream.experiment.experiment import Experiment
from daydream.generations.keys import is_gen_id
from daydream.store.layout import COHORTS, GENS

# Where generations of no cohort are put aside.
PRUNED = Path("data/pruned")


def reached(experiment: Experiment) -> set[tuple[str, str]]:
    """Return stage and gen_id of every generation of a cohort, configured or not.

    Configured cohorts are compiled; of others counts the membership that is there. One that was
    never made may reach what is in the store only if no other cohort does.

    Raises:
        InputError: a cohort cannot be compiled, has a membership that cannot be read, or none that
            could tell whether it reaches a generation that is there.
    """
    found = {(row.stage, row.gen_id) for row in experiment.generations.values()}
    problems = Problems("cohort")
    unmade: list[str] = []
    others = sorted(path.name for path in COHORTS.iterdir()) if COHORTS.is_dir() else []
    for name in others:
        if name in experiment.settings.cohorts or not (COHORTS / name).is_dir():
            continue
        path = COHORTS / name / "membership.csv"
        if path.exists():
            found |= _rows(path, problems)
        elif spec_dir(experiment.settings, name).is_dir():
            unmade.append(name)
    if unmade and not found.issuperset(stored()):
        for name in unmade:
            problems.add(
                COHORTS / name / "membership.csv",
                "is missing, so that nobody knows which generations the cohort reaches",
                f"make it (snakemake -c1 membership --config cohorts=[{name}]), or delete its spec",
            )
    problems.check()
    return found


def _rows(path: Path, problems: Problems) -> set[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {(row["stage"], row["gen_id"]) for row in rows}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        problems.add(
            path, f"cannot be read as a membership ({error})", "delete it, and make it again"
        )
        return set()


def stored() -> Iterator[tuple[str, str]]:
    """Yield stage and gen_id of every generation in the store, in order."""
    for stage in _directories(Path(GENS)):
        for directory in _directories(stage):
            if is_gen_id(directory.name):
                yield stage.name, directory.name


def _directories(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir()) if path.is_dir() else []

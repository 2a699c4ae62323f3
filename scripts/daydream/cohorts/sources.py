"""The files that a cohort is made from: its spec bundle, and those of the cohorts that it names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from daydream.cohorts.spec import other_cohorts
from daydream.errors import Problems, nearest
from daydream.settings import Settings


def spec_dir(settings: Settings, cohort: str) -> Path:
    """Return the directory of a cohort's spec bundle."""
    return settings.specs_dir / cohort / "spec"


def spec_files(settings: Settings, cohort: str) -> list[Path]:
    """Return every file of a cohort's spec bundle, sorted."""
    return sorted(path for path in spec_dir(settings, cohort).rglob("*") if path.is_file())


def sources(settings: Settings, cohort: str) -> list[Path]:
    """Return the files that a cohort is made from: its spec, and those of cohorts it names."""
    found: dict[str, list[Path]] = {}
    waiting = [cohort]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = spec_files(settings, name)
            config = spec_dir(settings, name) / "config.yaml"
            waiting += other_cohorts(config) if config.is_file() else []
    return [path for paths in found.values() for path in paths]


def check_cohorts(settings: Settings, cohorts: Iterable[str]) -> None:
    """Refuse cohorts that have no spec, or two.

    Raises:
        InputError: every such cohort.
    """
    problems = Problems("cohort")
    places = settings.specs_dir.glob("*/spec")
    known = [place.parent.name for place in places if any(_forms(place))]
    for cohort in cohorts:
        directory = spec_dir(settings, cohort)
        forms = _forms(directory)
        if not any(forms):
            found = f"cohort {cohort!r} has neither config.yaml nor membership.csv here"
            remedy = _misplaced(directory) or f"write its spec; {nearest(cohort, known)}"
            problems.add(directory, found, remedy)
        if all(forms):
            found = f"cohort {cohort!r} has both config.yaml and membership.csv"
            problems.add(directory, found, "keep one: a design, or its rows given by hand")
    problems.check()


def _forms(directory: Path) -> list[bool]:
    """Tell of each form of a spec whether it is there."""
    return [(directory / name).is_file() for name in ("config.yaml", "membership.csv")]


def _misplaced(directory: Path) -> str | None:
    """Return what to do with a file that looks like the spec, but is called otherwise."""
    for path in (*sorted(directory.glob("*")), *sorted(directory.parent.glob("*"))):
        if not path.is_file():
            continue
        name = path.name.lower()
        if name in ("config.yaml", "config.yml", "spec.yaml", "spec.yml"):
            return f"rename {path} to {directory / 'config.yaml'}"
        if name == "membership.csv" and path.parent == directory:
            return f"rename {path} to {directory / 'membership.csv'}"
    return None

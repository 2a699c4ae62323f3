"""The comparison of two cohorts, as a table and as a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from daydream.cohorts.sources import check_cohorts
from daydream.errors import Problems
from daydream.experiment.experiment import Experiment
from daydream.files import write_text
from daydream.planning.diff.coverage import Coverage, Hole, Store
from daydream.settings import Settings
from daydream.store.layout import COHORTS
from daydream.tables import csv_text
from daydream.text import clipped, table

# At most so many holes of a design have a row each.
LISTED = 10_000

_SHOWN = 12
_WIDTH = 36
_LINE = 100


def memberships_of(settings: Settings, cohorts: Sequence[object]) -> list[str]:
    """Return the membership tables of the cohorts to be compared.

    Raises:
        InputError: one is not given, or there is no such cohort.
    """
    problems = Problems("diff")
    if None in cohorts:
        remedy = "give both, as in --config left=demo right=other"
        problems.add("--config", "found no left or no right", remedy)
        problems.check()
    names = list(map(str, cohorts))
    check_cohorts(settings, names)
    return [str(COHORTS / name / "membership.csv") for name in names]


def compare(experiment: Experiment, *, left: object, right: object) -> str:
    """Write the table of the comparison, and return its summary.

    Raises:
        InputError: `left` or `right` is not a cohort, or nothing of them is in the slice.
    """
    memberships_of(experiment.settings, (left, right))
    cohorts = tuple(dict.fromkeys((str(left), str(right))))
    narrowed = experiment.settings.model_copy(update={"cohorts": cohorts, "refresh": False})
    experiment = Experiment(narrowed, mode=experiment.mode)
    counts = _shared(experiment, str(left), str(right))
    store = Store(experiment)
    coverages = [
        Coverage(store, cohort, stage.name)
        for cohort in cohorts
        for stage in experiment.settings.stages.values()
        if stage.scored
    ]
    path = COHORTS / str(left) / "reports" / "diff" / f"{right}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, _table(counts, coverages))
    return "\n".join([*_summary(experiment, counts, coverages), "", f"As a table: {path}"])


@dataclass(frozen=True, slots=True)
class Shared:
    """How many generations both cohorts have, and how many each alone, by stage."""

    left: str
    right: str
    both: Mapping[str, int]
    only_left: Mapping[str, int]
    only_right: Mapping[str, int]


def _shared(experiment: Experiment, left: str, right: str) -> Shared:
    rows = [
        {
            row.gen_id: row.stage
            for row in experiment.memberships[cohort]
            if row.gen_id in experiment.selected
        }
        for cohort in (left, right)
    ]
    here, there = rows
    return Shared(
        left,
        right,
        Counter(stage for name, stage in here.items() if name in there),
        Counter(stage for name, stage in here.items() if name not in there),
        Counter(stage for name, stage in there.items() if name not in here),
    )


def _table(counts: Shared, coverages: Sequence[Coverage]) -> str:
    axes = dict.fromkeys(axis for coverage in coverages for axis in coverage.levels)
    header = ["kind", "cohort", "stage", "gen_id", *axes, "count", "calls"]
    rows = [*_count_rows(counts)]
    for coverage in coverages:
        known = {"cohort": coverage.cohort, "stage": coverage.stage}
        rows += ({**known, **row} for row in _hole_rows(coverage))
    return csv_text(header, ([row.get(name) for name in header] for row in rows))


def _count_rows(counts: Shared) -> Iterator[dict[str, object]]:
    for kind, cohort, stages in (
        ("both", "", counts.both),
        ("only", counts.left, counts.only_left),
        ("only", counts.right, counts.only_right),
    ):
        for stage, count in stages.items():
            yield {"kind": kind, "cohort": cohort, "stage": stage, "count": count}


def _hole_rows(coverage: Coverage) -> Iterator[dict[str, object]]:
    for hole in coverage.unscored:
        yield {"kind": "unscored", **_hole_row(coverage, hole)}
    if coverage.is_walked and coverage.left_out <= LISTED:
        for hole in coverage.left_out_holes:
            yield {"kind": "left_out", **_hole_row(coverage, hole)}
        return
    for axis in coverage.levels:
        for margin in coverage.margins(axis):
            counts = {"count": margin.left_out, "calls": margin.further}
            yield {"kind": "left_out", axis: margin.level, **counts}


def _hole_row(coverage: Coverage, hole: Hole) -> dict[str, object]:
    levels = dict(zip(coverage.levels, hole.cell, strict=True))
    return {"gen_id": hole.gen_id, **levels, "count": 1, "calls": len(hole.calls)}


# As text


def _summary(
    experiment: Experiment, counts: Shared, coverages: Iterable[Coverage]
) -> Iterator[str]:
    if experiment.slice:
        yield f"Of the slice {experiment.slice}"
        yield ""
    rows: list[Sequence[str]] = [
        ("generations", "both", f"{counts.left} only", f"{counts.right} only")
    ]
    for stage in experiment.settings.stages:
        by_cohort = (counts.both, counts.only_left, counts.only_right)
        rows.append((stage, *(f"{found.get(stage, 0):,}" for found in by_cohort)))
    yield table(rows, indent=2)
    for coverage in coverages:
        yield ""
        yield from _coverage_lines(coverage)


def _coverage_lines(coverage: Coverage) -> Iterator[str]:
    varied = {axis: levels for axis, levels in coverage.levels.items() if len(levels) > 1}
    factors = " × ".join(f"{len(levels)} {axis}" for axis, levels in varied.items())
    yield f"{coverage.cohort}: cells of {coverage.stage}"
    yield from wrap(factors, _LINE, initial_indent="  ", subsequent_indent="  ")
    scored = len(coverage.cells) - len(coverage.unscored)
    at_most = "" if coverage.is_walked else "at most "
    rows = [
        ("full factorial", f"{coverage.total:,}", ""),
        ("scored", f"{scored:,}", ""),
        ("unscored", f"{len(coverage.unscored):,}", _calls(len(coverage.unscored_calls))),
        (
            "left out",
            f"{coverage.left_out:,}",
            at_most + _calls(coverage.further_calls, "further "),
        ),
    ]
    yield table(rows, left=(0, 2), indent=2)
    if varied and (coverage.unscored or coverage.left_out):
        yield ""
        yield from _margin_lines(coverage, varied)


def _calls(count: int, further: str = "") -> str:
    return f"{count:,} {further}call{'' if count == 1 else 's'}" if count else ""


def _margin_lines(coverage: Coverage, axes: Iterable[str]) -> Iterator[str]:
    further = "further calls" if coverage.is_walked else "calls at most"
    names = ("cells", "scored", "unscored", "calls", "left out", further)
    rows: list[Sequence[str]] = [("", *names)]
    for axis in axes:
        margins = coverage.margins(axis)
        shown = margins
        if len(margins) > _SHOWN:
            shown = sorted(margins, key=lambda margin: margin.scored - margin.cells)[:_SHOWN]
        title = axis if shown is margins else f"{axis}, {_SHOWN} of {len(margins):,} levels"
        rows.append((title, *[""] * len(names)))
        for margin in shown:
            counts = (
                margin.cells,
                margin.scored,
                margin.unscored,
                margin.calls,
                margin.left_out,
                margin.further,
            )
            rows.append((f"  {clipped(margin.level, _WIDTH)}", *(f"{count:,}" for count in counts)))
    yield table(rows, indent=2)

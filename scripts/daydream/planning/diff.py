"""Two cohorts side by side: what they share, what each has alone, and where each has holes.

A cell of a cohort is one level of each axis: the combo, and template, model, replicate and further
dimensions of each stage down to a scored one. A cohort's levels are those that occur in it; the
cells of all their combinations are its full factorial. Of these a cell is

    scored     it is a generation of the cohort, and there is a score
    unscored   it is a generation of the cohort, and there is none yet
    left out   its design has no such generation

The calls of a hole are those of its lineage that are still to be made: copies make none, and
neither does what is answered already, in the journal or in the store. A call that holes share is
counted once, and the calls of what is left out are those that come on top of the unscored ones'.
A factorial of more than `LIMIT` cells is counted, not walked: these calls are then the most that
there can be, as what other cohorts have answered of them is not looked up.

The table `data/cohorts/<left>/reports/diff/<right>.csv` has one row for

    kind       cohort, stage   count
    both       ''              generations that both cohorts have
    only       the cohort      generations that it alone has
    unscored   the cohort      1: a hole, its calls, and its level on each axis
    left_out   the cohort      1: likewise; more than `LISTED` of them have a row a level instead,
                               with the number of its holes and their calls
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from textwrap import wrap

from daydream.cohorts.sources import check_cohorts
from daydream.errors import Problems
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import accounts
from daydream.files import read_text, write_text
from daydream.generations.keys import gen_id
from daydream.generations.row import Generation, codec, own_axes
from daydream.planning.plan import forecasts
from daydream.settings import Settings, Stage, chain
from daydream.store.layout import COHORTS, RESPONSES, generation_file

LIMIT = 200_000
LISTED = 10_000

_SHOWN = 12
_WIDTH = 36
_LINE = 100
Cell = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """A cell without a score, and the ids of the generations it needs a call for."""

    cell: Cell
    calls: frozenset[str]
    gen_id: str


class Store:
    """What is there of each generation, looked up once."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._parsed: dict[str, bool] = {}
        self._calls: dict[str, bool] = {}

    def has_score(self, generation: Generation) -> bool:
        """Tell whether a scored generation and all its ancestors are parsed, and it is a number."""
        if not all(map(self._is_parsed, self.experiment.lineage(generation))):
            return False
        try:
            float(read_text(generation_file(generation.stage, generation.gen_id, "parsed.txt")))
        except ValueError:
            return False
        return True

    def _is_parsed(self, generation: Generation) -> bool:
        if generation.gen_id not in self._parsed:
            path = generation_file(generation.stage, generation.gen_id, "parsed.txt")
            self._parsed[generation.gen_id] = Path(path).exists()
        return self._parsed[generation.gen_id]

    def needs_call(self, generation: Generation) -> bool:
        """Tell whether a generation is still to be asked for."""
        if generation.gen_id not in self._calls:
            self._calls[generation.gen_id] = self._needs_call(generation)
        return self._calls[generation.gen_id]

    def _needs_call(self, generation: Generation) -> bool:
        if not self.unanswered(generation.stage, generation.template_id, generation.gen_id):
            return False
        if not Path(generation_file(generation.stage, generation.gen_id, RESPONSES)).exists():
            return True
        lineage = self.experiment.lineage(generation)
        known = accounts(self.experiment, lineage)
        expected = forecasts(self.experiment, known, lineage)
        return expected[generation.gen_id].state in ("call", "waiting")

    def unanswered(self, stage: str, template_id: str, name: str) -> bool:
        """Tell whether a generation calls a model, and has no answer."""
        if self.experiment.catalog.templates[stage][template_id].generator == "copy":
            return False
        return not Path(generation_file(stage, name, "raw.txt")).exists()


class Coverage:
    """The cells of a cohort down to one scored stage; `levels` are those that occur, by axis."""

    def __init__(self, store: Store, cohort: str, stage: str) -> None:
        self.store = store
        self.cohort = cohort
        self.stage = stage
        experiment = store.experiment
        self._links = chain(experiment.settings.stages, stage)
        axes = ["combo_id"]
        self._ends = []
        for link in self._links:
            axes += own_axes(link)
            self._ends.append(len(axes))
        self._known = self._prefixes()
        occurring: list[dict[str, None]] = [{} for _ in axes]
        for prefix in self._known:
            for place, level in enumerate(prefix):
                occurring[place][level] = None
        self.levels = dict(zip(axes, map(tuple, occurring), strict=True))
        self.cells = {
            prefix: rows for prefix, rows in self._known.items() if len(prefix) == len(axes)
        }
        self.total = prod(map(len, occurring))
        self.unscored = [
            Hole(cell, self._calls_of(rows[0]), rows[0].gen_id)
            for cell, rows in self.cells.items()
            if not any(map(store.has_score, rows))
        ]

    def _prefixes(self) -> dict[Cell, list[Generation]]:
        """Return the cohort's generations by their levels on the axes down to their own stage."""
        experiment = self.store.experiment
        stages = {link.name for link in self._links}
        prefixes: dict[str, Cell] = {}
        known: dict[Cell, list[Generation]] = {}
        for row in experiment.memberships[self.cohort]:
            if row.stage in stages and row.gen_id in experiment.selected:
                start = prefixes[row.parent_gen_id] if row.parent_gen_id else (row.combo_id,)
                prefix = prefixes[row.gen_id] = (*start, *row.key_values[1:])
                known.setdefault(prefix, []).append(row)
        return known

    def _calls_of(self, generation: Generation) -> frozenset[str]:
        lineage = self.store.experiment.lineage(generation)
        return frozenset(row.gen_id for row in lineage if self.store.needs_call(row))

    @property
    def left_out(self) -> int:
        """The number of cells that the design leaves out."""
        return self.total - len(self.cells)

    @property
    def is_walked(self) -> bool:
        """Whether the cells that are left out are looked at one by one."""
        return self.total <= LIMIT

    @cached_property
    def unscored_calls(self) -> frozenset[str]:
        """The ids of the generations that the unscored cells need a call for."""
        return frozenset().union(*(hole.calls for hole in self.unscored))

    @cached_property
    def left_out_holes(self) -> list[Hole]:
        """The cells that the design leaves out, if they are walked; none if they are not."""
        if not (self.left_out and self.is_walked):
            return []
        seen: dict[Cell, tuple[str, bool]] = {}
        return [
            self._left_out_hole(cell, seen)
            for cell in product(*self.levels.values())
            if cell not in self.cells
        ]

    def _left_out_hole(self, cell: Cell, seen: dict[Cell, tuple[str, bool]]) -> Hole:
        """Return a hole; `seen` holds, for the prefixes met so far, the id and if it is called."""
        calls = []
        name, start = cell[0], 1
        for link, end in zip(self._links, self._ends, strict=True):
            prefix = cell[:end]
            if prefix not in seen:
                seen[prefix] = self._look_up(link, prefix, (name, *cell[start:end]))
            name, is_called = seen[prefix]
            start = end
            if is_called:
                calls.append(name)
        return Hole(cell, frozenset(calls), name)

    def _look_up(self, link: Stage, prefix: Cell, values: Cell) -> tuple[str, bool]:
        if prefix in self._known:
            row = self._known[prefix][0]
            return row.gen_id, self.store.needs_call(row)
        key = codec(link).encode_values(values)
        name = gen_id(stage=link.name, prefix=link.prefix, key=key)
        return name, self.store.unanswered(link.name, values[1], name)

    @property
    def further_calls(self) -> int:
        """The calls of the cells left out, beyond those of the unscored ones; or their most."""
        if not self.is_walked:
            return sum(self._new_calls(stage) for stage in range(len(self._links)))
        needed = frozenset().union(*(hole.calls for hole in self.left_out_holes))
        return len(needed - self.unscored_calls)

    def margins(self, axis: str) -> list[Margin]:
        """Return the counts of each level of an axis."""
        place = list(self.levels).index(axis)
        levels = self.levels[axis]
        share = self.total // len(levels)
        designed = Counter(cell[place] for cell in self.cells)
        unscored = Counter(hole.cell[place] for hole in self.unscored)
        calls = _calls_by_level(self.unscored, place)
        if self.is_walked:
            needed = _calls_by_level(self.left_out_holes, place)
            further = {level: len(names - self.unscored_calls) for level, names in needed.items()}
        else:
            further = self._most_calls(place)
        return [
            Margin(
                level=level,
                cells=share,
                scored=designed[level] - unscored[level],
                unscored=unscored[level],
                calls=len(calls.get(level, ())),
                left_out=share - designed[level],
                further=further.get(level, 0),
            )
            for level in levels
        ]

    def _most_calls(self, place: int) -> dict[str, int]:
        """Return the most calls of the cells left out, by the level at a place.

        A generation of the full factorial that is new has cells with every level of later axes.
        """
        most: Counter[str] = Counter()
        for stage, end in enumerate(self._ends):
            for level in list(self.levels.values())[place]:
                most[level] += self._new_calls(stage, place if place < end else None, level)
        return dict(most)

    def _new_calls(self, stage: int, place: int | None = None, level: str = "") -> int:
        """Return how many calls a stage's part of the factorial lacks, of one level at a place.

        These are all but the answered ones, and those that unscored cells ask for.
        """
        sizes = list(map(len, self.levels.values()))[: self._ends[stage]]
        template, calling = self._calling[stage]
        sizes[template] = len(calling)
        if place is None:
            return prod(sizes) - sum(self._settled[stage][template].values())
        sizes[place] = 1 if place != template or level in calling else 0
        return prod(sizes) - self._settled[stage][place][level]

    @cached_property
    def _calling(self) -> list[tuple[int, frozenset[str]]]:
        """By stage: the place of the axis of its templates, and those of them that call a model."""
        templates = self.store.experiment.catalog.templates
        found = []
        for link in self._links:
            axis = f"{link.name}_template"
            names = self.levels[axis]
            calling = (n for n in names if templates[link.name][n].generator == "llm")
            found.append((list(self.levels).index(axis), frozenset(calling)))
        return found

    @cached_property
    def _settled(self) -> list[list[Counter[str]]]:
        """By stage and place: how many generations there are of each level, that need no call.

        Those that unscored cells ask for need none further.
        """
        settled: list[list[Counter[str]]] = [[Counter() for _ in range(e)] for e in self._ends]
        stages = {end: stage for stage, end in enumerate(self._ends)}
        for prefix, (row, *_) in self._known.items():
            stage = stages[len(prefix)]
            place, calling = self._calling[stage]
            asked = row.gen_id in self.unscored_calls
            if prefix[place] in calling and (asked or not self.store.needs_call(row)):
                for counter, level in zip(settled[stage], prefix, strict=True):
                    counter[level] += 1
        return settled


def _calls_by_level(holes: Iterable[Hole], place: int) -> dict[str, set[str]]:
    calls: dict[str, set[str]] = {}
    for hole in holes:
        calls.setdefault(hole.cell[place], set()).update(hole.calls)
    return calls


@dataclass(frozen=True, kw_only=True, slots=True)
class Margin:
    """The cells with one level; `calls` are of the unscored, `further` of those left out."""

    level: str
    cells: int
    scored: int
    unscored: int
    calls: int
    left_out: int
    further: int


# The comparison


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
        InputError: `left` or `right` is no cohort, or nothing of them is in the slice.
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
    """The generations of two cohorts: how many both have, and each alone, by stage."""

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
    text = io.StringIO()
    header = ["kind", "cohort", "stage", "gen_id", *axes, "count", "calls"]
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    for kind, cohort, stages in (
        ("both", "", counts.both),
        ("only", counts.left, counts.only_left),
        ("only", counts.right, counts.only_right),
    ):
        for stage, count in stages.items():
            writer.writerow({"kind": kind, "cohort": cohort, "stage": stage, "count": count})
    for coverage in coverages:
        for row in _hole_rows(coverage):
            writer.writerow({"cohort": coverage.cohort, "stage": coverage.stage, **row})
    return text.getvalue()


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
    yield from _lines(rows)
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
    yield from _lines(rows, left=(0, 2))
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
            rows.append((f"  {_short(margin.level)}", *(f"{count:,}" for count in counts)))
    yield from _lines(rows)


def _short(level: str) -> str:
    return level if len(level) <= _WIDTH else f"{level[: _WIDTH - 1]}…"


def _lines(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> Iterator[str]:
    """Yield the rows as aligned lines: the columns `left` begin, all others end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join(cells)}".rstrip()

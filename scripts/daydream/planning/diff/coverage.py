"""The full factorial of a cohort: which cells are scored, and what filling its holes would cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path

from daydream.errors import ParseError
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account, accounts
from daydream.generations.keys import gen_id
from daydream.generations.row import Generation, codec, own_axes
from daydream.planning.plan import Forecast, forecasts
from daydream.reports.scores import read_score
from daydream.settings import Stage, chain
from daydream.store.layout import generation_file

# At most so many cells are looked at one by one.
LIMIT = 200_000

Cell = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """A cell without a score, and the ids of the generations it needs a call for."""

    cell: Cell
    calls: frozenset[str]
    gen_id: str


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


class Store:
    """What exists of each generation, as a run and its score table see it."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment

    @cached_property
    def _accounts(self) -> dict[str, Account]:
        return accounts(self.experiment, self.experiment.generations.values())

    @cached_property
    def _forecasts(self) -> dict[str, Forecast]:
        rows = self.experiment.generations.values()
        return forecasts(self.experiment, self._accounts, rows)

    def has_score(self, generation: Generation) -> bool:
        """Tell whether a scored generation is current, and has a number on its scale."""
        if not self._accounts[generation.gen_id].complete:
            return False
        try:
            read_score(self.experiment, generation)
        except ParseError:
            return False
        return True

    def needs_call(self, generation: Generation) -> bool:
        """Tell whether a run asks for a generation, or may do so when its parent is answered."""
        return self._forecasts[generation.gen_id].asks

    def unanswered(self, stage: str, template_id: str, name: str) -> bool:
        """Tell whether a generation of no cohort calls a model and has no answer yet."""
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
        """The cells that the design leaves out; none if they are not looked at one by one."""
        if not (self.left_out and self.is_walked):
            return []
        seen: dict[Cell, tuple[str, bool]] = {}
        return [
            self._left_out_hole(cell, seen)
            for cell in product(*self.levels.values())
            if cell not in self.cells
        ]

    def _left_out_hole(self, cell: Cell, seen: dict[Cell, tuple[str, bool]]) -> Hole:
        """Return a hole; `seen` has, by prefix, the id and whether it needs a call."""
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
        """The calls of the cells left out beyond those of the unscored ones, or an upper bound."""
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
        """Return an upper bound of the calls of the cells left out, by the level at a place.

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

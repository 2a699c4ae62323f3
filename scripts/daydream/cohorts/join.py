"""The rows of a design: the natural join of its axes and relations.

Data model. An axis is a name with its levels in declared order. A relation names some axes and
lists the combinations of their levels that it allows. The rows of a design are all rows, one level
an axis, that every relation allows, ordered by the declared order of axes and levels. The order of
the relations does not matter.

Method. Relations are first reduced against each other (semi-joins; Yannakakis, "Algorithms for
acyclic database schemes", 1981), then the axes are eliminated from the last to the first (Dechter,
"Bucket elimination", 1999): the relations that end at an axis are joined into the table of that
axis, which says the levels it may take by the levels of the earlier axes that matter, and what the
join says of those earlier axes goes on as one more relation of theirs. Walking the tables from the
first axis on then never meets a dead end: the cost of the rows is their number. Where relations
form no circle, no table is longer than the result.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from operator import itemgetter

from daydream.errors import Problems

Row = tuple[str, ...]

# Row ends are made once and kept by what they depend on: at most so many of one kind, and in all.
_ENDS = 256
_ENDS_KEPT = 1 << 17


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A rule: the `rows` of levels that it allows on its `axes`, each axis named once."""

    name: str
    axes: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """Axes by name with their levels, both in declared order, and the relations between them."""

    axes: Mapping[str, tuple[str, ...]]
    relations: tuple[Relation, ...]

    def rows(self) -> Iterator[Row]:
        """Return the rows, one level an axis in axis order, made while they are taken.

        Raises:
            InputError: there is none.
        """
        try:
            return _rows(_tables(self))
        except _EmptyError as error:
            problems = Problems("spec")
            names = " and ".join(self._culprits(error.names))
            problems.add("design", f"{names} leave no row", "let them agree on one at least")
            problems.check()
            raise

    def conflict(self) -> tuple[str, ...]:
        """Return the names of relations that together leave no row, two if two suffice; else ()."""
        try:
            _tables(self)
        except _EmptyError as error:
            return self._culprits(error.names)
        return ()

    def _culprits(self, names: frozenset[str]) -> tuple[str, ...]:
        relations = [relation for relation in self.relations if relation.name in names]
        for pair in combinations(relations, 2):
            left, right = (_Part(part.axes, set(part.rows), frozenset()) for part in pair)
            if not _matches(left, right):
                return tuple(relation.name for relation in pair)
        return tuple(relation.name for relation in relations) or tuple(sorted(names))


class _EmptyError(Exception):
    """The relations, or the axes, of these names have no row in common."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self.names = names


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A relation at work, its axes in declared order; `names` are those it was made from."""

    axes: Row
    rows: set[Row]
    names: frozenset[str]

    def __post_init__(self) -> None:
        if not self.rows:
            raise _EmptyError(self.names)


@dataclass(frozen=True, slots=True)
class _Table:
    """The levels an axis may take, by the levels at `places`, which are those of earlier axes."""

    places: tuple[int, ...]
    levels: dict[Row, list[str]]


def _picker(places: Sequence[int]) -> Callable[[Row], Row]:
    """Return a function that gives the values of a row at `places`."""
    if len(places) == 0:
        return lambda row: ()
    if len(places) == 1:
        (place,) = places
        return lambda row: (row[place],)
    return itemgetter(*places)


def _picker_of(part: _Part, axes: Iterable[str]) -> Callable[[Row], Row]:
    return _picker([part.axes.index(axis) for axis in axes])


def _shared(left: _Part, right: _Part) -> list[str]:
    return [axis for axis in left.axes if axis in right.axes]


def _matches(left: _Part, right: _Part) -> set[Row]:
    """Return the rows of `left` that some row of `right` agrees with."""
    shared = _shared(left, right)
    wanted = set(map(_picker_of(right, shared), right.rows))
    key = _picker_of(left, shared)
    return {row for row in left.rows if key(row) in wanted}


def _filtered(left: _Part, right: _Part) -> _Part:
    """Return `left` without the rows that no row of `right` agrees with: the semi-join."""
    rows = _matches(left, right)
    if len(rows) == len(left.rows):
        return left
    return _Part(left.axes, rows, left.names | right.names)


def _reduced(parts: Sequence[_Part]) -> list[_Part]:
    """Return the parts without the rows that some other part excludes by itself.

    Where parts form a circle it may take many steps until none excludes another's rows any more;
    it stops before, as it only saves work.
    """
    parts = list(parts)
    changed = deque(range(len(parts)))
    for _ in range(len(parts) ** 2):
        if not changed:
            break
        there = changed.popleft()
        for here, part in enumerate(parts):
            if here != there and _shared(part, parts[there]):
                parts[here] = _filtered(part, parts[there])
                if parts[here] is not part and here not in changed:
                    changed.append(here)
    return parts


def _join(left: _Part, right: _Part, place: Mapping[str, int]) -> _Part:
    """Return the natural join of two parts."""
    shared = _shared(left, right)
    further = [axis for axis in right.axes if axis not in left.axes]
    if not further:
        return _filtered(left, right)
    key, rest = _picker_of(right, shared), _picker_of(right, further)
    ends: dict[Row, list[Row]] = {}
    for row in right.rows:
        ends.setdefault(key(row), []).append(rest(row))
    axes = (*left.axes, *further)
    key = _picker_of(left, shared)
    rows = (row + end for row in left.rows for end in ends.get(key(row), ()))
    return _ordered(axes, rows, place, left.names | right.names)


def _ordered(
    axes: Row, rows: Iterable[Row], place: Mapping[str, int], names: frozenset[str]
) -> _Part:
    """Return a part whose axes stand in declared order, made from any order."""
    declared = tuple(sorted(axes, key=place.__getitem__))
    return _Part(declared, set(map(_picker([axes.index(axis) for axis in declared]), rows)), names)


def _joined_size(left: _Part, right: _Part) -> int:
    """Return the number of rows of a join, or 0 where `right` adds no axis: a mere filter."""
    if set(left.axes).issuperset(right.axes):
        return 0
    shared = _shared(left, right)
    lefts = Counter(map(_picker_of(left, shared), left.rows))
    rights = Counter(map(_picker_of(right, shared), right.rows))
    return sum(count * rights[key] for key, count in lefts.items())


def _join_all(parts: Sequence[_Part], axis: str, place: Mapping[str, int]) -> _Part:
    """Return the join of all parts: the smallest with `axis`, then what keeps it smallest."""
    joined = min((part for part in parts if axis in part.axes), key=lambda part: len(part.rows))
    others = [part for part in parts if part is not joined]
    while others:
        sizes = [_joined_size(joined, part) for part in others]
        joined = _join(joined, others.pop(sizes.index(min(sizes))), place)
    return joined


def _tables(design: Design) -> list[_Table]:
    """Return the table of each axis.

    Raises:
        _EmptyError: the design has no row.
    """
    place = {axis: number for number, axis in enumerate(design.axes)}
    parts = [
        _Part((axis,), {(level,) for level in levels}, frozenset([axis]))
        for axis, levels in design.axes.items()
    ]
    parts += [
        _ordered(relation.axes, relation.rows, place, frozenset([relation.name]))
        for relation in design.relations
    ]
    parts = _reduced(parts)
    tables = []
    for axis in reversed(place):
        scope = {name for part in parts if part.axes[-1] == axis for name in part.axes}
        # Parts within the scope that end earlier need not be in the join, but make it smaller.
        within = [part for part in parts if scope.issuperset(part.axes)]
        joined = _join_all(within, axis, place)
        table: dict[Row, list[str]] = {}
        rank = {level: number for number, level in enumerate(design.axes[axis])}
        for *context, level in sorted(joined.rows, key=lambda row: rank[row[-1]]):
            table.setdefault(tuple(context), []).append(level)
        earlier = joined.axes[:-1]
        tables.append(_Table(tuple(place[name] for name in earlier), table))
        parts = [part for part in parts if part not in within]
        if earlier:
            parts.append(_Part(earlier, set(table), joined.names))
    return tables[::-1]


def _rows(tables: Sequence[_Table]) -> Iterator[Row]:
    """Walk the tables. The ends of rows depend on little, so each kind of end is made once."""
    start = _start_of_ends(tables)
    ended = _picker(
        sorted({place for table in tables[start:] for place in table.places if place < start})
    )
    ends: dict[Row, list[Row]] = {}
    kept = 0
    for row in _walk(tables, (), start):
        key = ended(row)
        if key not in ends:
            if kept > _ENDS_KEPT:
                ends.clear()
                kept = 0
            ends[key] = [whole[start:] for whole in _walk(tables, row, len(tables))]
            kept += len(ends[key])
        for end in ends[key]:
            yield row + end


def _start_of_ends(tables: Sequence[_Table]) -> int:
    """Return where the ends of rows begin: at the last axis, or earlier while kinds stay few."""
    widths = [max(map(len, table.levels.values())) for table in tables]
    start = len(widths) - 1
    while start > 0 and prod(widths[start - 1 :]) <= _ENDS:
        start -= 1
    return max(start, 0)


def _walk(tables: Sequence[_Table], row: Row, stop: int) -> Iterator[Row]:
    """Yield the rows that begin with `row`, as far as the axis `stop`, in declared order."""
    if len(row) == stop:
        yield row
        return
    table = tables[len(row)]
    for level in table.levels[tuple([row[place] for place in table.places])]:
        yield from _walk(tables, (*row, level), stop)

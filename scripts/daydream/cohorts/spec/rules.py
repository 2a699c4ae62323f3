"""The rules of a spec, each as one relation.

An entry of a rule has a `Shape`, whose parts are axes or other rules: the level of a rule is the
list of its parts' levels. Flattened, an entry is a row of levels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from daydream.cohorts.join import Relation, Row
from daydream.cohorts.spec.axes import Axes
from daydream.cohorts.spec.values import Reader, Table, Value
from daydream.errors import nearest

# The keys of a rule by its kind, and those that it needs.
_KINDS = {
    "ties": (("axes",), ("axes",)),
    "pairs": (("left", "right", "allowed", "balance"), ("left", "right", "allowed")),
    "tuples": (("axes", "items"), ("axes", "items")),
}
KEYS = ("subsets", *_KINDS)
_BALANCES = {"left": ("left",), "right": ("right",), "both": ("left", "right")}
# So many unknown levels are reported: to compare each with thousands of levels takes its time.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Shape:
    """What an entry of a pair or tuple rule consists of: axes, or entries of further rules."""

    rule: str
    parts: tuple[str | Shape, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes of all parts, in the order of a row."""
        return tuple(chain.from_iterable(map(_axes_of, self.parts)))


def _axes_of(part: str | Shape) -> tuple[str, ...]:
    return (part,) if isinstance(part, str) else part.axes


@dataclass(frozen=True, slots=True)
class _Rule:
    """A tie, pair or tuple rule as written; `entries` are empty if they cannot be used."""

    kind: str
    name: str
    place: Value
    entries: dict[str, Value]


def _nested(shape: Shape, cells: Iterator[Value]) -> Value:
    """Return the cells of a table's row as the entry of a rule that they stand for."""
    parts = [next(cells) if isinstance(part, str) else _nested(part, cells) for part in shape.parts]
    return Value(parts, parts[0].file, parts[0].line, parts[0].at)


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."


class Rules:
    """The rules found so far, and the relations that they make."""

    def __init__(self, reader: Reader, axes: Axes) -> None:
        self.reader = reader
        self.refuse = reader.refuse
        self.axes = axes
        self.relations: list[Relation] = []
        # Where each relation is written, by its name.
        self.places: dict[str, Value] = {}
        self._rules: dict[str, _Rule] = {}
        # The shapes of pair and tuple rules, None if they are wrong, and their rows.
        self._shapes: dict[str, Shape | None] = {}
        self._rows: dict[str, dict[Row, None]] = {}

    def read(self, sections: Mapping[str, Value]) -> None:
        """Make the relations of all rules; their names must have been learned."""
        for kind in ("tuples", "pairs"):
            for rule in self._of(kind):
                self._read_rule(rule)
            self.axes.open.clear()
        for name, value in self.reader.mapping(sections.get("subsets")).items():
            self._read_subset(name, value)
        for rule in self._of("ties"):
            self._read_tie(rule)

    def _of(self, kind: str) -> list[_Rule]:
        return [rule for rule in self._rules.values() if rule.kind == kind and rule.entries]

    def learn_names(self, sections: Mapping[str, Value]) -> None:
        """Learn the names of the rules, and the axes that only tuples name."""
        for kind, (known, needed) in _KINDS.items():
            for name, value in self.reader.mapping(sections.get(kind)).items():
                if kind != "ties" and self.axes.canonical(name) in self.axes.levels:
                    self.refuse(value, f"names a rule like the axis {name!r}", "rename the rule")
                if name in self._rules:
                    self.refuse(value, f"names a second rule {name!r}", "rename one of them")
                if kind == "ties" and isinstance(value.data, list):
                    entries = {"axes": value}
                else:
                    entries = self.reader.mapping(value, known, needed)
                self._rules[name] = _Rule(kind, name, value, entries)
                self.axes.rules.add(name)
        for rule in self._of("tuples"):
            self._open_axes(rule.entries["axes"])
        for axis, value in self.axes.nulls.items():
            if axis not in self.axes.open:
                remedy = "list them, or name the axis in a tuple rule"
                self.refuse(value, f"the axis {axis!r} has no levels", remedy)
                self.axes.broken.add(axis)
        for rule in self._of("ties"):
            axes = self.axes.listed(rule.entries["axes"])
            if axes is not None and len(axes) > 1:
                self.axes.ties[rule.name] = axes
            elif axes is not None:
                self.refuse(rule.place, f"ties {axes[0]!r} to nothing", "name two axes at least")

    def _open_axes(self, value: Value) -> None:
        for item in value.data if isinstance(value.data, list) else ():
            name = item.data
            if not isinstance(name, str) or not name:
                continue
            axis = self.axes.canonical(name)
            if axis in self.axes.nulls:
                self.axes.open.add(axis)
            elif axis not in self.axes.levels and name not in self._rules:
                self.axes.levels[axis] = {}
                self.axes.open.add(axis)

    def _shape(self, rule: _Rule, trail: tuple[str, ...] = ()) -> Shape | None:
        """Return the shape of a pair or tuple rule; `trail` are the rules that led to it."""
        if rule.name not in self._shapes:
            parts: tuple[str | Shape | None, ...] | None
            if rule.kind == "tuples":
                parts = self.axes.listed(rule.entries["axes"])
            else:
                sides = (rule.entries["left"], rule.entries["right"])
                parts = tuple(self._side(side, (*trail, rule.name)) for side in sides)
            self._shapes[rule.name] = self._whole(rule, parts or (None,))
        return self._shapes[rule.name]

    def _side(self, value: Value, trail: tuple[str, ...]) -> str | Shape | None:
        name = value.data
        rule = self._rules.get(name) if isinstance(name, str) else None
        if rule is None or rule.kind == "ties" or name in self.axes.levels:
            return self.axes.named(value)
        if rule.name in trail:
            circle = " → ".join((*trail[trail.index(rule.name) :], rule.name))
            self.refuse(value, f"found a circle of names: {circle}", "name another side")
            return None
        return self._shape(rule, trail) if rule.entries else None

    def _whole(self, rule: _Rule, parts: tuple[str | Shape | None, ...]) -> Shape | None:
        known = tuple(part for part in parts if part is not None)
        if len(known) < len(parts):
            return None
        shape = Shape(rule.name, known)
        twice = [axis for axis, number in Counter(shape.axes).items() if number > 1]
        if twice:
            found = f"holds the axis {twice[0]!r} on both sides"
            self.refuse(rule.place, found, "let the sides have different axes")
            return None
        return shape

    def _read_rule(self, rule: _Rule) -> None:
        """Read the rows of a pair or tuple rule, once the rules it names are read."""
        shape = self._shape(rule)
        if shape is None or rule.name in self._rows:
            return
        for part in shape.parts:
            if isinstance(part, Shape):
                self._read_rule(self._rules[part.rule])
        content = rule.entries["items" if rule.kind == "tuples" else "allowed"]
        entries = self._entries(shape, content)
        rows = [self._row(shape, entry) for entry in entries]
        whole = [row for row in rows if row is not None]
        if not whole:
            self.axes.broken |= self.axes.open.intersection(shape.axes)
        self._rows[rule.name] = dict.fromkeys(whole)
        self._relate(rule.place, shape.axes, self._rows[rule.name])
        if len(whole) == len(rows):
            self._check_balance(rule, shape)

    def _entries(self, shape: Shape, value: Value) -> list[Value]:
        """Return what a rule lists; the rows of a table nested as its shape is."""
        content = self.reader.follow(value)
        if not isinstance(content, Table):
            return [] if content is None else self.reader.list_of(content)
        header = [self._alias(name) for name in content.header]
        if sorted(header) != sorted(shape.axes):
            found = f"found the columns {', '.join(content.header)}"
            remedy = f"name them {', '.join(shape.axes)}, in any order"
            self.reader.problems.add(content.file, found, remedy, line=1)
            return []
        order = [header.index(axis) for axis in shape.axes]
        return [_nested(shape, iter([row[place] for place in order])) for row in content.rows]

    def _alias(self, name: str) -> str:
        axis = self.axes.canonical(name)
        return (
            self.axes.ties[name][0]
            if axis not in self.axes.levels and name in self.axes.ties
            else axis
        )

    def _row(self, part: str | Shape, value: Value) -> Row | None:
        """Return an entry of a rule, or a side of one, as levels of its axes in order."""
        if isinstance(part, str):
            level = self.axes.level(part, value)
            return None if level is None else (level,)
        if not isinstance(value.data, list) or len(value.data) != len(part.parts):
            names = ", ".join(side if isinstance(side, str) else side.rule for side in part.parts)
            self.refuse(value, f"found {value}", f"write a list of {len(part.parts)}: [{names}]")
            return None
        rows = [self._side_row(*side) for side in zip(part.parts, value.data, strict=True)]
        whole = [row for row in rows if row is not None]
        return tuple(chain.from_iterable(whole)) if len(whole) == len(rows) else None

    def _side_row(self, part: str | Shape, value: Value) -> Row | None:
        row = self._row(part, value)
        if row is not None and isinstance(part, Shape) and row not in self._rows[part.rule]:
            self.axes.strangers.setdefault((part.rule, ", ".join(row)), value)
            return None
        return row

    def _check_balance(self, rule: _Rule, shape: Shape) -> None:
        value = rule.entries.get("balance")
        if value is None or value.data is None:
            return
        if not isinstance(value.data, str) or value.data not in _BALANCES:
            self.refuse(value, f"found {value}", "write left, right or both")
            return
        width = len(_axes_of(shape.parts[0]))
        sides = {"left": slice(width), "right": slice(width, None)}
        for side in _BALANCES[value.data]:
            counts = Counter(row[sides[side]] for row in self._rows[rule.name])
            if len(set(counts.values())) > 1:
                shown = ", ".join(f"{', '.join(row)}: {count}" for row, count in counts.items())
                found = f"found the {side} side out of balance ({_short(shown)})"
                self.refuse(value, found, "allow each equally often, or drop balance")

    def _read_subset(self, name: str, value: Value) -> None:
        axis = self.axes.named(Value(name, value.file, value.line, value.at))
        if axis is not None:
            levels = [self.axes.level(axis, item) for item in self.reader.items(value)]
            self._relate(value, (axis,), [(level,) for level in levels if level is not None])

    def _read_tie(self, rule: _Rule) -> None:
        axes = self.axes.ties.get(rule.name)
        if axes is None or not self.axes.broken.isdisjoint(axes):
            return
        first, *others = (self.axes.levels[axis] for axis in axes)
        shared = [level for level in first if all(level in levels for levels in others)]
        if not shared:
            found = f"the axes {', '.join(axes)} have no level in common"
            self.refuse(rule.place, found, "tie axes that share levels")
        self._relate(rule.place, axes, [(level,) * len(axes) for level in shared])

    def _relate(self, place: Value, axes: tuple[str, ...], rows: Iterable[Row]) -> None:
        name = place.at or ""
        self.places[name] = place
        self.relations.append(Relation(name=name, axes=axes, rows=tuple(rows)))

    def report_strangers(self, path: Path) -> None:
        """Note the levels and sides that rules name and that are not there; `path` is the spec."""
        for (owner, text), value in list(self.axes.strangers.items())[:_SHOWN]:
            if owner in self.axes.levels:
                found = f"found {text!r}, which is not a level of {owner!r}"
                remedy = nearest(text, self.axes.levels[owner])
            else:
                found = f"found [{text}], which the rule {owner!r} does not have"
                remedy = nearest(text, map(", ".join, self._rows[owner]))
            self.refuse(value, found, remedy)
        more = len(self.axes.strangers) - _SHOWN
        if more > 0:
            found = f"found {more} more values that are not levels of their axes"
            self.reader.problems.add(path, found, "fix those above first", column="rules")

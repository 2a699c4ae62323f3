"""The axes of a spec: their names, and the levels that each has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from daydream.cohorts.spec.values import FILE, Reader, Value
from daydream.errors import nearest

_COUNT = re.compile("[1-9][0-9]{0,5}")


def canonical_axis(name: str, stages: Sequence[str]) -> str:
    """Return the one name of an axis.

    ``combo_id`` is also ``item_id``, and ``<stage>_replicate`` also ``<stage>_template_replicate``
    and ``<stage>_llm_replicate``.
    """
    axes = {f"{stage}_replicate": stage for stage in stages}
    aliases = {
        f"{stage}_{owner}_replicate": axis
        for axis, stage in axes.items()
        for owner in ("template", "llm")
    }
    aliases["item_id"] = "combo_id"
    return name if name in axes else aliases.get(name, name)


def _is_count(axis: str, value: Value) -> bool:
    """Tell whether a value gives a replicate axis by the number of its levels."""
    if not axis.endswith("_replicate") or not isinstance(value.data, str):
        return False
    return _COUNT.fullmatch(value.data) is not None


def _numbers(value: Value) -> dict[str, None]:
    return dict.fromkeys(map(str, range(1, int(str(value.data)) + 1)))


class Axes:
    """The axes found so far, in order, and what else a rule may call them by."""

    def __init__(self, reader: Reader, stages: Sequence[str]) -> None:
        self.reader = reader
        self.refuse = reader.refuse
        self.stages = stages
        self.levels: dict[str, dict[str, None]] = {}
        # Where each axis, and each level of one, is given.
        self.places: dict[tuple[str, ...], Value] = {}
        # The axes whose levels could not be read, so that nothing can be said of a level.
        self.broken: set[str] = set()
        # The axes that have no list of levels; those of them that the tuple rules give levels to.
        self.nulls: dict[str, Value] = {}
        self.open: set[str] = set()
        # The axes by the names of the ties between them; the names of all rules.
        self.ties: dict[str, tuple[str, ...]] = {}
        self.rules: set[str] = set()
        # Levels that their axis does not have, and sides that their rule does not have.
        self.strangers: dict[tuple[str, str], Value] = {}
        self._spellings: dict[str, str] = {}

    def canonical(self, name: str) -> str:
        """Return the one name of an axis."""
        return canonical_axis(name, self.stages)

    def name(self, value: Value, name: str) -> str:
        """Return the one name of an axis, whose spelling must be the same in the whole spec."""
        axis = self.canonical(name)
        first = self._spellings.setdefault(axis, name)
        if name != first:
            found = f"found {name!r}, another name of the axis called {first!r} before"
            self.refuse(value, found, "use one of the two throughout")
        return axis

    def named(self, value: Value) -> str | None:
        """Return the axis that a value names, be it by the name of a tie."""
        name = self.reader.text(value)
        if name is None:
            return None
        if self.canonical(name) in self.levels:
            return self.name(value, name)
        if name in self.ties:
            return self.ties[name][0]
        if name in self.rules:
            found = f"found {name!r}, which is a rule, not an axis"
            self.refuse(value, found, "name an axis; only the sides of a pair may name rules")
        else:
            remedy = f"declare it under axes; {nearest(name, self.levels)}"
            self.refuse(value, f"found {name!r}, which is not an axis", remedy)
        return None

    def listed(self, value: Value | None) -> tuple[str, ...] | None:
        """Return the different axes that a list names, None if it is missing or wrong."""
        if value is None or value.data is None:
            return None
        axes = [self.named(item) for item in self.reader.list_of(value)]
        named = tuple(axis for axis in axes if axis is not None)
        for axis, number in Counter(named).items():
            if number > 1:
                self.refuse(value, f"found the axis {axis!r} {number} times", "name it once")
        return named if named and len(set(named)) == len(axes) else None

    def read(self, section: Mapping[str, Value]) -> None:
        """Learn the axes of the section `axes`."""
        for name, value in section.items():
            axis = self.name(value, name)
            self.levels[axis] = {}
            self.places[(axis,)] = value
            if value.data is None:
                self.nulls[axis] = value
            elif _is_count(axis, value):
                self.levels[axis] = _numbers(value)
            elif isinstance(value.data, str) and not value.data.startswith(FILE):
                self.refuse(value, f"found {value}", self._list_for(axis, value.data))
                self.broken.add(axis)
            else:
                self._read_levels(axis, value)

    def _list_for(self, axis: str, text: str) -> str:
        """Return what to write in place of a text that stands where an axis has its levels."""
        if axis.endswith("_replicate"):
            return "write how many there are, from 1 to 999999, or their list, such as [1, 2]"
        if Path(text).suffix.lower() in self.reader.readers:
            return f"write '{FILE}{text}' for the levels that a file holds, else [{text}]"
        return f"write a list: [{text}]" if text else "write a list, such as [a, b]"

    def _read_levels(self, axis: str, value: Value) -> None:
        items = self.reader.items(value)
        if not items:
            self.broken.add(axis)
        for item in items:
            level = self.reader.text(item)
            if level is None:
                self.broken.add(axis)
            elif level in self.levels[axis]:
                self.refuse(item, f"found the level {level!r} again", "list it once")
            else:
                self._add(axis, level, item)

    def _add(self, axis: str, level: str, item: Value) -> None:
        if axis.endswith("_replicate") and not _COUNT.fullmatch(level):
            found = f"found {level!r}, which is not the number of a replicate"
            self.refuse(item, found, "number them from 1: 1, 2, 3")
        self.levels[axis][level] = None
        self.places[axis, level] = item

    def read_replicates(self, section: Mapping[str, Value]) -> list[str]:
        """Make the axes of the block `replicates`, and return them."""
        counted = []
        for name, value in section.items():
            axis = self.canonical(f"{name}_replicate")
            if axis in self.levels:
                self.refuse(value, f"makes the axis {axis!r}, which is there already", "keep one")
                continue
            self.levels[axis] = {}
            if _is_count(axis, value):
                self.levels[axis] = _numbers(value)
            else:
                found = f"found {value}, which is not a number of replicates"
                remedy = "give a whole number from 1 to 999999"
                if isinstance(value.data, list):
                    remedy = f"give a whole number from 1, or list them as the axis {axis}"
                self.refuse(value, found, remedy)
                self.broken.add(axis)
            counted.append(axis)
        return counted

    def level(self, axis: str, value: Value) -> str | None:
        """Return a level that a rule names, None if it is none of its axis."""
        level = self.reader.text(value)
        if level is None or level in self.levels[axis] or axis in self.broken:
            return level
        if axis in self.open:
            self._add(axis, level, value)
            return level
        self.strangers.setdefault((axis, level), value)
        return None

"""Reading the spec bundle of a cohort: `config.yaml`, and the files it names, into a design.

Data model. Whatever the format of a file, its content becomes `_Value`s: texts as they are written
(``1.10`` stays ``1.10``), lists and mappings, each with its place, so that every error can say it.
Each rule becomes one `Relation`. An entry of a rule has a `_Shape`, whose parts are axes or other
rules: the level of a rule is the list of its parts' levels. Flattened, an entry is a row of levels.
All problems of a bundle are reported together. docs/spec.md is the manual of the format.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from daydream.cohorts.join import Design, Relation, Row
from daydream.errors import InputError, Problems, nearest
from daydream.tables import read_table, read_text

CODE = "spec"

_SECTIONS = ("axes", "rules", "replicates", "output", "from", "base", "minus")
_PARENTS = ("stage", "gen_ids")
_ID = "gen_id"
# What a row of a table of parents says in its column `selected` if it is not.
_NO = ("", "no", "false", "0")
# The keys of a rule by its kind, and those that it needs.
_RULES = {
    "ties": (("axes",), ("axes",)),
    "pairs": (("left", "right", "allowed", "balance"), ("left", "right", "allowed")),
    "tuples": (("axes", "items"), ("axes", "items")),
}
_BALANCES = {"left": ("left",), "right": ("right",), "both": ("left", "right")}
_FILE = "@file:"
_WORKBOOKS = (".xlsx", ".xls", ".ods", ".numbers")
_COUNT = re.compile("[1-9][0-9]{0,5}")
# So many unknown levels are reported: to compare each with thousands of levels takes its time.
_SHOWN = 20
_YAML: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = "tag:yaml.org,2002:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parents:
    """The block ``from``: generations of one stage by id, in order, each once."""

    stage: str
    gen_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A cohort's spec as read.

    Attributes:
        path: its config.yaml.
        design: the axes, in the order of columns and rows, and the rules.
        field_order: the axes that ``output.field_order`` names.
        replicates: the axes that the block ``replicates`` makes, and their numbers of levels.
        base: the cohorts whose generations are taken over.
        minus: the cohorts whose generations are left out.
        parents: the generations that exist already and that the design goes on from, if any.
        files: every file read.
        headers: of each table of one column, its file, the axis that it is for, and its header.
    """

    path: Path
    design: Design
    field_order: tuple[str, ...]
    replicates: Mapping[str, int]
    base: tuple[str, ...]
    minus: tuple[str, ...]
    parents: Parents | None
    files: tuple[Path, ...]
    headers: tuple[tuple[Path, str, str], ...] = ()


def load_spec(path: Path, stages: Sequence[str]) -> Spec:
    """Read the spec whose config.yaml is `path`, for a chain of these `stages`.

    Raises:
        InputError: everything that is wrong with the bundle, or that its rules leave no row.
    """
    return _Bundle(path, stages).spec()


def other_cohorts(path: Path) -> list[str]:
    """Return the cohorts that the spec whose config.yaml is `path` takes from or leaves out.

    There is none in a spec that cannot be read: `load_spec` says why.
    """
    try:
        document = _Reader(path.parent).read(path)
    except RecursionError:
        return []
    if not isinstance(document, _Value) or not isinstance(document.data, dict):
        return []
    names: list[str] = []
    for key in ("base", "minus"):
        value = document.data.get(key)
        items = [] if value is None else value.data if isinstance(value.data, list) else [value]
        names += [item.data for item in items if isinstance(item.data, str)]
    return names


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


@dataclass(frozen=True, slots=True)
class _Value:
    """A text, null, a list or a mapping; `at` is its YAML path, or the column of a table."""

    data: str | list[_Value] | dict[str, _Value] | None
    file: Path
    line: int | None
    at: str | None

    def __str__(self) -> str:
        if isinstance(self.data, str):
            return repr(self.data)
        if self.data is None:
            return "nothing"
        return f"a list of {len(self.data)}" if isinstance(self.data, list) else "a mapping"


@dataclass(frozen=True, slots=True)
class _Table:
    """The content of a CSV file; each row has a cell for each column of the header."""

    file: Path
    header: tuple[str, ...]
    rows: list[list[_Value]]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What an entry of a pair or tuple rule consists of: axes, or entries of further rules."""

    rule: str
    parts: tuple[str | _Shape, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes of all parts, in the order of a row."""
        return tuple(chain.from_iterable(map(_axes_of, self.parts)))


def _axes_of(part: str | _Shape) -> tuple[str, ...]:
    return (part,) if isinstance(part, str) else part.axes


@dataclass(frozen=True, slots=True)
class _Rule:
    """A tie, pair or tuple rule as written; `entries` are empty if they cannot be used."""

    kind: str
    name: str
    place: _Value
    entries: dict[str, _Value]


class _Reader:
    """Reads the files of a bundle; what is wrong with one is a problem, and its content None."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.problems = Problems(CODE)
        self.files: dict[Path, None] = {}
        # The formats by the ends of names.
        self.readers: dict[str, Callable[[Path], _Value | _Table | None]] = {
            ".csv": self._csv,
            ".tsv": self._csv,
            ".txt": self._txt,
            ".yaml": self._yaml,
            ".yml": self._yaml,
            ".json": self._json,
        }

    def refuse(self, value: _Value, found: str, remedy: str) -> None:
        """Note a problem at the place of a value."""
        self.problems.add(value.file, found, remedy, line=value.line, column=value.at or None)

    def follow(self, value: _Value) -> _Value | _Table | None:
        """Return the content of the file that a value names; any other value as it is."""
        if not isinstance(value.data, str) or not value.data.startswith(_FILE):
            return value
        file = self.directory / value.data.removeprefix(_FILE)
        if not self._holds(file):
            found = f"found {value}, which leaves the spec directory"
            self.refuse(value, found, "move the file into it")
        elif not file.is_file():
            self.refuse(value, f"found {value}, which is no file", "name one of the spec directory")
        else:
            return self.read(file)
        return None

    def _holds(self, file: Path) -> bool:
        try:
            return file.resolve().is_relative_to(self.directory.resolve())
        except (OSError, RuntimeError, ValueError):  # a circle of links; a NUL in the name
            return False

    def read(self, file: Path) -> _Value | _Table | None:
        """Return the content of a file, in the format that its name ends in."""
        reader = self.readers.get(file.suffix.lower())
        if reader is None:
            remedy = f"give a file that ends in {', '.join(self.readers)}"
            if file.suffix.lower() in _WORKBOOKS:
                remedy = "save it as CSV UTF-8 in the spreadsheet program, and name that file"
            self.problems.add(file, f"found the ending {file.suffix!r}", remedy)
            return None
        self.files[file] = None
        try:
            return reader(file)
        except InputError as error:
            self.problems.found += error.problems
            return None

    def _csv(self, file: Path) -> _Table | None:
        rows = read_table(file, code=CODE, required=())
        if not rows:
            self.problems.add(file, "found no rows", "write one at least under the header")
            return None
        cells = [
            [_Value(text, file, row.line, column) for column, text in row.values.items()]
            for row in rows
        ]
        return _Table(file, tuple(rows[0].values), cells)

    def _txt(self, file: Path) -> _Value:
        lines = enumerate(read_text(file, code=CODE).split("\n"), start=1)
        texts = [_Value(line.strip(), file, number, None) for number, line in lines if line.strip()]
        return _Value(texts, file, None, None)

    def _json(self, file: Path) -> _Value | None:
        text = read_text(file, code=CODE)
        try:
            content = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
        except json.JSONDecodeError as error:
            found = f"found no JSON: {error.msg}"
            self.problems.add(file, found, "mend it", line=error.lineno)
            return None
        return _from_json(content, file, "")

    def _yaml(self, file: Path) -> _Value | None:
        text = read_text(file, code=CODE)
        try:
            node = yaml.compose(text, Loader=_YAML)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            found = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
            line = None if mark is None else mark.line + 1
            self.problems.add(file, f"found no YAML: {found}", "mend it", line=line)
            return None
        if node is None:
            return _Value(None, file, None, None)
        return self._from_yaml(node, file, "", node.start_mark.line + 1, {})

    def _from_yaml(
        self, node: yaml.Node, file: Path, at: str, line: int, seen: dict[yaml.Node, _Value]
    ) -> _Value:
        """Return a node as a value; `seen` holds those of the file that aliases may name again."""
        if node in seen:
            return seen[node]
        value = seen[node] = _Value(None, file, line, at)  # what an alias inside itself gives
        if node.tag not in yaml.SafeLoader.yaml_constructors:
            self.refuse(value, f"found the tag {node.tag!r}", "write a plain value")
        elif isinstance(node, yaml.ScalarNode):
            if node.tag != f"{_TAGS}null":
                value = _Value(node.value, file, line, at)
        elif isinstance(node, yaml.SequenceNode):
            items = [
                self._from_yaml(item, file, f"{at}[{place}]", item.start_mark.line + 1, seen)
                for place, item in enumerate(node.value)
            ]
            value = _Value(items, file, line, at)
        else:
            value = _Value(self._entries(node, file, at, seen), file, line, at)
        seen[node] = value
        return value

    def _entries(
        self, node: yaml.Node, file: Path, at: str, seen: dict[yaml.Node, _Value]
    ) -> dict[str, _Value]:
        """Return a mapping's entries, each placed at its key."""
        entries: dict[str, _Value] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            plain = isinstance(key, yaml.ScalarNode) and key.value
            if not plain or key.tag in (f"{_TAGS}null", f"{_TAGS}merge"):
                place = _Value(None, file, line, at)
                self.refuse(place, "found a key that is no plain name", "write a name")
                continue
            entry = self._from_yaml(
                item, file, f"{at}.{key.value}" if at else key.value, line, seen
            )
            if key.value in entries:
                found = f"found {key.value!r} again, after line {entries[key.value].line}"
                self.problems.add(file, found, "keep one", line=line, column=entry.at)
            entries[key.value] = entry
        return entries


def _from_json(content: object, file: Path, at: str) -> _Value:
    """Return a JSON value; its numbers are texts already, and where it stands is not known."""
    data: str | list[_Value] | dict[str, _Value] | None = None
    if isinstance(content, str):
        data = content
    elif isinstance(content, bool):
        data = str(content).lower()
    elif isinstance(content, list):
        data = [_from_json(item, file, f"{at}[{place}]") for place, item in enumerate(content)]
    elif isinstance(content, dict):
        data = {key: _from_json(item, file, f"{at}.{key}") for key, item in content.items()}
    return _Value(data, file, None, at)


def _nested(shape: _Shape, cells: Iterator[_Value]) -> _Value:
    """Return the cells of a table's row as the entry of a rule that they stand for."""
    parts = [next(cells) if isinstance(part, str) else _nested(part, cells) for part in shape.parts]
    return _Value(parts, parts[0].file, parts[0].line, parts[0].at)


def _is_count(axis: str, value: _Value) -> bool:
    """Tell whether a value gives a replicate axis by the number of its levels."""
    if not axis.endswith("_replicate") or not isinstance(value.data, str):
        return False
    return _COUNT.fullmatch(value.data) is not None


def _numbers(value: _Value) -> dict[str, None]:
    return dict.fromkeys(map(str, range(1, int(str(value.data)) + 1)))


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."


class _Bundle:
    """One reading of a bundle: the names, levels and rows found so far."""

    def __init__(self, path: Path, stages: Sequence[str]) -> None:
        self.path = path
        self.stages = stages
        self.reader = _Reader(path.parent)
        self.refuse = self.reader.refuse
        self.levels: dict[str, dict[str, None]] = {}
        # The axes whose levels could not be read, so that nothing can be said of a level.
        self.broken: set[str] = set()
        # The axes that have no list of levels; those of them that the tuple rules give levels to.
        self.nulls: dict[str, _Value] = {}
        self.open: set[str] = set()
        self.spellings: dict[str, str] = {}
        self.rules: dict[str, _Rule] = {}
        self.ties: dict[str, tuple[str, ...]] = {}
        # The shapes of pair and tuple rules, None if they are wrong, and their rows.
        self.shapes: dict[str, _Shape | None] = {}
        self.rows: dict[str, dict[Row, None]] = {}
        # Levels that their axis does not have, and sides that their rule does not have.
        self.strangers: dict[tuple[str, str], _Value] = {}
        self.relations: list[Relation] = []
        self.headers: list[tuple[Path, str, str]] = []
        self.places: dict[str, _Value] = {}

    def spec(self) -> Spec:
        """Read everything; each step builds on the names and levels found before it."""
        document = self.reader.read(self.path)
        top = self._mapping(document if isinstance(document, _Value) else None, _SECTIONS)
        rules = self._mapping(top.get("rules"), ("subsets", *_RULES))
        replicates = self._mapping(top.get("replicates"))
        output = self._mapping(top.get("output"), ("field_order",))

        self._read_axes(self._mapping(top.get("axes")))
        counts = self._read_replicates(replicates)
        self._name_rules(rules)
        for name, value in replicates.items():
            self._axis(_Value(name, value.file, value.line, value.at))
        for kind in ("tuples", "pairs"):
            for rule in self._of(kind):
                self._read_rule(rule)
            self.open.clear()
        for name, value in self._mapping(rules.get("subsets")).items():
            self._read_subset(name, value)
        for rule in self._of("ties"):
            self._read_tie(rule)
        field_order = self._axes(output.get("field_order")) or ()
        base, minus = (self._cohorts(top.get(section)) for section in ("base", "minus"))
        parents = self._parents(self._mapping(top.get("from"), _PARENTS, needed=_PARENTS))
        self._report_strangers()
        self.reader.problems.found.sort(key=lambda problem: (problem.file, problem.line or 0))
        self.reader.problems.check()

        given = [axis for axis in self.levels if axis not in counts]
        order = dict.fromkeys((*field_order, *given, *counts))
        axes = {axis: tuple(self.levels[axis]) for axis in order}
        design = Design(axes=axes, relations=tuple(self.relations))
        self._check_rows(design, needed=not base)
        return Spec(
            path=self.path,
            design=design,
            field_order=field_order,
            replicates=counts,
            base=base,
            minus=minus,
            parents=parents,
            files=tuple(self.reader.files),
            headers=tuple(self.headers),
        )

    # Pieces

    def _mapping(
        self, value: _Value | None, known: Iterable[str] | None = None, needed: Iterable[str] = ()
    ) -> dict[str, _Value]:
        """Return the entries of a mapping; none if it is not there, wrong or incomplete."""
        if value is None or (value.data is None and not needed):
            return {}
        if not isinstance(value.data, dict):
            self.refuse(value, f"found {value}", "write a mapping (docs/spec.md shows it)")
            return {}
        for key, entry in value.data.items():
            if known is not None and key not in known:
                self.refuse(entry, f"found the unknown key {key!r}", nearest(key, known))
        lacking = [key for key in needed if key not in value.data]
        if lacking:
            self.refuse(value, f"lacks {' and '.join(lacking)}", "add it")
            return {}
        return value.data

    def _text(self, value: _Value) -> str | None:
        if not isinstance(value.data, str) or not value.data:
            self.refuse(value, f"found {value}", "write a text, in quotes if it reads as null")
        elif value.data.startswith(_FILE):
            self.refuse(value, f"found {value}", "write it in place of the whole list")
        else:
            return value.data
        return None

    def _list(self, value: _Value) -> list[_Value]:
        """Return the items of a list, which must not be empty; none if it is wrong."""
        if not isinstance(value.data, list):
            self.refuse(value, f"found {value}", "write a list, such as [a, b]")
            return []
        if not value.data:
            self.refuse(value, "found an empty list", "list one item at least")
        return value.data

    def _items(self, value: _Value) -> list[_Value]:
        """Return the items of a list that a value is or names; of a table, its one column."""
        content = self.reader.follow(value)
        if not isinstance(content, _Table):
            return [] if content is None else self._list(content)
        if len(content.header) > 1:
            found = f"found the columns {', '.join(content.header)}"
            self.reader.problems.add(content.file, found, "keep one, a level a row", line=1)
            return []
        self.headers.append((content.file, (value.at or "").rpartition(".")[2], content.header[0]))
        return [cell for row in content.rows for cell in row]

    # What exists already

    def _cohorts(self, value: _Value | None) -> tuple[str, ...]:
        """Return the cohorts that a name, or a list of names, gives."""
        if value is None or value.data is None:
            return ()
        items = self._list(value) if isinstance(value.data, list) else [value]
        names = [self._text(item) for item in items]
        return tuple(dict.fromkeys(name for name in names if name is not None))

    def _parents(self, section: Mapping[str, _Value]) -> Parents | None:
        if not section:
            return None
        stage = self._text(section["stage"])
        if stage is not None and stage not in self.stages:
            remedy = nearest(stage, self.stages)
            self.refuse(section["stage"], f"found {stage!r}, which is no stage", remedy)
        ids = [self._text(item) for item in self._chosen(section["gen_ids"])]
        return Parents(
            stage=stage or "", gen_ids=tuple(dict.fromkeys(name for name in ids if name))
        )

    def _chosen(self, value: _Value) -> list[_Value]:
        """Return the ids of a list, or of a table's column gen_id where `selected` is not empty."""
        content = self.reader.follow(value)
        if not isinstance(content, _Table) or len(content.header) == 1:
            return self._items(value)
        if _ID not in content.header:
            found = f"found the columns {', '.join(content.header)}"
            self.reader.problems.add(content.file, found, f"name one {_ID}", line=1)
            return []
        rows = [dict(zip(content.header, row, strict=True)) for row in content.rows]
        chosen = [row[_ID] for row in rows if str(row.get("selected", row[_ID]).data) not in _NO]
        if not chosen:
            found = "no row is selected"
            self.reader.problems.add(content.file, found, "write yes in the column selected")
        return chosen

    # Axes and levels

    def _name(self, value: _Value, name: str) -> str:
        """Return the one name of an axis, whose spelling must be the same in the whole spec."""
        axis = canonical_axis(name, self.stages)
        first = self.spellings.setdefault(axis, name)
        if name != first:
            found = f"found {name!r}, another name of the axis called {first!r} before"
            self.refuse(value, found, "use one of the two throughout")
        return axis

    def _axis(self, value: _Value) -> str | None:
        """Return the axis that a value names, be it by the name of a tie."""
        name = self._text(value)
        if name is None:
            return None
        if canonical_axis(name, self.stages) in self.levels:
            return self._name(value, name)
        if name in self.ties:
            return self.ties[name][0]
        if name in self.rules:
            found = f"found {name!r}, which is a rule and no axis"
            self.refuse(value, found, "name an axis; only the sides of a pair may name rules")
        else:
            remedy = f"declare it under axes; {nearest(name, self.levels)}"
            self.refuse(value, f"found {name!r}, which is no axis", remedy)
        return None

    def _axes(self, value: _Value | None) -> tuple[str, ...] | None:
        """Return the different axes that a list names, None if it is missing or wrong."""
        if value is None or value.data is None:
            return None
        axes = [self._axis(item) for item in self._list(value)]
        named = tuple(axis for axis in axes if axis is not None)
        for axis, number in Counter(named).items():
            if number > 1:
                self.refuse(value, f"found the axis {axis!r} {number} times", "name it once")
        return named if named and len(set(named)) == len(axes) else None

    def _read_axes(self, section: Mapping[str, _Value]) -> None:
        for name, value in section.items():
            axis = self._name(value, name)
            self.levels[axis] = {}
            if value.data is None:
                self.nulls[axis] = value
            elif _is_count(axis, value):
                self.levels[axis] = _numbers(value)
            elif isinstance(value.data, str) and not value.data.startswith(_FILE):
                self.refuse(value, f"found {value}", self._list_for(axis, value.data))
                self.broken.add(axis)
            else:
                self._read_levels(axis, value)

    def _list_for(self, axis: str, text: str) -> str:
        """Return what to write in place of a text that stands where an axis has its levels."""
        if axis.endswith("_replicate"):
            return "write how many there are, from 1 to 999999, or their list, such as [1, 2]"
        if Path(text).suffix.lower() in self.reader.readers:
            return f"write '{_FILE}{text}' for the levels that a file holds, else [{text}]"
        return f"write a list: [{text}]" if text else "write a list, such as [a, b]"

    def _read_levels(self, axis: str, value: _Value) -> None:
        items = self._items(value)
        if not items:
            self.broken.add(axis)
        for item in items:
            level = self._text(item)
            if level is None:
                self.broken.add(axis)
            elif level in self.levels[axis]:
                self.refuse(item, f"found the level {level!r} again", "list it once")
            else:
                self._add(axis, level, item)

    def _add(self, axis: str, level: str, item: _Value) -> None:
        if axis.endswith("_replicate") and not _COUNT.fullmatch(level):
            found = f"found {level!r}, which is not the number of a replicate"
            self.refuse(item, found, "number them from 1: 1, 2, 3")
        self.levels[axis][level] = None

    def _read_replicates(self, section: Mapping[str, _Value]) -> dict[str, int]:
        """Make the axes of the block `replicates`; return their numbers of levels."""
        counts = {}
        for name, value in section.items():
            axis = canonical_axis(f"{name}_replicate", self.stages)
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
            counts[axis] = len(self.levels[axis])
        return counts

    def _level(self, axis: str, value: _Value) -> str | None:
        """Return a level that a rule names, None if it is none of its axis."""
        level = self._text(value)
        if level is None or level in self.levels[axis] or axis in self.broken:
            return level
        if axis in self.open:
            self._add(axis, level, value)
            return level
        self.strangers.setdefault((axis, level), value)
        return None

    # Rules

    def _of(self, kind: str) -> list[_Rule]:
        return [rule for rule in self.rules.values() if rule.kind == kind and rule.entries]

    def _name_rules(self, sections: Mapping[str, _Value]) -> None:
        """Learn the names of the rules, and the axes that only tuples name."""
        for kind, (known, needed) in _RULES.items():
            for name, value in self._mapping(sections.get(kind)).items():
                if kind != "ties" and canonical_axis(name, self.stages) in self.levels:
                    self.refuse(value, f"names a rule like the axis {name!r}", "rename the rule")
                if name in self.rules:
                    self.refuse(value, f"names a second rule {name!r}", "rename one of them")
                if kind == "ties" and isinstance(value.data, list):
                    entries = {"axes": value}
                else:
                    entries = self._mapping(value, known, needed)
                self.rules[name] = _Rule(kind, name, value, entries)
        for rule in self._of("tuples"):
            self._open_axes(rule.entries["axes"])
        for axis, value in self.nulls.items():
            if axis not in self.open:
                remedy = "list them, or name the axis in a tuple rule"
                self.refuse(value, f"the axis {axis!r} has no levels", remedy)
                self.broken.add(axis)
        for rule in self._of("ties"):
            axes = self._axes(rule.entries["axes"])
            if axes is not None and len(axes) > 1:
                self.ties[rule.name] = axes
            elif axes is not None:
                self.refuse(rule.place, f"ties {axes[0]!r} to nothing", "name two axes at least")

    def _open_axes(self, value: _Value) -> None:
        for item in value.data if isinstance(value.data, list) else ():
            name = item.data
            if not isinstance(name, str) or not name:
                continue
            axis = canonical_axis(name, self.stages)
            if axis in self.nulls:
                self.open.add(axis)
            elif axis not in self.levels and name not in self.rules:
                self.levels[axis] = {}
                self.open.add(axis)

    def _shape(self, rule: _Rule, trail: tuple[str, ...] = ()) -> _Shape | None:
        """Return the shape of a pair or tuple rule; `trail` are the rules that led to it."""
        if rule.name not in self.shapes:
            parts: tuple[str | _Shape | None, ...] | None
            if rule.kind == "tuples":
                parts = self._axes(rule.entries["axes"])
            else:
                sides = (rule.entries["left"], rule.entries["right"])
                parts = tuple(self._side(side, (*trail, rule.name)) for side in sides)
            self.shapes[rule.name] = self._whole(rule, parts or (None,))
        return self.shapes[rule.name]

    def _side(self, value: _Value, trail: tuple[str, ...]) -> str | _Shape | None:
        name = value.data
        rule = self.rules.get(name) if isinstance(name, str) else None
        if rule is None or rule.kind == "ties" or name in self.levels:
            return self._axis(value)
        if rule.name in trail:
            circle = " → ".join((*trail[trail.index(rule.name) :], rule.name))
            self.refuse(value, f"found a circle of names: {circle}", "name another side")
            return None
        return self._shape(rule, trail) if rule.entries else None

    def _whole(self, rule: _Rule, parts: tuple[str | _Shape | None, ...]) -> _Shape | None:
        known = tuple(part for part in parts if part is not None)
        if len(known) < len(parts):
            return None
        shape = _Shape(rule.name, known)
        twice = [axis for axis, number in Counter(shape.axes).items() if number > 1]
        if twice:
            found = f"holds the axis {twice[0]!r} on both sides"
            self.refuse(rule.place, found, "let the sides have different axes")
            return None
        return shape

    def _read_rule(self, rule: _Rule) -> None:
        """Read the rows of a pair or tuple rule, once the rules it names are read."""
        shape = self._shape(rule)
        if shape is None or rule.name in self.rows:
            return
        for part in shape.parts:
            if isinstance(part, _Shape):
                self._read_rule(self.rules[part.rule])
        content = rule.entries["items" if rule.kind == "tuples" else "allowed"]
        entries = self._entries(shape, content)
        rows = [self._row(shape, entry) for entry in entries]
        whole = [row for row in rows if row is not None]
        if not whole:
            self.broken |= self.open.intersection(shape.axes)
        self.rows[rule.name] = dict.fromkeys(whole)
        self._relate(rule.place, shape.axes, self.rows[rule.name])
        if len(whole) == len(rows):
            self._check_balance(rule, shape)

    def _entries(self, shape: _Shape, value: _Value) -> list[_Value]:
        """Return what a rule lists; the rows of a table nested as its shape is."""
        content = self.reader.follow(value)
        if not isinstance(content, _Table):
            return [] if content is None else self._list(content)
        header = [self._alias(name) for name in content.header]
        if sorted(header) != sorted(shape.axes):
            found = f"found the columns {', '.join(content.header)}"
            remedy = f"name them {', '.join(shape.axes)}, in any order"
            self.reader.problems.add(content.file, found, remedy, line=1)
            return []
        order = [header.index(axis) for axis in shape.axes]
        return [_nested(shape, iter([row[place] for place in order])) for row in content.rows]

    def _alias(self, name: str) -> str:
        axis = canonical_axis(name, self.stages)
        return self.ties[name][0] if axis not in self.levels and name in self.ties else axis

    def _row(self, part: str | _Shape, value: _Value) -> Row | None:
        """Return an entry of a rule, or a side of one, as levels of its axes in order."""
        if isinstance(part, str):
            level = self._level(part, value)
            return None if level is None else (level,)
        if not isinstance(value.data, list) or len(value.data) != len(part.parts):
            names = ", ".join(side if isinstance(side, str) else side.rule for side in part.parts)
            self.refuse(value, f"found {value}", f"write a list of {len(part.parts)}: [{names}]")
            return None
        rows = [self._side_row(*side) for side in zip(part.parts, value.data, strict=True)]
        whole = [row for row in rows if row is not None]
        return tuple(chain.from_iterable(whole)) if len(whole) == len(rows) else None

    def _side_row(self, part: str | _Shape, value: _Value) -> Row | None:
        row = self._row(part, value)
        if row is not None and isinstance(part, _Shape) and row not in self.rows[part.rule]:
            self.strangers.setdefault((part.rule, ", ".join(row)), value)
            return None
        return row

    def _check_balance(self, rule: _Rule, shape: _Shape) -> None:
        value = rule.entries.get("balance")
        if value is None or value.data is None:
            return
        if not isinstance(value.data, str) or value.data not in _BALANCES:
            self.refuse(value, f"found {value}", "write left, right or both")
            return
        width = len(_axes_of(shape.parts[0]))
        sides = {"left": slice(width), "right": slice(width, None)}
        for side in _BALANCES[value.data]:
            counts = Counter(row[sides[side]] for row in self.rows[rule.name])
            if len(set(counts.values())) > 1:
                shown = ", ".join(f"{', '.join(row)}: {count}" for row, count in counts.items())
                found = f"found the {side} side out of balance ({_short(shown)})"
                self.refuse(value, found, "allow each equally often, or drop balance")

    def _read_subset(self, name: str, value: _Value) -> None:
        axis = self._axis(_Value(name, value.file, value.line, value.at))
        if axis is not None:
            levels = [self._level(axis, item) for item in self._items(value)]
            self._relate(value, (axis,), [(level,) for level in levels if level is not None])

    def _read_tie(self, rule: _Rule) -> None:
        axes = self.ties.get(rule.name)
        if axes is None or not self.broken.isdisjoint(axes):
            return
        first, *others = (self.levels[axis] for axis in axes)
        shared = [level for level in first if all(level in levels for levels in others)]
        if not shared:
            found = f"the axes {', '.join(axes)} have no level in common"
            self.refuse(rule.place, found, "tie axes that share levels")
        self._relate(rule.place, axes, [(level,) * len(axes) for level in shared])

    def _relate(self, place: _Value, axes: tuple[str, ...], rows: Iterable[Row]) -> None:
        name = place.at or ""
        self.places[name] = place
        self.relations.append(Relation(name=name, axes=axes, rows=tuple(rows)))

    # Verdicts

    def _report_strangers(self) -> None:
        for (owner, text), value in list(self.strangers.items())[:_SHOWN]:
            if owner in self.levels:
                found = f"found {text!r}, which is no level of {owner!r}"
                remedy = nearest(text, self.levels[owner])
            else:
                found = f"found [{text}], which the rule {owner!r} does not have"
                remedy = nearest(text, map(", ".join, self.rows[owner]))
            self.refuse(value, found, remedy)
        more = len(self.strangers) - _SHOWN
        if more > 0:
            found = f"found {more} more values that are no levels of their axes"
            self.reader.problems.add(self.path, found, "mend those above first", column="rules")

    def _check_rows(self, design: Design, *, needed: bool) -> None:
        """Refuse a design without axes if one is `needed`, or whose rules leave no row."""
        problems = self.reader.problems
        if needed and not design.axes:
            problems.add(self.path, "found no axis", "declare one at least", column="axes")
        names = design.conflict()
        if names:
            verb = "leave no row together" if len(names) > 1 else "leaves no row"
            found = f"{' and '.join(names)} {verb}"
            place = self.places[names[0]]
            problems.add(self.path, found, "let them agree on one row at least", line=place.line)
        problems.check()

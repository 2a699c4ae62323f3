"""Reading the files of a bundle into values, each with its place.

Whatever the format of a file, its content becomes `Value`s: texts as they are written (``1.10``
stays ``1.10``), lists and mappings. A file named in place of a list is followed; a CSV file is a
`Table`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from daydream.errors import InputError, Problems, nearest
from daydream.tables import read_table, read_text

CODE = "spec"
FILE = "@file:"

_WORKBOOKS = (".xlsx", ".xls", ".ods", ".numbers")
_YAML: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Value:
    """A text, null, a list or a mapping; `at` is its YAML path, or the column of a table."""

    data: str | list[Value] | dict[str, Value] | None
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
class Table:
    """The content of a CSV file; each row has a cell for each column of the header."""

    file: Path
    header: tuple[str, ...]
    rows: list[list[Value]]


class Reader:
    """Reads the files of a bundle; what is wrong with one is a problem, and its content None."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.problems = Problems(CODE)
        # Of each table of one column: its file, the axis that it is for, and its header.
        self.headers: list[tuple[Path, str, str]] = []
        # The formats by the ends of names.
        self.readers: dict[str, Callable[[Path], Value | Table | None]] = {
            ".csv": self._csv,
            ".tsv": self._csv,
            ".txt": self._txt,
            ".yaml": self._yaml,
            ".yml": self._yaml,
            ".json": self._json,
        }

    def refuse(self, value: Value, found: str, remedy: str) -> None:
        """Note a problem at the place of a value."""
        self.problems.add(value.file, found, remedy, line=value.line, column=value.at or None)

    def follow(self, value: Value) -> Value | Table | None:
        """Return the content of the file that a value names; any other value as it is."""
        if not isinstance(value.data, str) or not value.data.startswith(FILE):
            return value
        file = self.directory / value.data.removeprefix(FILE)
        if not self._holds(file):
            found = f"found {value}, which leaves the spec directory"
            self.refuse(value, found, "move the file into it")
        elif not file.is_file():
            self.refuse(
                value, f"found {value}, which is not a file", "name one of the spec directory"
            )
        else:
            return self.read(file)
        return None

    def _holds(self, file: Path) -> bool:
        try:
            return file.resolve().is_relative_to(self.directory.resolve())
        except (OSError, RuntimeError, ValueError):  # a circle of links; a NUL in the name
            return False

    def read(self, file: Path) -> Value | Table | None:
        """Return the content of a file, in the format that its name ends in."""
        reader = self.readers.get(file.suffix.lower())
        if reader is None:
            remedy = f"give a file that ends in {', '.join(self.readers)}"
            if file.suffix.lower() in _WORKBOOKS:
                remedy = "save it as CSV UTF-8 in the spreadsheet program, and name that file"
            self.problems.add(file, f"found the ending {file.suffix!r}", remedy)
            return None
        try:
            return reader(file)
        except InputError as error:
            self.problems.found += error.problems
        except RecursionError:
            self.problems.add(file, "is nested too deeply", "fix it")
        return None

    def _csv(self, file: Path) -> Table | None:
        rows = read_table(file, code=CODE, required=())
        if not rows:
            self.problems.add(file, "found no rows", "write one at least under the header")
            return None
        cells = [
            [Value(text, file, row.line, column) for column, text in row.values.items()]
            for row in rows
        ]
        return Table(file, tuple(rows[0].values), cells)

    def _txt(self, file: Path) -> Value:
        lines = enumerate(read_text(file, code=CODE).split("\n"), start=1)
        texts = [Value(line.strip(), file, number, None) for number, line in lines if line.strip()]
        return Value(texts, file, None, None)

    def _json(self, file: Path) -> Value | None:
        text = read_text(file, code=CODE)
        try:
            content = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
        except json.JSONDecodeError as error:
            found = f"is not JSON: {error.msg}"
            self.problems.add(file, found, "fix it", line=error.lineno)
            return None
        return _from_json(content, file, "")

    def _yaml(self, file: Path) -> Value | None:
        text = read_text(file, code=CODE)
        try:
            node = yaml.compose(text, Loader=_YAML)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            found = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
            line = None if mark is None else mark.line + 1
            self.problems.add(file, f"is not YAML: {found}", "fix it", line=line)
            return None
        if node is None:
            return Value(None, file, None, None)
        return self._from_yaml(node, file, "", node.start_mark.line + 1, {})

    def _from_yaml(
        self, node: yaml.Node, file: Path, at: str, line: int, seen: dict[yaml.Node, Value]
    ) -> Value:
        """Return a node as a value; `seen` holds those of the file that aliases may name again."""
        if node in seen:
            return seen[node]
        value = seen[node] = Value(None, file, line, at)  # what an alias inside itself gives
        if node.tag not in yaml.SafeLoader.yaml_constructors:
            self.refuse(value, f"found the tag {node.tag!r}", "write a plain value")
        elif isinstance(node, yaml.ScalarNode):
            if node.tag != f"{_TAGS}null":
                value = Value(node.value, file, line, at)
        elif isinstance(node, yaml.SequenceNode):
            items = [
                self._from_yaml(item, file, f"{at}[{place}]", item.start_mark.line + 1, seen)
                for place, item in enumerate(node.value)
            ]
            value = Value(items, file, line, at)
        else:
            value = Value(self._entries(node, file, at, seen), file, line, at)
        seen[node] = value
        return value

    def _entries(
        self, node: yaml.Node, file: Path, at: str, seen: dict[yaml.Node, Value]
    ) -> dict[str, Value]:
        """Return a mapping's entries, each placed at its key."""
        entries: dict[str, Value] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            plain = isinstance(key, yaml.ScalarNode) and key.value
            if not plain or key.tag in (f"{_TAGS}null", f"{_TAGS}merge"):
                place = Value(None, file, line, at)
                self.refuse(place, "found a key that is not a plain name", "write a name")
                continue
            entry = self._from_yaml(
                item, file, f"{at}.{key.value}" if at else key.value, line, seen
            )
            if key.value in entries:
                found = f"found {key.value!r} again, after line {entries[key.value].line}"
                self.problems.add(file, found, "keep one", line=line, column=entry.at)
            entries[key.value] = entry
        return entries

    def mapping(
        self, value: Value | None, known: Iterable[str] | None = None, needed: Iterable[str] = ()
    ) -> dict[str, Value]:
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

    def text(self, value: Value) -> str | None:
        """Return a text that is not empty and names no file; None if it is wrong."""
        if not isinstance(value.data, str) or not value.data:
            self.refuse(value, f"found {value}", "write a text, in quotes if it reads as null")
        elif value.data.startswith(FILE):
            self.refuse(value, f"found {value}", "write it in place of the whole list")
        else:
            return value.data
        return None

    def list_of(self, value: Value) -> list[Value]:
        """Return the items of a list, which must not be empty; none if it is wrong."""
        if not isinstance(value.data, list):
            self.refuse(value, f"found {value}", "write a list, such as [a, b]")
            return []
        if not value.data:
            self.refuse(value, "found an empty list", "list one item at least")
        return value.data

    def items(self, value: Value) -> list[Value]:
        """Return the items of a list that a value is or names; of a table, its one column."""
        return self.items_of(value, self.follow(value))

    def items_of(self, value: Value, content: Value | Table | None) -> list[Value]:
        """Return the items of the content that following a value has given."""
        if not isinstance(content, Table):
            return [] if content is None else self.list_of(content)
        if len(content.header) > 1:
            found = f"found the columns {', '.join(content.header)}"
            self.problems.add(content.file, found, "keep one, with a level per row", line=1)
            return []
        self.headers.append((content.file, (value.at or "").rpartition(".")[2], content.header[0]))
        return [cell for row in content.rows for cell in row]


def _from_json(content: object, file: Path, at: str) -> Value:
    """Return a JSON value; its numbers are texts already, and where it stands is not known."""
    data: str | list[Value] | dict[str, Value] | None = None
    if isinstance(content, str):
        data = content
    elif isinstance(content, bool):
        data = str(content).lower()
    elif isinstance(content, list):
        data = [_from_json(item, file, f"{at}[{place}]") for place, item in enumerate(content)]
    elif isinstance(content, dict):
        data = {key: _from_json(item, file, f"{at}.{key}") for key, item in content.items()}
    return Value(data, file, None, at)

"""Where settings come from: config.yaml, the files of --configfile, and --config.

Snakemake passes one mapping, merged from all of them. They are read again here, for three reasons:
to know where a setting was given; to find what Snakemake does not report, such as a repeated key;
and to keep the text typed after ``--config``, which Snakemake may have read as a number.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from daydream.errors import InputError, Problems
from daydream.files import parse_json, repeated_keys
from daydream.tables import read_text

COMMAND_LINE = "--config on the command line"
# The C version, where available, takes a tenth of the time.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Source(NamedTuple):
    """One place where settings are given: its name, and its settings."""

    name: str
    settings: Mapping[str, Any]

    def holds(self, path: Sequence[object]) -> bool:
        """Tell whether a setting is given in this place."""
        place: object = self.settings
        for name in path:
            if isinstance(place, Mapping) and str(name) in place:
                place = place[str(name)]
            else:
                return False
        return True


class Sources(tuple[Source, ...]):
    """All places in order; each overrides those before it: config.yaml, files, command line."""

    __slots__ = ()

    @property
    def option(self) -> str:
        """The ``--configfile`` by which another command has the same files; empty without any."""
        files = [shlex.quote(source.name) for source in self[1:-1]]
        return " ".join([" --configfile", *files]) if files else ""

    def last(self, path: Sequence[object]) -> int:
        """Return the index of the last place that gives a setting; -1 if none does."""
        held = [index for index, source in enumerate(self) if source.holds(path)]
        return held[-1] if held else -1

    def origin(self, path: Sequence[object]) -> str:
        """Return the name of the place that gives a setting, or the closest section around it."""
        # A list overrides another one as a whole, so its items have no place of their own.
        names = list(takewhile(lambda name: isinstance(name, str), path))
        for length in range(len(names), 0, -1):
            index = self.last(names[:length])
            if index >= 0:
                return self[index].name
        return self[0].name if self else "the settings"


def read_file(path: Path) -> Source:
    """Return a file of settings.

    Raises:
        InputError: it is not UTF-8, not a mapping in YAML or JSON, or has a key twice.
    """
    name = _shown(path)
    problems = Problems("config")
    try:
        text = read_text(path, code="config", utf16=False)
    except InputError as error:
        for problem in error.problems:
            problems.add(name, problem.found, problem.remedy, line=problem.line)
        problems.check()
    found: object = None
    try:
        found = _parse(text, name, problems)
    except RecursionError:
        problems.add(name, "is nested too deeply", "write settings as the manual shows them")
    except (yaml.YAMLError, ValueError) as error:
        # A ValueError comes from an impossible date such as 2024-13-01.
        try:
            found = parse_json(text)
            for key in repeated_keys(text):
                said = f"found {key.name} twice, first on line {key.first}"
                problems.add(name, said, "keep one of them", line=key.line)
        except ValueError:
            mark = getattr(error, "problem_mark", None)
            reason = getattr(error, "problem", None) or error
            line = None if mark is None else mark.line + 1
            problems.add(name, f"is not YAML: {reason}", "correct it", line=line)
    problems.check()
    if not isinstance(found, dict):
        problems.add(name, "holds no settings", "write lines such as `partial: false`")
        problems.check()
        return Source(name, {})
    return Source(name, with_text_keys(found))


def read_arguments(arguments: Sequence[str]) -> Source:
    """Return the settings given with --config, each as ``name=value``.

    The parts of a value are texts, as typed; null is None. Only the values in `extra_body`, whose
    types are not known here, are read as YAML.

    Raises:
        InputError: a mapping has a key twice.
    """
    problems = Problems("config")
    given: dict[str, Any] = {}
    for argument in arguments:
        name, _, text = argument.partition("=")
        try:
            meant = _parse(text, COMMAND_LINE, problems, within=name)
            typed = yaml.load(text, Loader=_Typed)  # noqa: S506 - it makes only texts
        except (yaml.YAMLError, ValueError):
            meant = typed = text
        overlay(given, with_text_keys({name: _as_typed(typed, meant)}))
    problems.check()
    return Source(COMMAND_LINE, given)


def overlay(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Override settings by others, in place: mappings key by key, as Snakemake does."""
    for name, value in above.items():
        if isinstance(value, Mapping):
            under = below.get(name)
            below[name] = dict(under) if isinstance(under, Mapping) else {}
            overlay(below[name], value)
        else:
            below[name] = value


class _Typed(yaml.SafeLoader):
    """Reads every scalar as the text that it is; only null becomes None."""


_Typed.yaml_implicit_resolvers = {
    first: [entry for entry in entries if entry[0] == "tag:yaml.org,2002:null"]
    for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _as_typed(typed: object, meant: object) -> object:
    # Keys such as 1 and 01 mean the same number: then the two readings cannot be matched.
    if isinstance(typed, dict) and isinstance(meant, dict) and len(typed) == len(meant):
        return {
            name: other if name == "extra_body" else _as_typed(value, other)
            for (name, value), other in zip(typed.items(), meant.values(), strict=True)
        }
    return typed


def with_text_keys(value: Any) -> Any:  # noqa: ANN401 - any value that YAML has
    """Return a value whose mappings all have texts as keys, as in JSON."""
    if isinstance(value, Mapping):
        return {str(name): with_text_keys(item) for name, item in value.items()}
    if isinstance(value, list):
        return [with_text_keys(item) for item in value]
    return value


def _shown(path: Path) -> str:
    """Return a path as a user would write it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _parse(text: str, file: str, problems: Problems, *, within: str = "") -> object:
    """Return the YAML value of a text, and report every key that a mapping has twice."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        for key, first, place in _repeated(node, within):
            where = f"{place}.{key.value}" if place else str(key.value)
            lines = f", first on line {first.start_mark.line + 1}" if file != COMMAND_LINE else ""
            line = key.start_mark.line + 1 if file != COMMAND_LINE else None
            problems.add(file, f"found {where} twice{lines}", "keep one of them", line=line)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _repeated(node: Any, place: str) -> Iterator[tuple[Any, Any, str]]:  # noqa: ANN401 - nodes
    """Yield each repeated key, with its first occurrence and the place of the mapping."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated(item, f"{place}[{index}]")
    if isinstance(node, yaml.MappingNode):
        first: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in first and key.value != "<<":
                yield key, first[key.value], place
            first.setdefault(key.value, key)
            yield from _repeated(value, f"{place}.{key.value}" if place else key.value)

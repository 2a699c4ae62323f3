"""What is wrong with the answers in JSON that templates ask for: their schemas and paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from daydream.catalog.records import SCHEMAS, Catalog, Template
from daydream.errors import Problem, nearest
from daydream.files import repeated_keys
from daydream.parsers import Parsers
from daydream.parsers.members import NUMBERS, allowed, bounds_at, kinds_at, pointed
from daydream.parsers.structured import default_path

CODE = "catalog"


class Fault(NamedTuple):
    """What is wrong, what to do, and in which column of the template's row or file."""

    found: str
    remedy: str
    column: str = ""
    file: str = ""
    line: int | None = None


def schema_problems(
    template: Template,
    *,
    scored: bool,
    catalog: Catalog,
    parsers: Parsers,
    read: Callable[[Path], str | None],
) -> Iterator[Problem]:
    """Yield everything about a template's answers in JSON that cannot be as it is.

    `read` returns a text, or None if there is none.
    """
    table = str(catalog.templates_table(template.stage))
    for fault in _faults(template, scored=scored, catalog=catalog, parsers=parsers, read=read):
        yield Problem(
            file=fault.file or table,
            found=fault.found,
            remedy=fault.remedy,
            line=fault.line if fault.file else template.line,
            column=fault.column or None,
            code=CODE,
        )


def _faults(
    template: Template,
    *,
    scored: bool,
    catalog: Catalog,
    parsers: Parsers,
    read: Callable[[Path], str | None],
) -> Iterator[Fault]:
    name, path = template.schema, template.json_path
    if template.generator == "copy" and (name or path):
        column = "schema" if name else "json_path"
        found = f"found {name or path!r} for a copy, which asks no model"
        yield Fault(found, "leave the cell empty", column)
        return
    reads_json = parsers.reads_json(template.parser)
    if path and not reads_json and template.parser in parsers:
        found = f"found {path!r}, but the parser {template.parser!r} takes no path"
        yield Fault(found, "write json as the parser, or leave the cell empty", "json_path")
    if path and not all(path.split(".")):
        found = f"found {path!r}, which is not a path"
        yield Fault(found, "write names with dots between, such as verdict.score", "json_path")
        return
    if not name:
        return
    file = catalog.schema_path(name)
    text = read(file)
    if text is None:
        there = sorted(each.stem for each in (catalog.root / SCHEMAS).glob("*.json"))
        yield Fault(f"found {name!r}, but there is no {file}", nearest(name, there), "schema")
        return
    if not text:
        return
    schema, fault = read_schema(text, str(file))
    if fault is not None:
        yield fault
    elif reads_json:
        yield from _path_faults(template, schema, scored=scored)


def read_schema(text: str, file: str) -> tuple[Mapping[str, Any], Fault | None]:
    """Return the JSON Schema of a text, and what is wrong with it, if anything is."""
    remedy = "write a JSON Schema of an object"
    try:
        schema = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", None)
        return {}, Fault(f"is not JSON ({getattr(error, 'msg', error)})", remedy, "", file, line)
    for key in repeated_keys(text):
        found = f"found {key.name!r} again, after line {key.first}"
        return {}, Fault(found, "keep one", "", file, key.line)
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        kind = f"the type {schema['type']!r}" if isinstance(schema, dict) else "no object"
        return {}, Fault(f"is the schema of {kind}", remedy, "", file)
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415 - 50 ms
    from jsonschema.validators import validator_for  # noqa: PLC0415

    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path))
        found = f"is not a JSON Schema ({place}: {error.message})"
        return {}, Fault(found, "correct it", "", file)
    for reference in _references(schema):
        is_local = reference == "#" or reference.startswith("#/")
        if not is_local or pointed(schema, reference) is None:
            found = f"refers to {reference!r}, which it does not hold"
            remedy = "give the definition under $defs, and refer to it as '#/$defs/name'"
            return {}, Fault(found, remedy, "", file)
    return schema, None


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _path_faults(template: Template, schema: Mapping[str, Any], *, scored: bool) -> Iterator[Fault]:
    """Yield why no valid answer could have at its path what the stage wants."""
    path = template.json_path or default_path(scored=scored)
    wanted = "a score" if scored else "a text"
    known = list(allowed(schema))
    kinds = kinds_at(schema, path)
    if kinds is None:
        found = f"the schema {template.schema!r} has no {path!r}, where {wanted} is looked for"
        yield Fault(found, nearest(path, known), "json_path")
        return
    # Where a schema says nothing of the type, anything may be there.
    if kinds and scored and not kinds & NUMBERS:
        found = f"{path!r} is {' or '.join(sorted(kinds))} in the schema, not a number"
        yield Fault(found, "write the path of a number", "json_path")
    elif kinds and not scored and "string" not in kinds:
        found = f"{path!r} is {' or '.join(sorted(kinds))} in the schema, not a text"
        yield Fault(found, "write the path of a text", "json_path")
    low, high = bounds_at(schema, path)
    if low is not None and high is not None and low > high:
        found = f"{path!r} has the minimum {low:g} and the maximum {high:g} in the schema"
        yield Fault(found, "correct the schema", "schema")
        return
    for bound, column, outside in (
        (low, "score_min", low is not None and low < template.score_min),
        (high, "score_max", high is not None and high > template.score_max),
    ):
        if scored and outside:
            scale = f"{template.score_min:g} to {template.score_max:g}"
            found = (
                f"the schema {template.schema!r} allows the score {bound:g}, the scale is {scale}"
            )
            yield Fault(found, f"set {column} to {bound:g}, or correct the schema", column)

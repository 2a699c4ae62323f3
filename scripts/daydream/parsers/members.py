"""What a JSON Schema says of the members of its answers: their paths, types and bounds.

Only `properties`, `items` and local references are followed, not alternatives such as `anyOf`: what
may be there or not is not a column of a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daydream.parsers.structured import EACH

# How deep members are listed: a schema may refer to itself.
DEEPEST = 6
NUMBERS = frozenset(("number", "integer"))


def members_of(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the path and the schema of each member that is not an object, in the schema's order."""
    yield from _members(schema, schema, "", 0)


def _members(
    schema: Mapping[str, Any], root: Mapping[str, Any], before: str, depth: int
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or depth > DEEPEST:
        if before:
            yield before, schema
        return
    for name, given in properties.items():
        if "." not in name and name != EACH:
            member = _resolved(given, root)
            yield from _members(member, root, f"{before}.{name}" if before else name, depth + 1)


def criteria_of(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield the path of each number on a scale besides the score at `path`, and the scale's ends.

    A number without both bounds, such as a count of words, is not on a scale.
    """
    for name, member in members_of(schema):
        low, high = _bounds(member)
        is_number = _kinds(member) and _kinds(member) <= NUMBERS
        if name != path and is_number and low is not None and high is not None and low < high:
            yield name, (low, high)


def allowed(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths that may be meant, for messages."""
    for name, member in members_of(schema):
        yield name
        items = member.get("items")
        if isinstance(items, Mapping):
            inner = _resolved(items, schema)
            if isinstance(inner.get("properties"), Mapping):
                yield from (f"{name}.{EACH}.{each}" for each, _ in _members(inner, schema, "", 0))


def kinds_at(schema: Mapping[str, Any], path: str) -> frozenset[str] | None:
    """Return the types that a schema allows at a path; None if nothing can be there.

    Empty: the schema does not tell.
    """
    found = list(_at(schema, schema, path))
    if not found:
        return None
    kinds = [_kinds(each) for each in found]
    return frozenset().union(*kinds) if all(kinds) else frozenset()


def bounds_at(schema: Mapping[str, Any], path: str) -> tuple[float | None, float | None]:
    """Return the lowest and the highest number that a schema allows at a path, where it tells."""
    bounds = [_bounds(each) for each in _at(schema, schema, path)]
    lows = [low for low, _ in bounds if low is not None]
    highs = [high for _, high in bounds if high is not None]
    return min(lows, default=None), max(highs, default=None)


def _at(
    schema: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[Mapping[str, Any]]:
    name, _, rest = path.partition(".")
    for member in _named(schema, name):
        resolved = _resolved(member, root)
        if rest:
            yield from _at(resolved, root, rest)
        else:
            yield resolved


def _named(schema: Mapping[str, Any], name: str) -> Iterator[object]:
    """Yield the schemas of a member by its name; {} if any value may be there.

    An object that names members is taken to name all of them, even if it is open to others.
    """
    kinds = _kinds(schema)
    if kinds and not kinds & {"object", "array"}:
        return
    properties, others = schema.get("properties"), schema.get("additionalProperties", True)
    known = properties if isinstance(properties, Mapping) else {}
    if "array" in kinds or "items" in schema:
        if name == EACH or name.isdigit():
            yield schema.get("items", {})
    elif name == EACH and known:
        yield from known.values()
    elif name in known:
        yield known[name]
    elif isinstance(others, Mapping):
        yield others
    elif others is True and not known:
        yield {}


def _resolved(schema: object, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema, or the one that it refers to."""
    for _ in range(DEEPEST):
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        schema = pointed(root, reference)
    return {}


def pointed(root: object, reference: str) -> object:
    """Return what a local reference such as ``#/$defs/points`` leads to; None if to nothing.

    It is a JSON pointer as RFC 6901 has it, through objects alone.
    """
    here = root
    for part in reference.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        here = here.get(name) if isinstance(here, Mapping) else None
    return here


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the types that a schema allows; empty if it does not tell."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return frozenset((kind,))
    if isinstance(kind, list):
        return frozenset(map(str, kind))
    values = schema["enum"] if isinstance(schema.get("enum"), list) else []
    values = [schema["const"]] if "const" in schema else values
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return frozenset(names.get(type(each), "object") for each in values)


def _bounds(schema: Mapping[str, Any]) -> tuple[float | None, float | None]:
    numbers = [
        float(each)
        for each in schema.get("enum") or ()
        if isinstance(each, (int, float)) and not isinstance(each, bool)
    ]
    if numbers:
        return min(numbers), max(numbers)
    low, high = schema.get("minimum"), schema.get("maximum")
    return (
        float(low) if isinstance(low, (int, float)) else None,
        float(high) if isinstance(high, (int, float)) else None,
    )

"""Answers in JSON: the parsers that take the score or the text from a place in one.

A path names members from the outside in, with dots between: ``score``, ``verdict.score``,
``criteria.0.score``. ``*`` is every member of an object or an array: ``criteria.*.score`` is all
their scores, of which the mean is taken.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from daydream.errors import ParseError
from daydream.parsers.registry import Scale, Shape, excerpt, parser
from daydream.parsers.scores import score_text

EACH = "*"
# Characters. `json_repair` takes time by their square: a second here, minutes for a megabyte.
REPAIRABLE = 100_000
_FENCED = re.compile(r"```[a-zA-Z]*\n(.*)\n```", re.DOTALL)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


@parser(name="json")
def strict(answer: str, *, scale: Scale, shape: Shape) -> str:
    """Return what is at the path of an answer that is valid JSON, as a score or a text.

    Markdown's fence around the whole answer does not count.
    """
    return _taken(read_json(answer), scale, shape)


@parser(name="json_lenient")
def lenient(answer: str, *, scale: Scale, shape: Shape) -> str:
    """Return the same, of an answer that may have to be repaired first.

    Text around the JSON, a missing bracket or quote, comments: what `json_repair` can read, of up
    to 100,000 characters. The score table marks what was repaired.
    """
    value, _ = read_lenient(answer)
    return _taken(value, scale, shape)


def default_path(*, scored: bool) -> str:
    """Return the path of a template that names none."""
    return "score" if scored else "text"


def read_json(answer: str) -> object:
    """Return the value of an answer of JSON.

    Raises:
        ParseError: it is not JSON, or has a number that JSON does not know.
    """
    text = answer.strip()
    fenced = _FENCED.fullmatch(text)
    try:
        return json.loads(fenced[1] if fenced else text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", None) or str(error)
        raise ParseError(
            f"the answer is not JSON ({reason}): {excerpt(answer)}; ask for JSON alone in the "
            "template, give it a schema, or let the parser json_lenient repair it"
        ) from error


def read_lenient(answer: str) -> tuple[object, bool]:
    """Return the value of an answer, and whether it had to be repaired.

    Raises:
        ParseError: there is nothing in it that could be repaired, or it is too long for that.
    """
    try:
        return read_json(answer), False
    except ParseError:
        if len(answer) > REPAIRABLE:
            raise
        import json_repair  # noqa: PLC0415 - only answers that are not JSON need it

        value: object = json_repair.loads(answer)
        # A text without any JSON is "" or a list of what stands in brackets.
        if not (isinstance(value, dict) and value):
            raise
        return value, True


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number of JSON")


def _taken(value: object, scale: Scale, shape: Shape) -> str:
    if shape.schema is not None:
        _check(value, shape.schema)
    found = list(at(value, shape.path))
    if not found:
        there = _names(value)
        raise ParseError(
            f"the answer has no {shape.path!r}, but {there}; ask for it in the template, or "
            "correct json_path"
        )
    if shape.scored:
        scores = [scale.check(_number(each, shape.path)) for each in found]
        return score_text(math.fsum(scores) / len(scores))
    if len(found) > 1 or not isinstance(found[0], str):
        kind = f"{len(found)} values" if len(found) > 1 else kind_of(found[0])
        raise ParseError(
            f"{shape.path!r} of the answer is {kind}, not a text; correct json_path or the schema"
        )
    return found[0]


def _check(value: object, schema: Mapping[str, Any]) -> None:
    error = first_fault(value, schema)
    if error:
        raise ParseError(
            f"the answer is not as its schema says: {error}; ask for it in the template, or "
            "correct the schema"
        )


def first_fault(value: Any, schema: Mapping[str, Any]) -> str:  # noqa: ANN401 - JSON
    """Return in what a value differs most plainly from a JSON Schema; empty if it is valid."""
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - 50 ms
    from jsonschema.validators import validator_for  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415

    # An empty registry: a reference to elsewhere is not followed.
    validator = validator_for(schema)(schema, registry=Registry())
    error = best_match(validator.iter_errors(value))
    if error is None:
        return ""
    place = ".".join(map(str, error.absolute_path))
    message = " ".join(error.message.split())
    message = message if len(message) <= 200 else f"{message[:199]}…"
    return f"{place}: {message}" if place else message


def at(value: object, path: str) -> Iterator[object]:
    """Yield what is at a path of a JSON value; nothing if a member is not there."""
    name, _, rest = path.partition(".")
    if isinstance(value, Mapping):
        found = list(value.values()) if name == EACH else [value[name]] if name in value else []
    elif isinstance(value, list):
        found = value if name == EACH else []
        if name.isascii() and name.isdigit() and int(name) < len(value):
            found = [value[int(name)]]
    else:
        found = []
    for each in found:
        if rest:
            yield from at(each, rest)
        else:
            yield each


def _number(value: object, path: str) -> float:
    """Return a number; one in quotes counts, as models write these where no schema forbids it."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    raise ParseError(
        f"{path!r} of the answer is {kind_of(value)}, not a number; ask for one in the template, "
        "or correct json_path"
    )


def kind_of(value: object) -> str:
    """Return what kind of JSON value this is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {excerpt(value)}"
    if isinstance(value, Mapping):
        return "an object"
    return "an array" if isinstance(value, list) else f"the number {value}"


def _names(value: object) -> str:
    if isinstance(value, Mapping) and value:
        return "only " + ", ".join(map(repr, list(value)[:8]))
    return f"is {kind_of(value)}"

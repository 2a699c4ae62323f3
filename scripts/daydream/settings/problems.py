"""Pydantic's validation errors as lines for people: place, what was found, remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from daydream.errors import Problems, nearest
from daydream.settings.fields import IN_WORDS
from daydream.settings.sources import Sources

_LONGEST = 80
_MAPPING = "give a mapping such as {{a: b}}"
# By the type of pydantic's error, or its first word.
_REMEDIES = {
    "mapping": _MAPPING,
    "model": _MAPPING,
    "dict": _MAPPING,
    "tuple": "give a list such as [a, b]",
    "string_type": "give a text",
    "string_too_short": "give a text that is not empty",
    "too_short": "give at least one",
    "greater_than_equal": "give at least {ge:g}",
    "greater_than": "give more than {gt:g}",
    "less_than_equal": "give at most {le:g}",
}


class _Place(NamedTuple):
    """A setting: its path, and its model or type."""

    path: tuple[Any, ...]
    type: Any


def add_problems(
    problems: Problems, error: ValidationError, root: type[BaseModel], sources: Sources
) -> None:
    """Add every validation error, each with the place where the setting was given."""
    found: dict[tuple[str, str, str, str], None] = {}
    errors = error.errors(include_url=False)
    for details in sorted(errors, key=lambda one: [str(name) for name in one["loc"]]):
        if details["type"] == "too_short" and details["input"]:
            # Only because the values in it are invalid.
            continue
        path, text, remedy = _told(details, root)
        shown = path[:-1] if details["type"] in ("missing", "extra_forbidden") else path
        column = ".".join(map(str, shown)) or "top level"
        found.setdefault((sources.origin(path), text, remedy, column))
    for file, text, remedy, column in found:
        problems.add(file, text, remedy, column=column)


def _told(  # noqa: PLR0911 - one per type of error
    error: ErrorDetails, root: type[BaseModel]
) -> tuple[tuple[Any, ...], str, str]:
    """Return the path of the setting, what was found there, and the remedy."""
    location, kind, context = error["loc"], error["type"], error.get("ctx", {})
    place = _place(root, location)
    path, value = place.path, error["input"]
    if location and location[-1] == "[key]":
        path, value = path[:-1], location[-2]
    found = f"found {_short(value)}"
    match kind:
        case "contradiction":
            return location, context["found"], context["remedy"]
        case "invalid":
            part = context.get("found")
            return path, found if part is None else f"found {part!r}", context["remedy"]
        case "extra_forbidden":
            known = _names(_place(root, location[:-1]).type)
            return path, f"found the unknown setting {path[-1]!r}", nearest(str(path[-1]), known)
        case "missing":
            return path, f"lacks {path[-1]}", "add it (config/README.md describes it)"
        case "union_tag_not_found":
            return path, "lacks type", f"give one of {', '.join(_tags(place.type))}"
        case "union_tag_invalid":
            tag, tags = context["tag"], _tags(place.type)
            return (*path, "type"), f"found {tag!r}", f"{_one_of(tags)}; {nearest(tag, tags)}"
    return path, found, _remedy(kind, context, place.type)


def _remedy(kind: str, context: Mapping[str, Any], type_: Any) -> str:  # noqa: ANN401 - a type
    """Return the remedy for a value that breaks one of pydantic's own rules."""
    if kind == "literal_error":
        return _one_of(get_args(_bare(type_)[0]))
    if kind == "string_pattern_mismatch":
        return IN_WORDS[context["pattern"]]
    remedy = _REMEDIES.get(kind) or _REMEDIES.get(kind.split("_", maxsplit=1)[0], kind)
    return remedy.format(**context)


def _one_of(values: Sequence[object]) -> str:
    return f"give one of {', '.join(map(str, values))}"


def _short(value: object) -> str:
    text = "nothing (null)" if value is None else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _place(root: type[BaseModel], location: Sequence[Any]) -> _Place:
    """Follow one of pydantic's locations, which name the members of unions too."""
    type_: Any = root
    path: list[Any] = []
    for name in location:
        if name == "[key]":
            continue
        members = _bare(type_)
        if len(members) > 1:
            # The type of a provider, which is not part of the path.
            type_ = next((member for member in members if name in _tags(member)), members[0])
            continue
        path.append(name)
        type_ = _inner(members[0], name)
    return _Place(tuple(path), type_)


def _bare(type_: Any) -> tuple[Any, ...]:  # noqa: ANN401 - an annotation
    """Return a type without annotations and without None; of a union, its members."""
    while get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    if get_origin(type_) not in (Union, UnionType):
        return (type_,)
    members = [member for member in get_args(type_) if member is not NoneType]
    return tuple(each for member in members for each in _bare(member))


def _inner(type_: Any, name: object) -> Any:  # noqa: ANN401 - an annotation
    """Return the type of a part of a value."""
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        field = type_.model_fields.get(str(name))
        return Any if field is None else field.annotation
    arguments = get_args(type_)
    if get_origin(type_) is tuple:
        return arguments[0]
    return arguments[1] if len(arguments) == 2 else Any


def _names(type_: Any) -> list[str]:  # noqa: ANN401 - an annotation
    """Return the settings of a section."""
    members = [member for member in _bare(type_) if hasattr(member, "model_fields")]
    fields = [item for member in members for item in member.model_fields.items()]
    return [name for name, field in fields if not field.exclude]


def _tags(type_: Any) -> list[str]:  # noqa: ANN401 - an annotation
    """Return the provider types in a union."""
    return [get_args(member.model_fields["type"].annotation)[0] for member in _bare(type_)]

"""The base class of the sections, and the kinds of values that settings have.

Snakemake passes everything inside a mapping of ``--config`` as text. So each kind accepts the value
itself and a text that spells it. Kinds are never mixed: true is not 1, and 1 is not true. The
message of an invalid value is the remedy alone; `daydream.settings.problems` puts the place and the
value before it.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
STAGE_NAME = "^[a-z][a-z0-9_]{0,31}$"
PREFIX = "^[a-z][a-z0-9]{0,7}$"
# The remedy for a text that does not match one of these patterns.
IN_WORDS: Mapping[str, str] = {
    NAME: "give a name of letters, digits, '.', '_' and '-' that begins with a letter or a digit "
    "(at most 64 characters)",
    STAGE_NAME: "give a name of lowercase letters, digits and '_' that begins with a letter (at "
    "most 32 characters)",
    PREFIX: "give lowercase letters and digits, beginning with a letter (at most 8 characters)",
}


class Section(BaseModel):
    """A group of settings. It is immutable, and an unknown name is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), defer_build=True
    )


def invalid(remedy: str, **found: object) -> PydanticCustomError:
    """Return the error for an invalid value.

    `found` names the invalid part where it is only a part of the value: ``found='model'``.
    """
    return PydanticCustomError("invalid", "{remedy}", {"remedy": remedy, **found})


def _number(value: object, remedy: str) -> int | float:
    number: object = value
    if isinstance(value, str):
        for read in (int, float):
            try:
                number = read(value)
                break
            except ValueError:
                continue
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise invalid(remedy)
    return number


def read_whole(value: object) -> int:
    """Return a whole number."""
    number = _number(value, "give a whole number")
    if number != int(number):
        raise invalid("give a whole number")
    return int(number)


def _read_number(value: object, check: Callable[[object], float]) -> int | float:
    number = _number(value, "give a number")
    check(number)
    # Kept as written: settings are compared as text, where 0 and 0.0 differ.
    return number


def _read_flag(value: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    flag = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise invalid("give true or false")
    return flag


def read_text(value: object) -> str:
    """Return a text; also that of a number or date, since YAML reads some names as such."""
    if isinstance(value, bool):
        raise invalid("give a text, in quotes if it looks like something else")
    if isinstance(value, int | float | datetime.date):
        return str(value)
    if not isinstance(value, str):
        raise invalid("give a text")
    return value


def _read_path(value: object) -> Path:
    text = value if isinstance(value, Path) else read_text(value)
    if text == "":
        raise invalid("give the path of a file or directory")
    return Path(text)


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


def each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    """Raise an error if a value is given twice."""
    if len(set(values)) < len(values):
        raise invalid("give each once")
    return values


def _read_condition(value: object) -> str | list[str]:
    if value is None:
        raise invalid("give a value, with a space after the colon, as in {combo_id: pair}")
    if not isinstance(value, list | tuple):
        return read_text(value)
    if not value:
        raise invalid("give at least one value")
    return [read_text(item) for item in value]


def check_json(value: dict[str, Any]) -> dict[str, Any]:
    """Raise an error for values that a request cannot hold."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise invalid("use only what JSON can hold: texts, numbers, true, false, null") from None
    return value


_LOOSE = {"type": ["string", "number"]}
_as_given = PlainSerializer(lambda value: value)
_whole = BeforeValidator(read_whole)

Flag = Annotated[bool, BeforeValidator(_read_flag)]
Count = Annotated[int, Field(ge=1), _whole]
WholeFrom0 = Annotated[int, Field(ge=0), _whole]
NumberFrom0 = Annotated[float, Field(ge=0), WrapValidator(_read_number), _as_given]
Positive = Annotated[float, Field(gt=0), WrapValidator(_read_number), _as_given]
Seconds = Annotated[float, Field(gt=0), WrapValidator(_read_number), _as_given]
Share = Annotated[float, Field(gt=0, le=1), WrapValidator(_read_number), _as_given]
Words = Annotated[str, BeforeValidator(read_text)]
Text = Annotated[str, Field(min_length=1), BeforeValidator(read_text)]
# A text that may look like a number, such as an id.
Id = Annotated[Text, WithJsonSchema({**_LOOSE, "minLength": 1})]
Name = Annotated[
    str,
    Field(pattern=NAME),
    BeforeValidator(read_text),
    WithJsonSchema({**_LOOSE, "pattern": NAME}),
]
# The same as the key of a mapping: in JSON keys are always texts.
Key = Annotated[str, Field(pattern=NAME), BeforeValidator(read_text)]
StageName = Annotated[str, Field(pattern=STAGE_NAME), BeforeValidator(read_text)]
Prefix = Annotated[str, Field(pattern=PREFIX), BeforeValidator(read_text)]
FilePath = Annotated[
    Path, BeforeValidator(_read_path), WithJsonSchema({"type": "string", "minLength": 1})
]
OneOrMany = BeforeValidator(_one_or_many)
Condition = Annotated[
    str | list[str],
    PlainValidator(_read_condition),
    WithJsonSchema({"type": [*_LOOSE["type"], "array"], "items": _LOOSE, "minItems": 1}),
]
Conditions = Mapping[Words, Condition]

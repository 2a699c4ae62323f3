"""How a model is to answer: the sampling settings of stages, of models, and of dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from daydream.settings.fields import (
    Count,
    NumberFrom0,
    Section,
    Share,
    Words,
    check_json,
    read_whole,
    refusal,
)

# The sampling settings that a dimension of the same name sets, and what they count with.
NUMBERS: Mapping[str, type[int] | type[float]] = {
    "max_tokens": int,
    "temperature": float,
    "top_p": float,
    "seed": int,
}
# What the workflow itself says in a request.
OWN = ("model", "messages", "stream", *NUMBERS)


def _read_seed(value: object) -> int | str | None:
    if value is None or value == "gen_id":
        return None if value is None else "gen_id"
    try:
        seed = read_whole(value)
    except PydanticCustomError:
        seed = -1
    if seed < 0:
        raise refusal("give a whole number from 0, or gen_id")
    return seed


def _check_extra(body: dict[str, Any]) -> dict[str, Any]:
    for name in OWN:
        if name in body:
            raise refusal("take it away here: the workflow sets it itself", found=name)
    return check_json(body)


Seed = Annotated[
    int | Literal["gen_id"] | None,
    PlainValidator(_read_seed),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"const": "gen_id"}, {"type": "null"}]}
    ),
]
ExtraBody = Annotated[
    dict[str, Any],
    AfterValidator(_check_extra),
    Field(json_schema_extra={"propertyNames": {"not": {"enum": list(OWN)}}}),
]


def _without_defaults(schema: dict[str, Any]) -> None:
    for setting in schema["properties"].values():
        setting.pop("default")


class Sampling(Section):
    """Settings of a call; `null` takes one away that was set for more calls than these."""

    # What is not set is not null: whoever fills in defaults must not take settings away.
    model_config = ConfigDict(json_schema_extra=_without_defaults)

    max_tokens: Count | None = Field(
        default=None,
        description="As the API has it. An answer cut there is refused by `parse_response`; its "
        "text stays.",
    )
    temperature: NumberFrom0 | None = Field(default=None, description="As the API has it.")
    top_p: Share | None = Field(default=None, description="As the API has it.")
    seed: Seed = Field(
        default=None,
        description="A number; or `gen_id`: a seed of the generation's own, the same in each run. "
        "The provider type `local` takes `gen_id` unless told otherwise.",
    )
    system_prompt: Words | None = Field(
        default=None, description="Sent before the prompt as a system message."
    )
    extra_body: ExtraBody | None = Field(
        default=None,
        description="Anything else that the provider understands, such as a `grammar`; merged key "
        "by key.",
    )

    @cached_property
    def given(self) -> Mapping[str, Any]:
        """What was set, null included, in the order of the fields."""
        names = [name for name in type(self).model_fields if name in self.model_fields_set]
        return {name: getattr(self, name) for name in names}

    @model_serializer(mode="wrap")
    def _only_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if name in self.given}


def merged(layers: Iterable[Sampling], dimensions: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a call: later layers win, then those `dimensions` that are settings.

    `extra_body` is merged key by key. What is null in the end is left out.
    """
    settings: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for layer in layers:
        settings.update(layer.given)
        if "extra_body" in layer.given:
            extra = {} if layer.extra_body is None else {**extra, **layer.extra_body}
    for name, level in dimensions.items():
        if name in NUMBERS:
            settings[name] = as_setting(name, level)
    settings["extra_body"] = extra
    return {name: value for name, value in settings.items() if value is not None}


def as_setting(dimension: str, level: str) -> int | float | str:
    """Return the level of a dimension as the sampling setting of that name, if there is one.

    Raises:
        ValueError: the setting is a number, and the level is not; says what to write.
    """
    number = NUMBERS.get(dimension)
    if number is None:
        return level
    try:
        value = number(level)
    except ValueError:
        kind = "a whole number" if number is int else "a number"
        raise ValueError(f"write {kind}, as the sampling setting {dimension} is one") from None
    if value < 0 or not math.isfinite(value):
        raise ValueError(f"write a number from 0, as {dimension} is one")
    return value

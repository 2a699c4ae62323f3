"""Sampling settings: of stages, of models, and of dimensions."""

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
    OneOrMany,
    Section,
    Share,
    Text,
    Words,
    check_json,
    invalid,
    read_whole,
)

# The sampling settings that a dimension of the same name sets, and their types.
NUMBERS: Mapping[str, type[int] | type[float]] = {
    "max_tokens": int,
    "temperature": float,
    "top_p": float,
    "seed": int,
}
# Another setting that a dimension sets, by a word or a number.
REASONING = "reasoning"
# How much a model may think before it answers, in words; not every API and model has all of them.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# The parts of a request that the workflow sets itself.
OWN = ("model", "messages", "stream", *NUMBERS)


def _read_seed(value: object) -> int | str | None:
    if value is None or value == "gen_id":
        return None if value is None else "gen_id"
    try:
        seed = read_whole(value)
    except PydanticCustomError:
        seed = -1
    if seed < 0:
        raise invalid("give a whole number, at least 0, or gen_id")
    return seed


def _check_extra(body: dict[str, Any]) -> dict[str, Any]:
    for name in OWN:
        if name in body:
            raise invalid("remove it here: the workflow sets it itself", found=name)
    return check_json(body)


Seed = Annotated[
    int | Literal["gen_id"] | None,
    PlainValidator(_read_seed),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"const": "gen_id"}, {"type": "null"}]}
    ),
]


def _read_reasoning(value: object) -> int | str | None:
    if value is None or (isinstance(value, str) and value in EFFORTS):
        return value
    try:
        tokens = read_whole(value)
    except PydanticCustomError:
        tokens = -1
    if tokens < 0:
        raise invalid(f"give one of {', '.join(EFFORTS)}, or a whole number of tokens")
    return tokens


Reasoning = Annotated[
    int | str | None,
    PlainValidator(_read_reasoning),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"enum": list(EFFORTS)}, {"type": "null"}]}
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
    """Settings of a call; `null` removes a setting that a more general section makes."""

    # Not set is not the same as null: filling in defaults must not remove settings.
    model_config = ConfigDict(json_schema_extra=_without_defaults)

    max_tokens: Count | None = Field(
        default=None,
        description="As in the API. An answer cut off at this limit counts as failed in "
        "`parse_response`; its text is kept.",
    )
    temperature: NumberFrom0 | None = Field(default=None, description="As in the API.")
    top_p: Share | None = Field(default=None, description="As in the API.")
    seed: Seed = Field(
        default=None,
        description="A number, or `gen_id`: a seed for each generation, the same in every run. "
        "The default of provider type `local` is `gen_id`.",
    )
    stop: Annotated[tuple[Words, ...], OneOrMany] | None = Field(
        default=None, description="Texts before which the answer ends."
    )
    reasoning: Reasoning = Field(
        default=None,
        description="How much the model thinks before it answers: one of `none`, `minimal`, `low`, "
        "`medium`, `high`, `xhigh`, `max`, or a number of tokens, as far as the API and the model "
        "have them ([native providers](../docs/providers.md)).",
    )
    service_tier: Text | None = Field(
        default=None,
        description="As in the API, such as `flex`: slower, and at the provider's `flex_price`.",
    )
    system_prompt: Words | None = Field(
        default=None, description="Sent before the prompt, as a system message."
    )
    extra_body: ExtraBody | None = Field(
        default=None,
        description="Any other setting the provider understands, such as a `grammar`. Merged key "
        "by key.",
    )

    @cached_property
    def given(self) -> Mapping[str, Any]:
        """The settings that were given, null included, in the order of the fields."""
        names = [name for name in type(self).model_fields if name in self.model_fields_set]
        return {name: getattr(self, name) for name in names}

    @model_serializer(mode="wrap")
    def _only_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if name in self.given}


def merged(layers: Iterable[Sampling], dimensions: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a call: later layers win, then `dimensions` that are settings.

    `extra_body` is merged key by key. A setting that ends up as null is left out.
    """
    settings: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for layer in layers:
        settings.update(layer.given)
        if "extra_body" in layer.given:
            extra = {} if layer.extra_body is None else {**extra, **layer.extra_body}
    for name, level in dimensions.items():
        if name in NUMBERS or name == REASONING:
            settings[name] = as_setting(name, level)
    settings["extra_body"] = extra
    return {name: value for name, value in settings.items() if value is not None}


def as_setting(dimension: str, level: str) -> int | float | str | None:
    """Return a dimension's level as the value of the sampling setting of that name, if any.

    Raises:
        ValueError: the setting does not take the level; the message is the remedy.
    """
    if dimension == REASONING:
        try:
            return _read_reasoning(level)
        except PydanticCustomError as error:
            raise ValueError(error.message()) from None
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

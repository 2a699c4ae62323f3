"""Requests for Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daydream.llm.dialects.question import Body, Lack, Question, Schema, parts, without
from daydream.llm.structured import label_of

API = "Anthropic's API"
# The settings that have the same name in the API.
SAME = ("max_tokens", "temperature", "top_p", "service_tier")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
TIERS = ("auto", "standard_only")
LEAST_BUDGET = 1024
# What the API does if nothing is said.
SHORT = "5m"
# Keywords of a schema that the API's formats do not take. They are told in the description, and
# the parser checks the answer against the whole schema.
_TOLD = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
)
# Where a schema has schemas: in a mapping by name, in a list, or one itself.
_NAMED = ("properties", "$defs", "definitions")
_LISTED = ("anyOf", "allOf", "oneOf")
_SINGLE = ("items", "additionalProperties", "not")


def body(question: Question, cache_ttl: str) -> Body:
    """Return the parts of a message's request; `cache_ttl` is how long a beginning is kept."""
    sampling = {name: question.sampling[name] for name in SAME if name in question.sampling}
    fields: dict[str, Any] = {}
    if question.system_prompt:
        fields["system"] = question.system_prompt
    if "stop" in question.sampling:
        fields["stop_sequences"] = list(question.sampling["stop"])
    reasoning = question.sampling.get("reasoning")
    config: dict[str, Any] = {}
    if isinstance(reasoning, int) and reasoning:
        fields["thinking"] = {"type": "enabled", "budget_tokens": reasoning}
    elif reasoning in ("none", 0):
        fields["thinking"] = {"type": "disabled"}
    elif reasoning is not None:
        fields["thinking"] = {"type": "adaptive"}
        config["effort"] = reasoning
    if question.schema:
        fields |= _structured(question.schema, config)
    if config:
        fields["output_config"] = config
    kept = {} if cache_ttl == SHORT else {"ttl": cache_ttl}
    mark = {"cache_control": {"type": "ephemeral", **kept}}
    content = parts(question.prompt, question.points, mark)
    messages = ({"role": "user", "content": content},)
    return messages, sampling, {**fields, **question.extra_body}


def _structured(schema: Schema, config: dict[str, Any]) -> dict[str, Any]:
    if not asks_by_tool(schema):
        if schema.mode == "response_format":
            config["format"] = {"type": "json_schema", "schema": simple(schema.schema)}
        return {}
    name = label_of(schema.name)
    return {
        "tools": [{"name": name, "input_schema": dict(schema.schema)}],
        "tool_choice": {"type": "tool", "name": name},
    }


def asks_by_tool(schema: Schema | None) -> bool:
    """Tell whether an answer is asked for as a tool's input.

    The API's format of an answer takes only schemas whose objects are all closed.
    """
    if schema is None or schema.mode == "none":
        return False
    return schema.mode == "tool" or not is_closed(schema.schema)


def is_closed(schema: object) -> bool:
    """Tell whether every object of a schema has `additionalProperties: false`."""
    if not isinstance(schema, Mapping):
        return True
    if (schema.get("type") == "object" or "properties" in schema) and (
        schema.get("additionalProperties") is not False
    ):
        return False
    return all(map(is_closed, _inner(schema)))


def _inner(schema: Mapping[str, Any]) -> Iterator[object]:
    for name in _NAMED:
        inner = schema.get(name)
        yield from inner.values() if isinstance(inner, Mapping) else ()
    for name in _LISTED:
        inner = schema.get(name)
        yield from inner if isinstance(inner, list) else ()
    yield from (schema[name] for name in _SINGLE if name in schema)


def simple(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema without what the API does not take, which its descriptions tell instead."""
    if isinstance(schema, list):
        return [simple(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    told = ", ".join(f"{name} {schema[name]}" for name in _TOLD if name in schema)
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _NAMED and isinstance(value, Mapping):
            made[name] = {key: simple(each) for key, each in value.items()}
        elif name in (*_LISTED, *_SINGLE):
            made[name] = simple(value)
        elif name not in _TOLD:
            made[name] = value
    if told:
        made["description"] = " ".join(filter(None, [made.get("description"), f"({told})"]))
    return made


def lacks(question: Question) -> Iterator[Lack]:
    """Yield what Anthropic's API does not have, or does not take together."""
    sampling = question.sampling
    if "seed" in sampling:
        yield without("seed", sampling["seed"], API)
    for name in ("logprobs", "top_logprobs", "n"):
        if name in question.extra_body:
            found = f"found {name}, but {API} has no {name}"
            yield Lack("extra_body", found, "remove it for this model")
    most = sampling.get("max_tokens")
    if most is None:
        found = f"max_tokens is not set, but {API} needs it"
        yield Lack("max_tokens", found, "set it")
    tier = sampling.get("service_tier")
    if tier is not None and tier not in TIERS:
        found = f"found {tier!r}, but {API} has no such tier"
        yield Lack("service_tier", found, f"give one of {', '.join(TIERS)}, or set it to null")
    temperature = sampling.get("temperature")
    if isinstance(temperature, int | float) and temperature > 1:
        found = f"found {temperature}, but {API} takes at most 1"
        yield Lack("temperature", found, "lower it")
    if question.mode == "json_object":
        found = f"the provider's structured is json_object, which {API} does not have"
        yield Lack("schema", found, "set structured to response_format or tool")
    yield from _of_reasoning(question, most)


def _of_reasoning(question: Question, most: object) -> Iterator[Lack]:
    reasoning = question.sampling.get("reasoning")
    if reasoning in (None, "none", 0):
        return
    if isinstance(reasoning, int):
        if reasoning < LEAST_BUDGET:
            found = f"found {reasoning}, but {API} thinks for at least {LEAST_BUDGET} tokens"
            yield Lack("reasoning", found, "raise it, or write none")
        if isinstance(most, int) and most <= reasoning:
            found = f"found {reasoning}, but max_tokens, {most}, has to hold it and the answer"
            yield Lack("reasoning", found, "raise max_tokens, or lower reasoning")
    elif reasoning not in EFFORTS:
        found = f"found {reasoning!r}, but {API} has no such effort"
        yield Lack("reasoning", found, f"give none, {', '.join(EFFORTS)}, or a number of tokens")
    if question.sampling.get("temperature") not in (None, 1):
        found = f"found {question.sampling['temperature']}, but {API} takes none beside reasoning"
        yield Lack("temperature", found, "set temperature or reasoning to null")
    if asks_by_tool(question.schema):
        found = f"the schema is sent as a tool, which {API} does not take beside reasoning"
        remedy = "close its objects with additionalProperties: false, or set reasoning to null"
        yield Lack("schema", found, remedy)

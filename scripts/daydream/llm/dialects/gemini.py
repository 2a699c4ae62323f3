"""Requests for Google's Gemini API.

The body has what is asked in `contents` and the settings in `generationConfig`. Its `model` is a
part of the address, which the provider takes out before it sends the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daydream.llm.bodies import CONFIG, MOST
from daydream.llm.dialects.question import Body, Lack, Question, Schema
from daydream.llm.structured import label_of

API = "the Gemini API"
# The settings of an answer, and what the API calls them.
NAMES: Mapping[str, str] = {
    "max_tokens": MOST,
    "temperature": "temperature",
    "top_p": "topP",
    "seed": "seed",
}
LEVELS = ("minimal", "low", "medium", "high")
TIERS = ("standard", "flex", "priority")


def body(question: Question) -> Body:
    """Return the parts of a request for generated content."""
    extra = dict(question.extra_body)
    config = {NAMES[name]: value for name, value in question.sampling.items() if name in NAMES}
    fields: dict[str, Any] = {
        "contents": [{"role": "user", "parts": [{"text": question.prompt}]}],
        CONFIG: config,
    }
    if question.system_prompt:
        fields["systemInstruction"] = {"parts": [{"text": question.system_prompt}]}
    if "stop" in question.sampling:
        config["stopSequences"] = list(question.sampling["stop"])
    if "service_tier" in question.sampling:
        fields["serviceTier"] = question.sampling["service_tier"]
    reasoning = question.sampling.get("reasoning")
    if isinstance(reasoning, int):
        config["thinkingConfig"] = {"thinkingBudget": reasoning}
    elif reasoning == "none":
        config["thinkingConfig"] = {"thinkingBudget": 0}
    elif reasoning is not None:
        config["thinkingConfig"] = {"thinkingLevel": reasoning}
    # The probabilities of tokens are asked for as OpenAI's API has them.
    if extra.pop("logprobs", None):
        config["responseLogprobs"] = True
        if top := extra.pop("top_logprobs", None):
            config["logprobs"] = top
    if question.schema:
        fields |= _structured(question.schema, config)
    own = extra.pop(CONFIG, None)
    if isinstance(own, Mapping):
        config |= own
    return (), {}, {**fields, **extra}


def _structured(schema: Schema, config: dict[str, Any]) -> dict[str, Any]:
    if schema.mode == "tool":
        name = label_of(schema.name)
        function = {"name": name, "parametersJsonSchema": dict(schema.schema)}
        calling = {"mode": "ANY", "allowedFunctionNames": [name]}
        return {
            "tools": [{"functionDeclarations": [function]}],
            "toolConfig": {"functionCallingConfig": calling},
        }
    if schema.mode != "none":
        config["responseMimeType"] = "application/json"
    if schema.mode == "response_format":
        config["responseJsonSchema"] = dict(schema.schema)
    return {}


def lacks(question: Question) -> Iterator[Lack]:
    """Yield what the Gemini API does not have, or has and the workflow sets itself."""
    if "contents" in question.extra_body:
        yield Lack("extra_body", "found contents, which is the prompt", "remove it")
    reasoning = question.sampling.get("reasoning")
    if isinstance(reasoning, str) and reasoning not in ("none", *LEVELS):
        found = f"found {reasoning!r}, but {API} has no such level"
        yield Lack("reasoning", found, f"give none, {', '.join(LEVELS)}, or a number of tokens")
    tier = question.sampling.get("service_tier")
    if tier is not None and tier not in TIERS:
        found = f"found {tier!r}, but {API} has no such tier"
        yield Lack("service_tier", found, f"give one of {', '.join(TIERS)}, or set it to null")

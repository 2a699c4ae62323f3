"""What a call used, as the provider says, read strictly.

Providers may send anything as `usage`. What is not a count or a price is unknown. It is not
guessed, and code that adds or compares numbers does not have to expect a text, a NaN or an object.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

# More tokens than any context has: a number above it counts something else.
MOST_TOKENS = 10**9


class Usage(NamedTuple):
    """The tokens of a call, and what the provider charges in USD; None is not known.

    `cached` are tokens of the prompt that were in the provider's cache, `cache_write` those that
    were put there, `cache_write_1h` those of them that stay for an hour, and `reasoning` those of
    the answer that nobody sees: they are part of the counts of prompt and answer.
    """

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    usd: float | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None

    @property
    def tokens(self) -> int | None:
        """The tokens of prompt and answer together; None unless both are known."""
        if self.prompt is None or self.completion is None:
            return None
        return self.prompt + self.completion


def read_usage(usage: object) -> Usage:
    """Return what the usage of an answer says, in the words of whichever API gave it.

    `cost` is what OpenRouter charges in USD. Where the user's own key at another provider was used,
    what that provider charges comes on top.
    """
    if not isinstance(usage, Mapping):
        return Usage()
    if "input_tokens" in usage:
        return _of_message(usage)
    if "promptTokenCount" in usage:
        return _of_generated(usage)
    prompt = count_of(usage.get("prompt_tokens"))
    completion = count_of(usage.get("completion_tokens"))
    return Usage(
        prompt=prompt,
        completion=completion,
        cached=_part(usage, "prompt_tokens_details", "cached_tokens", prompt),
        reasoning=_part(usage, "completion_tokens_details", "reasoning_tokens", completion),
        usd=_charged(usage),
        cache_write=_part(usage, "prompt_tokens_details", "cache_write_tokens", prompt),
    )


def _of_message(usage: Mapping[str, Any]) -> Usage:
    """Return Anthropic's usage, whose `input_tokens` are those that the cache has no part in."""
    new = count_of(usage.get("input_tokens"))
    cached = count_of(usage.get("cache_read_input_tokens") or 0)
    written = count_of(usage.get("cache_creation_input_tokens") or 0)
    completion = count_of(usage.get("output_tokens"))
    if new is None or cached is None or written is None:
        return Usage(completion=completion)
    prompt = new + cached + written
    hour = _part(usage, "cache_creation", "ephemeral_1h_input_tokens", written)
    return Usage(prompt, completion, cached=cached, cache_write=written, cache_write_1h=hour)


def _of_generated(usage: Mapping[str, Any]) -> Usage:
    """Return Gemini's usage, in which the tokens of an answer and of its thoughts are apart."""
    prompt = count_of(usage.get("promptTokenCount"))
    said = count_of(usage.get("candidatesTokenCount") or 0)
    thought = count_of(usage.get("thoughtsTokenCount") or 0)
    cached = count_of(usage.get("cachedContentTokenCount"))
    if cached is not None and (prompt is None or cached > prompt):
        cached = None
    if said is None or thought is None:
        return Usage(prompt, cached=cached)
    return Usage(prompt, said + thought, cached=cached, reasoning=thought)


def _part(usage: Mapping[str, Any], group: str, name: str, whole: int | None) -> int | None:
    """Return a count that is a part of another one; None if it cannot be."""
    details = usage.get(group)
    part = count_of(details.get(name)) if isinstance(details, Mapping) else None
    return None if part is None or whole is None or part > whole else part


def _charged(usage: Mapping[str, Any]) -> float | None:
    own = amount_of(usage.get("cost"))
    if own is None or usage.get("is_byok") is not True:
        return own
    details = usage.get("cost_details")
    upstream = details.get("upstream_inference_cost") if isinstance(details, Mapping) else None
    other = amount_of(upstream)
    return None if other is None else own + other


def count_of(value: object) -> int | None:
    """Return a whole number from 0; None if it is anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= MOST_TOKENS or value != int(value):
        return None
    return int(value)


def amount_of(value: object) -> float | None:
    """Return a finite number from 0; None if it is anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= MOST_TOKENS or math.isnan(value):
        return None
    return float(value)

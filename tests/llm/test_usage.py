"""What providers say of tokens and prices, read strictly."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.llm.usage import Usage, read_usage

NAMES = ("prompt_tokens", "completion_tokens", "cost")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_counts_and_their_parts() -> None:
    """Cached tokens are part of the prompt, those of reasoning part of the answer."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50.0,
        "prompt_tokens_details": {"cached_tokens": 80},
        "completion_tokens_details": {"reasoning_tokens": 30},
        "cost": 0.25,
    }
    assert read_usage(usage) == Usage(100, 50, 80, 30, 0.25)
    assert read_usage(usage).tokens == 150
    usage["prompt_tokens_details"] = {"cached_tokens": 80, "cache_write_tokens": 15}
    assert read_usage(usage) == Usage(100, 50, 80, 30, 0.25, 15)


@pytest.mark.parametrize(
    "value", ["10", {"a": 1}, [1], math.nan, math.inf, -1, 1.5, True, None, 10**400, 10**12, 1e300]
)
def test_what_is_not_a_count_is_unknown(value: object) -> None:
    """As prompt, as answer, as their parts, and as a price."""
    details = {"cached_tokens": value, "reasoning_tokens": value}
    usage = {
        "prompt_tokens": value,
        "completion_tokens": value,
        "prompt_tokens_details": details,
        "completion_tokens_details": value,
    }
    assert read_usage(usage) == Usage()
    assert read_usage({**usage, "prompt_tokens": 10, "cost": "1"}) == Usage(prompt=10)


def test_a_part_larger_than_the_whole_is_unknown() -> None:
    usage = {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}}
    assert read_usage(usage) == Usage(prompt=10)


def test_a_key_of_the_user_s_own_costs_on_top() -> None:
    """OpenRouter charges a fee, and the provider behind it the rest; half a price is none."""
    usage = {"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}}
    assert read_usage(usage).usd == pytest.approx(0.21)
    assert read_usage({"cost": 0.01, "is_byok": True}).usd is None
    assert read_usage({"cost": 0.01, "is_byok": False}).usd == 0.01


@given(
    JSON | st.fixed_dictionaries({"prompt_tokens": JSON, "completion_tokens": JSON, "cost": JSON})
)
def test_anything_can_be_read(value: object) -> None:
    """And what is known is a count or a price."""
    usage = read_usage(value)
    for count in (usage.prompt, usage.completion, usage.cached, usage.reasoning):
        assert count is None or (type(count) is int and count >= 0)
    assert usage.usd is None or (math.isfinite(usage.usd) and usage.usd >= 0)


def test_anthropic_counts_what_the_cache_has_no_part_in() -> None:
    """The prompt is the sum; a count that is none makes it unknown."""
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 70,
        "cache_creation_input_tokens": 20,
        "output_tokens": 5,
    }
    assert read_usage(usage) == Usage(100, 5, cached=70, cache_write=20)
    plain = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": None}
    assert read_usage(plain) == Usage(10, 5, cached=0, cache_write=0)
    assert read_usage({**usage, "cache_read_input_tokens": "70"}) == Usage(None, 5)


def test_gemini_counts_thoughts_apart() -> None:
    """They are a part of the answer's tokens, and paid for as such."""
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 80,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 20,
    }
    assert read_usage(usage) == Usage(100, 25, cached=80, reasoning=20)
    assert read_usage({"promptTokenCount": 100}) == Usage(100, 0, reasoning=0)
    assert read_usage({**usage, "cachedContentTokenCount": 101}).cached is None
    assert read_usage({**usage, "thoughtsTokenCount": -1}) == Usage(100, cached=80)


@given(
    st.dictionaries(st.sampled_from(["input_tokens", "promptTokenCount", "output_tokens"]), JSON)
)
def test_no_usage_of_another_api_breaks_reading(usage: dict[str, object]) -> None:
    found = read_usage(usage)
    assert all(value is None or value >= 0 for value in found)

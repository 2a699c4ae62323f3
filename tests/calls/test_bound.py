"""The most tokens of a call: never fewer than any tokenizer counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.calls.bound import DEFAULT_MAX_TOKENS, answer_limit, most_usage
from daydream.llm.request import Request


def most(text: str = "hello", **body: object) -> tuple[int | None, int | None]:
    sampling = {name: value for name, value in body.items() if name == "max_tokens"}
    extra = {name: value for name, value in body.items() if name != "max_tokens"}
    messages = ({"role": "user", "content": text},)
    request = Request(
        provider="p", model="m", messages=messages, sampling=sampling, extra_body=extra
    )
    usage = most_usage(request)
    return usage.prompt, usage.completion


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_prompt_has_at_most_a_token_per_byte(text: str) -> None:
    """A tokenizer of bytes, which has one per byte, is the worst there is."""
    prompt, _ = most(text)
    assert prompt is not None
    assert prompt >= len(text.encode()) + 8


def test_all_that_is_sent_counts() -> None:
    """Tools and schemas are a part of the prompt, too."""
    plain, _ = most()
    with_tools, _ = most(tools=[{"type": "function", "description": "x" * 5000}])
    assert plain is not None
    assert with_tools is not None
    assert with_tools >= plain + 5000


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({}, None),
        ({"max_tokens": 100}, 100),
        ({"max_tokens": 100, "max_completion_tokens": 700}, 700),
        ({"max_completion_tokens": 700}, 700),
        ({"max_tokens": 100, "n": 5}, 500),
        ({"max_tokens": 100, "n": 2, "best_of": 5}, 500),
        ({"max_tokens": 100, "reasoning": {"max_tokens": 1000}}, 1100),
        ({"max_tokens": 100, "thinking": {"type": "enabled", "budget_tokens": 500}}, 600),
        ({"max_tokens": 100, "reasoning": {"effort": "low"}}, 100),
        ({"max_tokens": "many"}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": True}, None),
        ({"max_tokens": 100, "max_completion_tokens": None, "n": None}, 100),
        # Servers read a text as the number in it, and -1 as no limit.
        ({"max_tokens": 100, "max_completion_tokens": "700"}, None),
        ({"max_tokens": 100, "max_output_tokens": -1}, None),
        ({"max_tokens": 100, "n": "5"}, None),
        ({"max_tokens": 100, "best_of": 2.5}, None),
        ({"max_tokens": 100, "reasoning": {"max_tokens": "1000"}}, None),
    ],
)
def test_the_limit_of_an_answer(body: dict[str, object], limit: int | None) -> None:
    """All fields that raise what is billed; without one, nothing bounds it."""
    assert answer_limit(body) == limit
    if "max_tokens" not in body or body["max_tokens"] == 100:
        assert most(**body)[1] == (limit or DEFAULT_MAX_TOKENS)

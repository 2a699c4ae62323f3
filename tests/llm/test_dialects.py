"""One question in the words of each API; what is sent decides the hash, but for cache points."""

from __future__ import annotations

from typing import Any

import pytest

from daydream.llm.dialects import Question, lacks, write
from daydream.llm.dialects.question import Schema
from daydream.llm.request import Request
from daydream.settings import Anthropic, Function, Gemini, OpenAI, Provider

RUBRIC = "Judge the text. "
SCHEMA = Schema("response_format", "rubric", {"type": "object"})


def asked(settings: Provider, **fields: Any) -> Request:
    question = Question(prompt=f"{RUBRIC}text", **fields)
    return write(question, settings, provider="p", model="m")


def test_a_chat_completion_is_asked_for_as_ever() -> None:
    """The settings that are new are those that were in extra_body, so hashes are the same."""
    own = asked(
        OpenAI(),
        system_prompt="Be brief.",
        sampling={"max_tokens": 5, "stop": ("a",), "reasoning": "low", "service_tier": "flex"},
        schema=SCHEMA,
        extra_body={"top_k": 3},
    )
    messages = (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": f"{RUBRIC}text"},
    )
    described = {"name": "rubric", "schema": {"type": "object"}, "strict": False}
    before = Request(
        provider="p",
        model="m",
        messages=messages,
        sampling={"max_tokens": 5},
        extra_body={
            "stop": ["a"],
            "reasoning_effort": "low",
            "service_tier": "flex",
            "response_format": {"type": "json_schema", "json_schema": described},
            "top_k": 3,
        },
    )
    assert own.sha256 == before.sha256
    assert own.body() == before.body()


@pytest.mark.parametrize(
    ("cache_points", "mark"),
    [
        ("none", None),
        ("cache_control", {"cache_control": {"type": "ephemeral"}}),
        ("breakpoint", {"prompt_cache_breakpoint": {"mode": "explicit"}}),
    ],
)
def test_how_a_cache_point_is_sent(cache_points: Any, mark: dict[str, Any] | None) -> None:
    """It changes neither the text nor the hash; with it, the first call goes ahead."""
    settings = OpenAI(cache_points=cache_points)
    plain, marked = asked(settings), asked(settings, points=(len(RUBRIC),))
    content = marked.body()["messages"][0]["content"]
    parts = [{"type": "text", "text": RUBRIC, **(mark or {})}, {"type": "text", "text": "text"}]
    assert content == (f"{RUBRIC}text" if mark is None else parts)
    assert marked.sha256 == plain.sha256
    assert marked.asked == plain.asked
    assert plain.beginning == ""
    other = Question(prompt=f"{RUBRIC}another", points=(len(RUBRIC),))
    assert marked.beginning == write(other, settings, provider="p", model="m").beginning != ""
    longer = Question(prompt=f"{RUBRIC}text", points=(len(RUBRIC) + 1,))
    assert marked.beginning != write(longer, settings, provider="p", model="m").beginning


@pytest.mark.parametrize(
    ("settings", "sha256"),
    [
        (Anthropic(), "7669f83010ca9057afa87c9dedb964c1e63f41327e4a6ed9c6887b94971961e1"),
        (Gemini(), "d7a54d70ca615bd59a062c9213198d4fc7314b6e68af32ea6c24882499721965"),
    ],
)
def test_golden_hashes(settings: Provider, sha256: str) -> None:
    """They are a contract: answers that were paid for are found by them."""
    own = asked(
        settings,
        system_prompt="Be brief.",
        sampling={"max_tokens": 2000, "temperature": 1.0, "stop": ("a",), "reasoning": "low"},
        points=(len(RUBRIC),),
    )
    assert own.sha256 == sha256


@pytest.mark.parametrize("settings", [OpenAI(), Function(path="f.py")])
def test_a_number_of_tokens_to_think_needs_an_api_that_takes_one(settings: Provider) -> None:
    (lack,) = lacks(Question(prompt="", sampling={"reasoning": 2000}), settings)
    assert (lack.setting, lack.found[:10]) == ("reasoning", "found 2000")
    assert not list(lacks(Question(prompt="", sampling={"reasoning": "xhigh"}), settings))

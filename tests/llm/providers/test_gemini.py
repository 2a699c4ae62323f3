"""Google's Gemini API: what is sent, how answers and usage read, and how each failure reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daydream.calls.bound import answer_limit
from daydream.errors import CallError
from daydream.llm import Provider, Request, open_provider
from daydream.llm.answers import completion_of
from daydream.llm.dialects import Question, lacks, write
from daydream.llm.dialects.question import Schema
from daydream.llm.failures import CallFailedError
from daydream.llm.usage import Usage
from daydream.reports.expected import expectation, tokens_of
from daydream.settings import Gemini
from support.gemini_server import GeminiServer, error, generated
from support.served import RefusedError

KEY = "AIza-0123456789"
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}}


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        yield server


@pytest.fixture
def provider(server: GeminiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    opened = open_provider("google", Gemini(base_url=server.url), base_dir=Path())
    yield opened
    opened.close()


def request(prompt: str = "hello", **fields: Any) -> Request:
    fields["sampling"] = {"max_tokens": 100, **fields.get("sampling", {})}
    question = Question(prompt=prompt, **fields)
    return write(question, Gemini(), provider="google", model="gemini-x")


def test_what_is_sent_is_what_is_kept(server: GeminiServer, provider: Provider) -> None:
    """But for the model, which is a part of the address."""
    sent = request(
        system_prompt="Be brief.",
        sampling={"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ("END",)},
        extra_body={"safetySettings": [], "generationConfig": {"topK": 5}},
    )
    provider.complete(sent)
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "generationConfig": {
            "maxOutputTokens": 100,
            "temperature": 0.5,
            "topP": 0.9,
            "seed": 7,
            "stopSequences": ["END"],
            "topK": 5,
        },
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "safetySettings": [],
    }
    assert server.direct == [body]
    assert sent.body() == {"model": "gemini-x", **body}
    assert server.paths == ["/v1beta/models/gemini-x:generateContent"]
    assert server.headers["x-goog-api-key"] == KEY
    again = Request.of_body(json.loads(json.dumps(sent.body())), provider="google", sample=0)
    assert again.sha256 == sent.sha256
    assert again.asked == sent.asked == (("system", "Be brief."), ("user", "hello"))


def test_an_answer_may_grow() -> None:
    """The limit on an answer is in the settings of the body, and known there."""
    sent = request()
    assert (sent.max_tokens, answer_limit(sent.body())) == (100, 100)
    grown = sent.with_max_tokens(200)
    assert (grown.max_tokens, answer_limit(grown.body())) == (200, 200)
    assert sent.max_tokens == 100
    assert grown.sha256 != sent.sha256
    assert "contents" not in sent.settings


@pytest.mark.parametrize(
    ("reasoning", "config"),
    [
        ("none", {"thinkingBudget": 0}),
        ("low", {"thinkingLevel": "low"}),
        (2000, {"thinkingBudget": 2000}),
    ],
)
def test_reasoning_has_one_name(
    server: GeminiServer, provider: Provider, reasoning: object, config: dict[str, Any]
) -> None:
    sent = request(sampling={"reasoning": reasoning})
    provider.complete(sent)
    assert sent.body()["generationConfig"]["thinkingConfig"] == config


@pytest.mark.parametrize(
    ("mode", "config"),
    [
        (
            "response_format",
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        ("json_object", {"responseMimeType": "application/json"}),
        ("none", {}),
    ],
)
def test_a_schema_is_the_format_of_the_answer(
    server: GeminiServer, provider: Provider, mode: Any, config: dict[str, Any]
) -> None:
    sent = request(schema=Schema(mode, "rubric", SCHEMA))
    provider.complete(sent)
    assert sent.body()["generationConfig"] == {"maxOutputTokens": 100, **config}


def test_a_schema_may_be_that_of_a_function(server: GeminiServer, provider: Provider) -> None:
    sent = request(schema=Schema("tool", "my rubric", SCHEMA))
    call = {"functionCall": {"name": "my_rubric", "args": {"score": 7}}}
    candidate = {"content": {"parts": [call]}, "finishReason": "STOP"}
    server.script(generated("", candidates=[candidate]))
    assert provider.complete(sent).text == '{"score": 7}'
    (function,) = server.direct[0]["tools"][0]["functionDeclarations"]
    assert function == {"name": "my_rubric", "parametersJsonSchema": SCHEMA}


# Answers


def test_an_answer_is_kept_as_it_came(server: GeminiServer, provider: Provider) -> None:
    """And reads as a chat completion does; thoughts are paid for and not its text."""
    parts = [{"text": "hm", "thought": True}, {"text": "Grüße "}, {"text": "🜁"}]
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 80,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 20,
        "serviceTier": "FLEX",
    }
    candidate = {"content": {"parts": parts}, "finishReason": "STOP"}
    body = generated("", candidates=[candidate], usageMetadata=usage)
    server.script(body)
    got = provider.complete(request())
    assert (got.body, got.raw) == (body, None)
    assert (got.text, got.finish_reason, got.model) == ("Grüße 🜁", "stop", "gemini-test")
    assert got.counted == Usage(prompt=100, completion=25, cached=80, reasoning=20)
    assert got.service_tier == "flex"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (generated("half", finish="SAFETY"), "the refusal 'finishReason SAFETY'"),
        (
            {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
            "the refusal 'blockReason PROHIBITED_CONTENT'",
        ),
        (
            generated("", candidates=[{"finishReason": "MAX_TOKENS"}]),
            "all its tokens went into reasoning; raise max_tokens",
        ),
        (generated("", candidates=[{"finishReason": "OTHER"}]), "finish_reason 'OTHER'"),
        (generated("", candidates=[7]), "holds no text"),
    ],
)
def test_an_answer_without_a_text(
    server: GeminiServer, provider: Provider, body: dict[str, Any], found: str
) -> None:
    """It is kept, and its text is refused."""
    server.script(body)
    got = provider.complete(request())
    assert got.body == body
    with pytest.raises(CallError) as refused:
        _ = got.text
    assert found in str(refused.value)


def test_a_cut_answer_is_truncated(server: GeminiServer, provider: Provider) -> None:
    server.script(generated("half", finish="MAX_TOKENS"))
    got = provider.complete(request())
    assert (got.text, got.truncated) == ("half", True)


def test_probabilities_of_tokens(server: GeminiServer, provider: Provider) -> None:
    """They are asked for, and read, under the names that OpenAI's API has for them."""
    sent = request(extra_body={"logprobs": True, "top_logprobs": 3})
    config = sent.body()["generationConfig"]
    assert (config["responseLogprobs"], config["logprobs"]) == (True, 3)
    said = [{"token": "SCORE: ", "logProbability": -0.1}, {"token": "7", "logProbability": -0.69}]
    top = [
        {"candidates": said[:1]},
        {"candidates": [*said[1:], {"token": "8", "logProbability": -0.69}]},
    ]
    body = generated("SCORE: 7")
    body["candidates"][0]["logprobsResult"] = {"chosenCandidates": said, "topCandidates": top}
    server.script(body)
    got = provider.complete(sent)
    tokens = tokens_of(completion_of(got.body))
    assert expectation(tokens, 7, low=0, high=9) == pytest.approx(7.5)


def test_equal_beginnings_are_cached_of_themselves(
    server: GeminiServer, provider: Provider
) -> None:
    """A cache point leaves the body as it is; what came from the cache is counted."""
    rubric = "Judge this text by these criteria. " * 200
    asked = [request(f"{rubric}text {n}", points=(len(rubric),)) for n in range(5)]
    assert asked[0].body() == request(f"{rubric}text 0").body()
    assert asked[0].beginning == asked[1].beginning != ""
    cached = [provider.complete(each).counted.cached for each in asked]
    assert cached[0] is None
    assert all(tokens and tokens >= len(rubric) // 4 for tokens in cached[1:])


# Failures


@pytest.mark.parametrize(
    ("status", "body", "again", "wait", "found"),
    [
        (400, error(400, "INVALID_ARGUMENT", "bad"), False, None, "change the sampling settings"),
        (
            400,
            error(400, "INVALID_ARGUMENT", "API key not valid", {"reason": "API_KEY_INVALID"}),
            False,
            None,
            "check the key in GEMINI_API_KEY",
        ),
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", "quota", {"retryDelay": "34.5s"}),
            True,
            34.5,
            "with fewer --cores",
        ),
        (503, [error(503, "UNAVAILABLE", "overloaded")], True, None, "run snakemake again later"),
        (500, error(500, "INTERNAL", KEY), True, None, "'[key]'"),
    ],
)
def test_an_error_is_one_line(
    server: GeminiServer,
    provider: Provider,
    status: int,
    body: Any,
    again: bool,
    wait: float | None,
    found: str,
) -> None:
    server.script(RefusedError(status, body))
    with pytest.raises(CallFailedError) as failure:
        provider.complete(request())
    assert found in str(failure.value)
    assert (failure.value.again, failure.value.retry_after) == (again, wait)
    assert failure.value.unauthorized is ("API_KEY_INVALID" in json.dumps(body))


@pytest.mark.parametrize(
    ("sampling", "setting"),
    [({"reasoning": "max"}, "reasoning"), ({"service_tier": "scale"}, "service_tier")],
)
def test_a_setting_that_the_api_lacks(sampling: dict[str, Any], setting: str) -> None:
    (lack,) = lacks(Question(prompt="", sampling=sampling), Gemini())
    assert lack.setting == setting
    assert not list(lacks(Question(prompt="", sampling={"service_tier": "flex"}), Gemini()))
    (lack,) = lacks(Question(prompt="", extra_body={"contents": []}), Gemini())
    assert "which is the prompt" in lack.found

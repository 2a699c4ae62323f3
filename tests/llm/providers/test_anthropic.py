"""Anthropic's Messages API: what is sent, how answers and usage read, how each failure reads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daydream.errors import CallError
from daydream.llm import Provider, Providers, Request, open_provider
from daydream.llm.dialects import Question, lacks, write
from daydream.llm.dialects.anthropic import simple
from daydream.llm.dialects.question import Schema
from daydream.llm.failures import CallFailedError
from daydream.llm.usage import Usage
from daydream.settings import Anthropic
from support.anthropic_server import AnthropicServer, error, message
from support.served import RefusedError

KEY = "sk-ant-0123456789"
SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["score"],
    "additionalProperties": False,
}
Connect = Callable[..., Provider]


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer() as server:
        yield server


@pytest.fixture
def provider(server: AnthropicServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    opened = open_provider("claude", Anthropic(base_url=server.url), base_dir=Path())
    yield opened
    opened.close()


def asked(prompt: str = "hello", **fields: Any) -> Question:
    fields["sampling"] = {"max_tokens": 100, **fields.get("sampling", {})}
    return Question(prompt=prompt, **fields)


def request(prompt: str = "hello", settings: Anthropic | None = None, **fields: Any) -> Request:
    own = settings or Anthropic()
    return write(asked(prompt, **fields), own, provider="claude", model="claude-x")


def test_what_is_sent_is_what_is_kept(server: AnthropicServer, provider: Provider) -> None:
    """In the API's own words, with its headers."""
    sent = request(
        system_prompt="Be brief.",
        sampling={"temperature": 0.5, "stop": ("END",), "top_p": 0.9},
        extra_body={"top_k": 5},
    )
    provider.complete(sent)
    assert server.direct == [sent.body()]
    assert sent.body() == {
        "model": "claude-x",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "system": "Be brief.",
        "stop_sequences": ["END"],
        "top_k": 5,
    }
    assert server.headers["x-api-key"] == KEY
    assert server.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in server.headers
    again = Request.of_body(json.loads(json.dumps(sent.body())), provider="claude", sample=0)
    assert again.sha256 == sent.sha256
    assert again.asked == sent.asked == (("system", "Be brief."), ("user", "hello"))


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        ("none", {"thinking": {"type": "disabled"}}),
        ("high", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (2000, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
    ],
)
def test_reasoning_has_one_name(reasoning: object, expected: dict[str, Any]) -> None:
    body = request(sampling={"reasoning": reasoning, "max_tokens": 4000}).body()
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == expected


def test_a_closed_schema_is_the_format_of_the_answer() -> None:
    """What the API does not take of it is told in words."""
    body = request(schema=Schema("response_format", "rubric", SCHEMA)).body()
    assert body["output_config"]["format"]["type"] == "json_schema"
    sent = body["output_config"]["format"]["schema"]
    assert sent["properties"]["score"] == {
        "type": "integer",
        "description": "(minimum 0, maximum 9)",
    }
    assert "tools" not in body


def test_a_property_named_as_a_keyword_stays() -> None:
    schema = {"properties": {"minimum": {"type": "number", "minimum": 1, "description": "least"}}}
    expected = {"type": "number", "description": "least (minimum 1)"}
    assert simple(schema) == {"properties": {"minimum": expected}}


def test_any_other_schema_is_the_input_of_a_tool(
    server: AnthropicServer, provider: Provider
) -> None:
    """The tool's input is the answer's text."""
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
    sent = request(schema=Schema("response_format", "my rubric", schema))
    assert sent.body()["tools"] == [{"name": "my_rubric", "input_schema": schema}]
    assert sent.body()["tool_choice"] == {"type": "tool", "name": "my_rubric"}
    used = {"type": "tool_use", "id": "t", "name": "my_rubric", "input": {"score": 7}}
    server.script(message("", content=[used], stop_reason="tool_use"))
    assert provider.complete(sent).text == '{"score": 7}'


# Answers


def test_an_answer_is_kept_as_it_came(server: AnthropicServer, provider: Provider) -> None:
    """And reads as a chat completion does; what the model thought is not its text."""
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "Grüße "},
        {"type": "text", "text": "🜁"},
    ]
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 70,
        "cache_creation_input_tokens": 20,
        "output_tokens": 5,
    }
    body = message("", content=content, usage=usage)
    server.script(body)
    got = provider.complete(request())
    assert (got.body, got.raw) == (body, None)
    assert (got.text, got.finish_reason, got.model) == ("Grüße 🜁", "stop", "claude-test")
    assert got.counted == Usage(prompt=100, completion=5, cached=70, cache_write=20)
    assert got.usage == usage


@pytest.mark.parametrize(
    ("reason", "known_as", "truncated"),
    [
        ("max_tokens", "length", True),
        ("model_context_window_exceeded", "length", True),
        ("stop_sequence", "stop", False),
        ("pause_turn", "pause_turn", False),
    ],
)
def test_reasons_to_stop(
    server: AnthropicServer, provider: Provider, reason: str, known_as: str, truncated: bool
) -> None:
    server.script(message("half", stop_reason=reason))
    got = provider.complete(request())
    assert (got.text, got.finish_reason, got.truncated) == ("half", known_as, truncated)


def test_a_refusal_is_no_text(server: AnthropicServer, provider: Provider) -> None:
    server.script(message("I can", stop_reason="refusal"), message("", content=[]))
    with pytest.raises(CallError, match="holds no text but the refusal 'I can'; change the prompt"):
        _ = provider.complete(request()).text
    with pytest.raises(CallError, match="holds no text"):
        _ = provider.complete(request()).text


@pytest.mark.parametrize(
    "damaged",
    [
        {"stop_reason": ["x"]},
        {"content": [1, {"type": "text", "text": 5}]},
        {"usage": {"input_tokens": "many", "output_tokens": -1}},
        {"usage": [1]},
    ],
)
def test_a_damaged_answer_never_breaks_reading(
    server: AnthropicServer, provider: Provider, damaged: dict[str, Any]
) -> None:
    server.script(message("text", **damaged))
    got = provider.complete(request())
    _ = got.finish_reason, got.counted, got.truncated, got.model
    assert got.counted.tokens in (None, 15)


# Failures


@pytest.mark.parametrize(
    ("status", "kind", "again", "remedy"),
    [
        (400, "invalid_request_error", False, "change the sampling settings or the model"),
        (401, "authentication_error", False, "check the key in ANTHROPIC_API_KEY"),
        (404, "not_found_error", False, "check the model in llm_models.csv and base_url"),
        (413, "request_too_large", False, "shorten the prompt"),
        (429, "rate_limit_error", True, "run snakemake again later, or with fewer --cores"),
        (500, "api_error", True, "run snakemake again later"),
        (529, "overloaded_error", True, "run snakemake again later"),
    ],
)
def test_an_error_is_one_line(
    server: AnthropicServer, provider: Provider, status: int, kind: str, again: bool, remedy: str
) -> None:
    server.script(RefusedError(status, error(kind, f"no {KEY}"), {"retry-after": "7"}))
    with pytest.raises(CallFailedError) as failure:
        provider.complete(request())
    assert str(failure.value.args[0]) == (
        f"provider 'claude', model 'claude-x': answered {status} 'no [key]'; {remedy}"
    )
    assert (failure.value.again, failure.value.retry_after) == (again, 7)
    assert failure.value.free is (status not in (500,))


def test_an_empty_account_is_known_as_one(server: AnthropicServer, provider: Provider) -> None:
    text = "Your credit balance is too low to access the Anthropic API."
    server.script(RefusedError(400, error("invalid_request_error", text)))
    with pytest.raises(CallFailedError, match="top up the account") as failure:
        provider.complete(request())
    assert failure.value.unauthorized


def test_no_server_no_key_no_url(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = open_provider("c", Anthropic(base_url="http://127.0.0.1:1/v1"), base_dir=Path())
    with pytest.raises(CallError, match="check base_url"):
        nowhere.complete(request())
    wrong = open_provider("c", Anthropic(base_url="http://☃..x/v1"), base_dir=Path())
    with pytest.raises(CallError, match=r"found the base_url 'http://☃..x/v1'"):
        wrong.complete(request())
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    bare = open_provider("c", Anthropic(), base_dir=Path())
    with pytest.raises(CallError, match="ANTHROPIC_API_KEY is not set"):
        bare.check()


# What the API does not have


@pytest.mark.parametrize(
    ("fields", "setting", "found"),
    [
        ({"sampling": {"seed": 5}}, "seed", "has no seed"),
        ({"sampling": {"max_tokens": None}}, "max_tokens", "needs it"),
        ({"sampling": {"service_tier": "flex"}}, "service_tier", "no such tier"),
        ({"sampling": {"temperature": 1.5}}, "temperature", "at most 1"),
        ({"sampling": {"reasoning": "minimal"}}, "reasoning", "no such effort"),
        ({"sampling": {"reasoning": 50}}, "reasoning", "at least 1024"),
        ({"sampling": {"reasoning": 2000}}, "reasoning", "has to hold it"),
        (
            {"sampling": {"reasoning": "low", "temperature": 0.5}},
            "temperature",
            "takes none beside reasoning",
        ),
        ({"extra_body": {"logprobs": True}}, "extra_body", "has no logprobs"),
        ({"schema": Schema("json_object", "s", SCHEMA)}, "schema", "json_object"),
        (
            {"sampling": {"reasoning": "low"}, "schema": Schema("tool", "s", SCHEMA)},
            "schema",
            "does not take beside reasoning",
        ),
    ],
)
def test_a_setting_that_the_api_lacks(fields: dict[str, Any], setting: str, found: str) -> None:
    lack, *others = lacks(asked(**fields), Anthropic())
    assert others == []
    assert lack.setting == setting
    assert found in lack.found
    assert lack.remedy


def test_what_the_api_has_is_taken() -> None:
    sampling = {"reasoning": "high", "top_p": 0.9, "service_tier": "auto", "stop": ("a",)}
    assert list(lacks(asked(sampling=sampling), Anthropic())) == []


# Prompt caching

RUBRIC = "Judge this text by these criteria. " * 200


def test_a_cache_point_changes_no_hash() -> None:
    """The text is the same; the answer that is in the journal stays the answer."""
    plain = request(f"{RUBRIC}text")
    marked = request(f"{RUBRIC}text", points=(len(RUBRIC),))
    assert marked.sha256 == plain.sha256
    assert marked.asked == plain.asked
    content = marked.body()["messages"][0]["content"]
    assert content == [
        {"type": "text", "text": RUBRIC, "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "text"},
    ]
    kept = Request.of_body(marked.body(), provider="claude", sample=0)
    assert kept.sha256 == plain.sha256
    assert request(f"{RUBRIC}texts", points=(len(RUBRIC),)).sha256 != plain.sha256


@pytest.mark.parametrize(
    ("prompt", "points", "ends"),
    [
        ("abc", (), None),
        ("abc", (0,), None),
        (" \nabc", (2,), None),
        ("abc \n", (3,), [5]),
        ("abc", (3,), [3]),
        ("abcdefg", (1, 1, 2, 3, 4, 5), [1, 2, 3]),
        ("abc", (9,), None),
    ],
)
def test_no_part_is_blank(
    server: AnthropicServer, provider: Provider, prompt: str, points: tuple[int, ...], ends: Any
) -> None:
    """The API would refuse it, as it would more than four points."""
    sent = request(prompt, points=points)
    content = sent.body()["messages"][0]["content"]
    if ends is None:
        assert content == prompt
    else:
        assert "".join(part["text"] for part in content) == prompt
        marked = [part for part in content if "cache_control" in part]
        assert [len(part["text"]) for part in marked] == [
            end - start for start, end in zip([0, *ends], ends, strict=False)
        ]
    provider.complete(sent)


def test_a_judge_reads_its_rubric_from_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """200 texts, 64 at once: the first call of a rubric is answered before the others begin."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with AnthropicServer(latency=0.2) as server:
        settings = Anthropic(base_url=server.url)
        providers = Providers({"claude": settings}, base_dir=tmp_path)
        asked = [request(f"{RUBRIC}text {n}", points=(len(RUBRIC),)) for n in range(200)]
        begin = time.monotonic()
        with ThreadPoolExecutor(64) as threads:
            answers = list(threads.map(providers.complete, asked))
        took = time.monotonic() - begin
        providers.close()
    rubric = 200 * (len(RUBRIC) // 4)
    cached = sum(answer.counted.cached or 0 for answer in answers)
    assert cached == server.read
    assert server.read / rubric >= 0.99, server.read / rubric
    assert server.written == len(RUBRIC) // 4
    assert took < 20

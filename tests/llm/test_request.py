"""Requests and responses: what a hash covers, what an answer's text is, which answers are none."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.errors import CallError
from daydream.llm import Providers
from daydream.llm.request import CallClock, Request, Response, derive_seed
from daydream.settings import Function, OpenAI
from support.project import ROOT
from support.provider_server import completion


def request(**changes: Any) -> Request:
    fields: dict[str, Any] = {
        "provider": "router",
        "model": "lab/model-1",
        "messages": ({"role": "user", "content": "Grüße 🜁\n"},),
        "sampling": {"max_tokens": 100, "temperature": 0.8},
    }
    return Request(**{**fields, **changes})


def response(body: dict[str, Any]) -> Response:
    return Response(body=body, started_at="2026-11-23T10:00:00.000+00:00", duration_s=0.5)


# Hashes


def test_golden_hash() -> None:
    """The hash is a contract: journals of years are found by it."""
    assert request().sha256 == "6a5554642b9cdb8f27b779db973fdba9946d41e31bd78632dad6acbafea5cb8b"
    assert (
        request(sample=2).sha256
        == "ff339ce727dfe3b5c0cb748409575f191813cae8a544f578eb7daac6e2964e51"
    )


def test_the_body_is_what_is_sent() -> None:
    """Model, messages, sampling and extra_body stand side by side, as the API has them."""
    assert request(extra_body={"grammar": 'root ::= "a"'}).body() == {
        "model": "lab/model-1",
        "messages": [{"role": "user", "content": "Grüße 🜁\n"}],
        "max_tokens": 100,
        "temperature": 0.8,
        "grammar": 'root ::= "a"',
    }


SYSTEM = {"role": "system", "content": "Be brief."}
CHANGES: list[dict[str, Any]] = [
    {"provider": "other"},
    {"model": "lab/model-2"},
    {"messages": ({"role": "user", "content": "Grüße 🜁"},)},
    {"messages": (SYSTEM, {"role": "user", "content": "Grüße 🜁\n"})},
    {"sampling": {"max_tokens": 101, "temperature": 0.8}},
    {"sampling": {"max_tokens": 100}},
    {"sampling": {"max_tokens": 100, "temperature": 0.8, "top_p": 1}},
    {"sampling": {"max_tokens": 100, "temperature": 0.8, "seed": 0}},
    {"extra_body": {"reasoning": {"effort": "low"}}},
    {"sample": 1},
]


def test_everything_that_decides_an_answer_is_in_the_hash() -> None:
    """Requests that differ in anything, the sample's number included, have different hashes."""
    hashes = {request().sha256, *(request(**change).sha256 for change in CHANGES)}
    assert len(hashes) == len(CHANGES) + 1


def test_spelling_is_not_in_the_hash() -> None:
    """The order of settings, 1.0 for 1, and a tuple for a list ask for the same."""
    one = request(sampling={"temperature": 1, "max_tokens": 9}, extra_body={"stop": ["a"], "k": 2})
    two = request(
        sampling={"max_tokens": 9, "temperature": 1.0}, extra_body={"k": 2.0, "stop": ("a",)}
    )
    assert one.sha256 == two.sha256
    assert one.sha256 != request(sampling={"temperature": True, "max_tokens": 9}).sha256


def test_the_same_hash_in_another_process() -> None:
    """Nothing of the process, such as the seed of Python's own hash, gets into it."""
    program = (
        "from daydream.llm import Request\n"
        "print(Request(provider='p', model='m', messages=({'role': 'user', 'content': 'x'},),"
        "sampling={'b': 1, 'a': {'d': 2, 'c': 3}}).sha256)"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": str(ROOT / "scripts"), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"messages": ({"role": "user", "content": "a \ud83d b"},)},
        {"model": "m\udc00"},
        {"extra_body": {"stop": ["\ud800"]}},
    ],
)
def test_a_lone_surrogate_is_refused_before_it_is_sent(change: dict[str, Any]) -> None:
    """It could not be kept, so it must not be paid for."""
    with pytest.raises(CallError, match=r"^\[call\] provider 'router', .*lone surrogate '\\u") as e:
        request(**change)
    str(e.value).encode()
    assert len(str(e.value).splitlines()) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"])
def test_what_is_no_json_is_refused(value: object) -> None:
    """YAML can hold what JSON cannot."""
    with pytest.raises(CallError, match=r"is not JSON .*; fix the sampling settings$"):
        request(extra_body={"x": value})


@given(st.text())
def test_every_other_text_has_a_hash(text: str) -> None:
    """All of Unicode can be asked, and the body carries it unchanged."""
    asked = request(messages=({"role": "user", "content": text},))
    assert len(asked.sha256) == 64
    assert json.loads(json.dumps(asked.body()))["messages"][0]["content"] == text


# Seeds


def test_golden_seeds() -> None:
    """Seeds are part of requests, and so a contract too."""
    assert [derive_seed("d_0fia6rnsl4n0xv3m", sample) for sample in (0, 1)] == [
        127028578,
        1404511497,
    ]


@given(st.text(), st.integers(0, 1000))
def test_seeds_have_31_bits(gen_id: str, sample: int) -> None:
    """Signed or unsigned, a number of 32 bits holds them."""
    assert 0 <= derive_seed(gen_id, sample) < 2**31


# Responses


def test_what_an_answer_says() -> None:
    """Text, reason, usage and model come from the body."""
    answer = response(completion(" two\r\nlines \n"))
    assert answer.text == " two\r\nlines \n"
    assert answer.finish_reason == "stop"
    assert not answer.truncated
    assert answer.usage["total_tokens"] == 15
    assert answer.model == "test-model"


def test_a_cut_answer_says_so() -> None:
    """finish_reason `length` is a truncated answer; its text is there."""
    answer = response(completion("half", finish_reason="length"))
    assert answer.truncated
    assert answer.text == "half"


def test_parts_are_joined() -> None:
    """An answer in parts is its text parts; those that hold no text are left out."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "one "},
        {"type": "text", "text": "two"},
    ]
    body = completion(None)
    body["choices"][0]["message"]["content"] = parts
    assert response(body).text == "one two"


def test_an_empty_text_is_a_text() -> None:
    """Whether it will do is for the parser to say."""
    assert response(completion("")).text == ""


def refused(body: dict[str, Any]) -> str:
    with pytest.raises(CallError) as error:
        _ = response(body).text
    text = str(error.value)
    assert len(text.splitlines()) == 1
    assert "; " in text
    return text


def test_no_text_says_why() -> None:
    """Content filter, refusal, tokens spent on reasoning, no choices at all."""
    filtered = completion(None, finish_reason="content_filter")
    assert "finish_reason 'content_filter'" in refused(filtered)
    assert "raise max_tokens" in refused(completion(None, finish_reason="length"))
    refusal = completion(None)
    refusal["choices"][0]["message"]["refusal"] = "I can't\nhelp"
    assert 'refusal "I can\'t help"' in refused(refusal)
    for choices in ([], None, "x", [None]):
        assert "no choices" in refused(completion("", choices=choices))
    for content in ([], [{"type": "image"}], 3, {}):
        body = completion(None)
        body["choices"][0]["message"]["content"] = content
        assert "holds no text" in refused(body)
    assert "holds no text" in refused({"choices": [{"index": 0}]})


def test_what_is_missing_is_not_made_up() -> None:
    """Providers may leave out everything but the choices."""
    answer = response({"choices": [{"message": {"content": "x"}}]})
    assert (answer.finish_reason, answer.model, answer.usage) == (None, None, {})
    assert not answer.truncated


# Calls


def test_the_clock_is_in_utc_and_in_milliseconds() -> None:
    """`started_at` is read by any ISO 8601 reader, and `duration_s` counts seconds."""
    clock = CallClock()
    started = datetime.fromisoformat(clock.started_at)
    assert started.utcoffset() == timedelta(0)
    assert len(clock.started_at.partition(".")[2]) == len("123+00:00")
    assert 0 <= clock.duration_s < 60


def test_a_provider_is_opened_once() -> None:
    """The same object serves all calls; closing ends that."""
    providers = Providers({"echo": Function(path="e.py")}, base_dir=Path())
    first = providers["echo"]
    assert providers["echo"] is first
    providers.close()
    assert providers["echo"] is not first


def test_an_unknown_provider_is_refused() -> None:
    """With the nearest known one."""
    providers = Providers({"router": OpenAI()}, base_dir=Path())
    with pytest.raises(CallError, match=r"found the provider 'ruter'.*did you mean 'router'"):
        providers.complete(request(provider="ruter"))


def test_the_package_imports_nothing_heavy() -> None:
    """Snakemake imports it at each start: no SDK, no HTTP library, no model."""
    program = (
        "import sys; from daydream.llm import Providers; from pathlib import Path\n"
        "from daydream.settings import Local, OpenAI\n"
        "providers = Providers({'openai': OpenAI(), 'local': Local()}, base_dir=Path())\n"
        "providers['openai'], providers['local']\n"
        "print({'openai', 'httpx', 'httpx2', 'jsonschema', 'xllamacpp'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "set()\n"

"""Reading an answer's bytes: whatever they are, they hold a completion or say why they do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.errors import CallError
from daydream.llm.reading import check_completion, read_answer
from daydream.llm.request import Response
from support.provider_server import completion

JSON = "application/json"


def text_of(body: dict[str, Any]) -> str:
    return Response(body=body, started_at="", duration_s=0).text


# What holds a completion


def test_json_is_taken_as_it_is() -> None:
    """Fields that nobody here knows stay, and the bytes need not be kept beside it."""
    body = completion("Grüße 🜁", provider="upstream", cost={"total": 1e-7})
    reading = read_answer(json.dumps(body).encode(), JSON)
    assert reading.body == body
    assert reading.verbatim
    assert reading.problem == ""


LATIN = json.dumps(completion("Grüße"), ensure_ascii=False).encode("latin-1")
CHUNKS = [
    {"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Gr"}}]},
    {"model": "m", "choices": [{"index": 1, "delta": {"content": "another choice"}}]},
    {"model": "m", "choices": [{"index": 0, "delta": {"content": "üße"}}]},
    {"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
]
EVENTS = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS) + "data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (LATIN, "application/json; charset=latin-1"),
        (
            json.dumps(completion("Grüße"), ensure_ascii=False).encode("utf-16"),
            "a/b; charset=utf-16",
        ),
        (json.dumps(completion("Grüße")).encode("utf-8-sig"), JSON),
        (json.dumps(completion("Grüße"), ensure_ascii=False).encode(), "a/b; charset=unheard-of"),
        (json.dumps([completion("Grüße")]).encode(), JSON),
        (EVENTS.encode(), "text/event-stream"),
        (b": a comment\r\n" + EVENTS.replace("\n", "\r\n").encode(), ""),
        (EVENTS.replace("data: {", "event: chunk\ndata:{").encode(), JSON),
    ],
)
def test_other_forms_of_a_completion_are_read(content: bytes, content_type: str) -> None:
    """What was paid for is not thrown away for its charset, its list or its stream."""
    reading = read_answer(content, content_type)
    assert reading.problem == ""
    assert text_of(reading.body) == "Grüße"
    assert reading.answered


def test_a_stream_keeps_what_it_says_of_the_call() -> None:
    reading = read_answer(EVENTS.encode(), "text/event-stream")
    assert reading.body["usage"] == {"prompt_tokens": 3, "completion_tokens": 2}
    assert reading.body["model"] == "m"
    assert reading.body["choices"][0]["finish_reason"] == "stop"


def test_a_stream_with_a_separator_of_lines_inside_a_text() -> None:
    """JSON may hold U+2028 as it is, and it does not end a line of a stream."""
    chunk = {"choices": [{"delta": {"content": "a\u2028b"}, "finish_reason": "stop"}]}
    events = f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
    assert text_of(read_answer(events.encode()).body) == "a\u2028b"


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    content = json.dumps(completion("a @ b")).encode().replace(b"@", b"\xff")
    reading = read_answer(content, JSON)
    assert text_of(reading.body) == "a \ufffd b"
    assert not reading.verbatim


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e400", "NaN", "-Infinity"])
def test_numbers_that_nothing_can_hold(number: str) -> None:
    """They become texts: usage that says so is unknown, and the answer is there."""
    content = json.dumps(completion("here", extra=[1, 2.5])).replace("2.5", number)
    reading = read_answer(content.encode(), JSON)
    assert text_of(reading.body) == "here"
    assert reading.body["extra"] == [1, number]
    json.dumps(reading.body, allow_nan=False)


# What holds none


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (json.dumps(completion("x")).encode()[:-20], "which is not JSON"),
        (EVENTS[: EVENTS.index('"stop"')].encode(), "a stream of events that was cut"),
        (b'{"choices":' + b"[" * 100_000, "nested more than 200 deep"),
        (b'{"choices": [' + b"[" * 300 + b"]" * 300 + b"]}", "nested more than 200 deep"),
    ],
)
def test_a_broken_answer_is_the_model_s(content: bytes, found: str) -> None:
    """It was paid for, so it is kept, and not asked for again unasked."""
    reading = read_answer(content, JSON)
    assert reading.body == {}
    assert reading.answered
    assert found in reading.problem
    assert "\n" not in reading.problem


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body>Welcome</body></html>",
        b"upstream connect error",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        json.dumps(completion("", choices=[])).encode(),
        b'{"error": {"message": "overloaded"}}',
        b'data: {"error": {"message": "overloaded"}}\n\n',
        b"data: nothing of ours\n\n",
        b"[" * 100_000,
        b"{" * 300,
    ],
)
def test_what_something_else_answered_is_not_the_model_s(content: bytes) -> None:
    """A page, an error, nothing: asking again may help."""
    reading = read_answer(content, "text/html")
    assert reading.body == {}
    assert not reading.answered
    assert reading.problem
    assert reading.remedy


BRACKETS = "".join(['{"a": "[[[[\\"{{{{"}'] * 100)


def test_brackets_in_texts_are_not_nesting() -> None:
    assert text_of(read_answer(json.dumps(completion(BRACKETS)).encode()).body) == BRACKETS


@given(st.binary(max_size=200), st.text(max_size=30))
def test_any_bytes_can_be_read(content: bytes, content_type: str) -> None:
    """Reading never fails, and what it gives can be written and read again."""
    for wrapped in (content, b"data: " + content, b'{"choices":[{' + content + b"}]}"):
        reading = read_answer(wrapped, content_type.replace("\n", " ").replace("\r", " "))
        assert bool(reading.body) != bool(reading.problem)
        assert json.loads(json.dumps(reading.body, ensure_ascii=False).encode()) == reading.body


# Answers of functions and of models in this process


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("text", "answered 'text', which is not a chat completion"),
        ([], r"answered '\[\]', which is not a chat completion"),
        ({}, "answered without choices"),
        (completion("", choices=[]), "answered without choices"),
        ({"error": {"message": "no\ncredit", "code": 402}}, "error 'no credit'"),
        ({"error": "bare"}, "error 'bare'"),
        ({"error": {"code": 7}}, "error '{\"code\": 7}'"),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": "overloaded"}}},
            "error 'Provider returned error: overloaded'",
        ),
        (completion("", choices=[{"error": {"message": "lost"}, "index": 0}]), "error 'lost'"),
        (completion("x", extra={1, 2}), "not JSON"),
    ],
)
def test_what_is_no_answer_is_not_kept(body: object, found: str) -> None:
    """An error that comes with status 200, or an answer without choices, is asked for again."""
    with pytest.raises(CallError, match=rf"^\[call\] who: .*{found}.*; ") as error:
        check_completion(body, source="who")
    assert len(str(error.value).splitlines()) == 1


def test_an_answer_is_kept_as_it_came() -> None:
    """Fields that nobody here knows stay."""
    body = completion("x", provider="upstream", cost={"total": 0.1})
    assert check_completion(body, source="who") == body


@given(st.text(), st.sampled_from("\ud800\udbff\udc00\udfff"), st.text())
def test_an_answer_can_always_be_kept(before: str, lone: str, after: str) -> None:
    """A lone surrogate, which servers make of a cut emoji, becomes U+FFFD; no other character."""
    body = completion(before + lone + after, other=before)
    kept = check_completion(body, source="who")
    assert kept == completion(f"{before}\ufffd{after}", other=before)

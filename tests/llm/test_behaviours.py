"""What a provider may do with a request: answered, kept, asked again or refused, and never more.

Each behaviour is met by a server on this machine, which counts the requests. The calls go the whole
way of a run's, with retries and limits.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daydream.errors import CallError
from daydream.llm import Providers
from daydream.llm.request import Request
from daydream.settings import OpenAI
from support.provider_server import ProviderServer, Reply, completion, failure, html, reset

KEY = "sk-test-0123456789"
ATTEMPTS = 3
TEXT = "An answer."
OK = completion(TEXT)


def raw(text: str | bytes, content_type: str = "application/json", **fields: Any) -> Reply:
    content = text.encode() if isinstance(text, str) else text
    return Reply(body=content, headers={"content-type": content_type}, **fields)


def message(**fields: object) -> Reply:
    """Return a completion whose message has these fields."""
    choice = {"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": "stop"}
    return Reply(body={**OK, "choices": [choice]})


def without(*names: str) -> Reply:
    return Reply(body={name: value for name, value in OK.items() if name not in names})


def usage(value: object) -> Reply:
    return Reply(body={**OK, "usage": value})


def asked_to_wait(value: str) -> Reply:
    return Reply(status=429, body={}, headers={"retry-after": value})


def event(data: object) -> str:
    return f"data: {json.dumps(data)}\n\n"


DELTA = {"choices": [{"index": 0, "delta": {"content": TEXT}}]}
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}

# Answers with a text, at the first request.
ANSWERS = {
    "plain": Reply(body=OK),
    "slow": Reply(body=OK, delay=0.3),
    "dripping": Reply(body=OK, drip=0.001),
    "dripping head": Reply(body=OK, drip=0.001, drip_head=True),
    "packed": Reply(
        body=gzip.compress(json.dumps(OK).encode()), headers={"content-encoding": "gzip"}
    ),
    "blanks around": raw(f"\n\n  {json.dumps(OK)}\n\n"),
    "byte-order mark": raw(json.dumps(OK).encode("utf-8-sig")),
    "latin-1": raw(json.dumps(OK).encode("latin-1"), "application/json; charset=iso-8859-1"),
    "utf-16": raw(json.dumps(OK).encode("utf-16"), "application/json; charset=utf-16"),
    "wrong charset": raw(json.dumps(OK), "application/json; charset=klingon"),
    "broken charset": raw(json.dumps(OK), 'application/json; charset="utf-8'),
    "text/html": raw(json.dumps(OK), "text/html"),
    "a type of its own": raw(json.dumps(OK), ";;;"),
    "in a list": raw(json.dumps([OK])),
    "a stream": raw(event(DELTA) + event(END) + "data: [DONE]\n\n", "text/event-stream"),
    "a stream without its end": raw(event(DELTA) + event(END), "text/event-stream"),
    "a stream of whole messages": raw(event(OK) + "data: [DONE]\n\n", "text/event-stream"),
    "a key twice": raw(json.dumps(OK)[:-1] + ', "object": "chat.completion"}'),
    "no usage": without("usage"),
    "no model": without("model", "id", "created"),
    "usage of texts": usage({"prompt_tokens": "10", "completion_tokens": "5"}),
    "usage of objects": usage({"prompt_tokens": {"a": 1}}),
    "usage in a list": usage([1, 2]),
    "negative usage": usage({"prompt_tokens": -10, "completion_tokens": -5}),
    "usage of NaN": raw(json.dumps(OK).replace("10", "NaN").replace("5,", "Infinity,")),
    "usage of 5,000 digits": raw(json.dumps(OK).replace("10", "9" * 5000)),
    "usage of 1e400": raw(json.dumps(OK).replace("10", "1e400")),
    "usage of true": usage({"prompt_tokens": True, "completion_tokens": False}),
    "text in parts": message(content=[{"type": "text", "text": "An "}, {"text": "answer."}]),
    "unknown fields": Reply(body={**OK, "x": {"y": [None, 1.5e-300, "\u0000"]}}),
    "error null": Reply(body={**OK, "error": None}),
    "further choices": Reply(body={**OK, "choices": [*OK["choices"], {"index": 1}, None, 7]}),
    "a long header": Reply(body=OK, headers={"x-request-id": "r" * 5000}),
    "status 201": Reply(status=201, body=OK),
}
# Answers without a text that can be used: kept, and not asked for again.
KEPT = {
    "content null": message(content=None),
    "content of a number": message(content=7),
    "content of an object": message(content={"text": TEXT}),
    "empty parts": message(content=[]),
    "a refusal": message(content=None, refusal="I will not."),
    "a call of a tool": message(content=None, tool_calls=[{"id": "1", "type": "function"}]),
    "no message": Reply(body={**OK, "choices": [{"index": 0}]}),
    "message null": Reply(body={**OK, "choices": [{"index": 0, "message": None}]}),
    "only reasoning": Reply(body=completion(None, finish_reason="length")),
    "cut JSON": raw(json.dumps(OK)[:-40]),
    "a comma too many": raw(json.dumps(OK).replace("]", ",]")),
    "a cut stream": raw(event(DELTA), "text/event-stream"),
    "nested 1,000 deep": raw('{"choices": ' + "[" * 1000 + "]" * 1000 + "}"),
}
# Something else that answers: asked again, up to the number of attempts.
AGAIN = {
    "nothing": raw(b""),
    "a page": html(),
    "a word": raw("OK", "text/plain"),
    "null": raw("null"),
    "a number": raw("7"),
    "an empty object": raw("{}"),
    "an error with 200": Reply(body={"error": {"message": "overloaded", "code": 529}}),
    "an error in the choice": Reply(body={**OK, "choices": [{"error": {"message": "lost"}}]}),
    "no choices": Reply(body={**OK, "choices": []}),
    "choices null": Reply(body={**OK, "choices": None}),
    "500": failure(500),
    "502 with a page": html(502),
    "503": failure(503),
    "408": failure(408),
    "a broken connection": reset(),
    "bytes that are not packed": Reply(body=b"plain", headers={"content-encoding": "gzip"}),
}
# No room at present: asked again until the deadline, whatever the number of attempts.
NO_ROOM = {
    "503 that asks to wait": failure(503, retry_after=0),
    "529": failure(529),
    "429": failure(429, retry_after=0),
    "429, wait of nonsense": asked_to_wait("soon"),
    "429, wait of NaN": asked_to_wait("nan"),
    "429, wait until a day of 1900": asked_to_wait("Mon, 01 Jan 1900 00:00:00 GMT"),
    "429, wait until a day that is none": asked_to_wait("Mon, 99 Foo 2026 99:99:99 -0000"),
}
# Refused at once.
REFUSED = {
    "400": failure(400),
    "401": failure(401, f"wrong key {KEY}"),
    "402": failure(402),
    "403": failure(403),
    "404": failure(404),
    "413": failure(413),
    "422": Reply(status=422, body={"detail": [{"loc": ["n"]}]}),
    "418 with a page": html(418),
    "a redirect to another origin": Reply(
        status=308, body={}, headers={"location": "http://other.invalid/v1"}
    ),
    "a redirect to itself": Reply(
        status=308, body={}, headers={"location": "/v1/chat/completions"}
    ),
    "a redirect to nowhere": Reply(status=302, body={}, headers={"location": "::::"}),
    "429, wait of a day": asked_to_wait("86400"),
    "429, wait until the year 9999": asked_to_wait("Fri, 31 Dec 9999 23:59:59 GMT"),
}


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture
def providers(
    server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Providers]:
    monkeypatch.setenv("ROUTER_KEY", KEY)
    settings = OpenAI(
        base_url=server.url,
        api_key_env="ROUTER_KEY",
        max_attempts=ATTEMPTS,
        first_wait=0.01,
        deadline=20,
    )
    providers = Providers({"r": settings}, base_dir=tmp_path, stop=threading.Event())
    yield providers
    providers.close()


REQUEST = Request(provider="r", model="m", messages=({"role": "user", "content": "Hello"},))


def line_of(error: pytest.ExceptionInfo[CallError]) -> str:
    line = str(error.value)
    assert len(line.splitlines()) == 1
    assert "; " in line
    assert KEY not in line
    assert len(line) < 1200
    return line


def test_there_are_enough() -> None:
    assert len(ANSWERS | KEPT | AGAIN | NO_ROOM | REFUSED) >= 64


@pytest.mark.parametrize("reply", ANSWERS.values(), ids=ANSWERS)
def test_an_answer(server: ProviderServer, providers: Providers, reply: Reply) -> None:
    server.script(reply)
    assert providers.complete(REQUEST).text == TEXT
    assert len(server.history) == 1


@pytest.mark.parametrize("reply", KEPT.values(), ids=KEPT)
def test_an_answer_without_text(server: ProviderServer, providers: Providers, reply: Reply) -> None:
    """It is the answer, as it was paid for; that it has no text is one line."""
    server.script(reply)
    response = providers.complete(REQUEST)
    with pytest.raises(CallError) as error:
        _ = response.text
    line_of(error)
    assert response.body or response.raw
    assert len(server.history) == 1


@pytest.mark.parametrize("reply", AGAIN.values(), ids=AGAIN)
def test_something_else_answers(server: ProviderServer, providers: Providers, reply: Reply) -> None:
    """Once, it costs an attempt; each time, it is one line after the last attempt."""
    server.script(reply)
    assert providers.complete(REQUEST).attempts == 2
    server.script(*[reply] * ATTEMPTS)
    with pytest.raises(CallError) as error:
        providers.complete(REQUEST)
    assert f"after {ATTEMPTS} attempts" in line_of(error)
    assert len(server.history) == 2 + ATTEMPTS


@pytest.mark.parametrize("reply", NO_ROOM.values(), ids=NO_ROOM)
def test_no_room(server: ProviderServer, providers: Providers, reply: Reply) -> None:
    """However often it is said before the deadline, the call is answered."""
    server.script(*[reply] * (ATTEMPTS + 1))
    assert providers.complete(REQUEST).attempts == ATTEMPTS + 2


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
def test_a_request_that_is_refused(
    server: ProviderServer, providers: Providers, reply: Reply
) -> None:
    """Asking again would not help; redirects within a server end, too."""
    server.script(*[reply] * 20)
    with pytest.raises(CallError) as error:
        providers.complete(REQUEST)
    line_of(error)
    assert len(server.history) <= 6

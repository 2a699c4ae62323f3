"""Failures of a provider: what is asked again, when, and when it is not asked any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from daydream.errors import CallError, StoppedError
from daydream.llm import Providers
from daydream.llm.request import Request
from daydream.settings import OpenAI
from support.provider_server import (
    ProviderServer,
    Reply,
    failure,
    html,
    no_choices,
    reset,
)

Open = Callable[..., Providers]


def request(text: str = "Hello") -> Request:
    return Request(provider="r", model="m", messages=({"role": "user", "content": text},))


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture
def connect(server: ProviderServer, tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens the server as a provider which asks again at once."""
    opened = []

    def connect(*, stop: threading.Event | None = None, **settings: object) -> Providers:
        options = {"base_url": server.url, "api_key_env": None, "first_wait": 0.01, **settings}
        providers = Providers({"r": OpenAI(**options)}, base_dir=tmp_path, stop=stop)
        opened.append(providers)
        return providers

    yield connect
    for providers in opened:
        providers.close()


AGAIN = [failure(status) for status in (408, 409, 429, 500, 502, 503, 504)]


@pytest.mark.parametrize("reply", [*AGAIN, reset(), html(), no_choices()], ids=repr)
def test_what_may_pass_is_asked_again(server: ProviderServer, connect: Open, reply: Reply) -> None:
    """Once more is enough here; the answer says that it took two."""
    server.script(reply)
    assert connect().complete(request()).attempts == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_what_will_not_pass_is_not(server: ProviderServer, connect: Open, status: int) -> None:
    """One request, one line."""
    server.script(failure(status, "no way"))
    with pytest.raises(CallError, match=f"answered {status} 'no way'"):
        connect().complete(request())
    assert len(server.history) == 1


def test_a_slow_answer_is_asked_again(server: ProviderServer, connect: Open) -> None:
    """After read_timeout."""
    server.script(Reply(delay=3))
    assert connect(read_timeout=0.3).complete(request()).attempts == 2


def test_it_gives_up(server: ProviderServer, connect: Open) -> None:
    """After max_attempts, and says how many they were."""
    server.script(*[failure(503, "overloaded")] * 9)
    with pytest.raises(CallError, match="answered 503 'overloaded' after 3 attempts; run"):
        connect(max_attempts=3).complete(request())
    assert len(server.history) == 3


def test_retry_after_in_seconds_and_as_a_date(server: ProviderServer, connect: Open) -> None:
    """It is obeyed, however long the own wait would be."""
    server.script(failure(429, retry_after=0.4))
    begin = time.monotonic()
    connect().complete(request())
    assert time.monotonic() - begin >= 0.4
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.script(Reply(status=503, body={}, headers={"retry-after": date}))
    begin = time.monotonic()
    connect().complete(request())
    assert time.monotonic() - begin >= 0.9


def test_a_wait_beyond_the_deadline_is_not_begun(server: ProviderServer, connect: Open) -> None:
    """The line says what was asked for."""
    server.script(failure(429, "slow down", retry_after=3600))
    begin = time.monotonic()
    with pytest.raises(CallError, match="asks to wait 3600 s, longer than the deadline"):
        connect(deadline=5).complete(request())
    assert time.monotonic() - begin < 3


def test_a_refused_account_is_not_asked_any_more(server: ProviderServer, connect: Open) -> None:
    """After three refusals in a row, with the provider's own words; a success between counts."""
    providers = connect()
    server.script(failure(402, "no credit"), failure(401, "bad key"))
    for _ in range(2):
        with pytest.raises(CallError):
            providers.complete(request())
    providers.complete(request())
    server.script(*[failure(402, "no credit")] * 3)
    for _ in range(3):
        with pytest.raises(CallError):
            providers.complete(request())
    asked = len(server.history)
    with pytest.raises(CallError, match=r"is not asked any more.*answered 402 'no credit'"):
        providers.complete(request())
    assert len(server.history) == asked


def test_a_stop_ends_the_wait(server: ProviderServer, connect: Open) -> None:
    """At once; the call is not in flight."""
    stop = threading.Event()
    providers = connect(stop=stop)
    server.script(failure(429, retry_after=60))
    threading.Timer(0.3, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(StoppedError):
        providers.complete(request())
    assert time.monotonic() - begin < 5

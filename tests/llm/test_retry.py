"""Failures of a provider: what is asked again, when, and when it is not asked any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from daydream.errors import CallError, StoppedError
from daydream.llm import Providers
from daydream.llm.request import Request
from daydream.settings import OpenAI
from support.provider_server import (
    ProviderServer,
    Reply,
    default_answer,
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
    server.script(*[failure(503, "broken")] * 9)
    with pytest.raises(CallError, match="answered 503 'broken' after 3 attempts; run"):
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


@pytest.mark.parametrize("head", [True, False], ids=["from the first byte", "in its body"])
def test_an_answer_that_drips_ends_with_the_deadline(
    server: ProviderServer, connect: Open, head: bool
) -> None:
    """Each byte comes in time for read_timeout; all of them would take half a minute."""
    server.script(*[Reply(drip=0.1, drip_head=head)] * 2)
    begin = time.monotonic()
    with pytest.raises(
        CallError, match=r"did not answer completely .* left of the deadline; raise"
    ):
        connect(deadline=1, read_timeout=5).complete(request())
    assert time.monotonic() - begin < 10
    assert len(server.history) == 1


def test_an_error_that_drips_ends_with_the_deadline(server: ProviderServer, connect: Open) -> None:
    """Its body is read, too."""
    server.script(Reply(status=500, body=b"x" * 300, drip=0.1))
    begin = time.monotonic()
    with pytest.raises(CallError, match="left of the deadline"):
        connect(deadline=1, read_timeout=5).complete(request())
    assert time.monotonic() - begin < 10


def test_attempts_share_the_deadline(server: ProviderServer, connect: Open) -> None:
    """A slow second attempt has what the first one and the wait have left."""
    server.script(failure(503, retry_after=1), Reply(delay=20))
    begin = time.monotonic()
    with pytest.raises(CallError, match="left of the deadline"):
        connect(deadline=6).complete(request())
    assert time.monotonic() - begin < 15
    assert len(server.history) == 2


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


def test_what_refuses_for_a_whole_deadline_is_not_waited_for_again(connect: Open) -> None:
    """Else each wave of calls would wait as long as the first; other models are asked as ever."""

    def refuses(body: dict[str, Any]) -> str | Reply:
        if body["model"] != "m":
            return default_answer(body)
        return failure(429, "come back tomorrow", retry_after=0.1)

    with ProviderServer(refuses) as server:
        providers = connect(base_url=server.url, deadline=1.5)
        for _ in range(4):
            with pytest.raises(CallError):
                providers.complete(request())
        asked = len(server.history)
        with pytest.raises(CallError, match=r"not asked for model 'm' any more.* 'come back"):
            providers.complete(request())
        assert len(server.history) == asked
        other = Request(provider="r", model="other", messages=request().messages)
        assert providers.complete(other).attempts == 1


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


def test_a_refused_call_holds_no_other_up(server: ProviderServer, connect: Open) -> None:
    """One 429 among answers is that call's own."""
    providers = connect()
    providers.complete(request("first"))
    server.script(failure(429, "busy", retry_after=3))
    with ThreadPoolExecutor(2) as threads:
        refused = threads.submit(providers.complete, request("refused"))
        while len(server.history) < 2:
            time.sleep(0.01)
        for number in range(10):
            providers.complete(request(f"other {number}"))
        assert not refused.done()
        assert refused.result().attempts == 2


def test_a_pause_beyond_the_deadline_fails_at_once(server: ProviderServer, connect: Open) -> None:
    """Five refusals that ask to wait a day: no further call is sent, and each says why."""
    providers = connect(deadline=60)
    server.script(*[failure(429, "quota", retry_after=86400)] * 5)
    begin = time.monotonic()
    for number in range(5):
        with pytest.raises(CallError, match="asks to wait 86400 s, longer than the deadline"):
            providers.complete(request(f"{number}"))
    for number in range(20):
        with pytest.raises(CallError, match=r"answered 429 and asks pool 'r' to wait 86\d\d\d s"):
            providers.complete(request(f"later {number}"))
    assert time.monotonic() - begin < 30
    assert len(server.history) == 5


def test_a_long_wait_is_told_once(connect: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """Not by each thread; one line for the call that waits, one for the pool."""
    stop = threading.Event()
    with ProviderServer(lambda _: failure(429, "slow down", retry_after=30)) as server:
        providers = connect(stop=stop, base_url=server.url)

        def ask(number: int) -> None:
            with pytest.raises(StoppedError):
                providers.complete(request(f"{number}"))

        with ThreadPoolExecutor(20) as threads:
            waiting = [threads.submit(ask, number) for number in range(20)]
            while len(server.history) < 6:
                time.sleep(0.01)
            time.sleep(0.5)
            stop.set()
            for thread in waiting:
                thread.result()
    told = [line for line in capsys.readouterr().err.splitlines() if "Waiting:" in line]
    assert len(told) == 2
    assert any("answered 429 'slow down'; asked again in 30 s" in line for line in told)
    assert any("pool 'r': the provider answers 429" in line for line in told)


# How providers say that they are called too often, or by too many.
NO_ROOM = {
    "429": failure(429, "slow down", retry_after=0.1),
    "529": failure(529, "Overloaded"),
    "503, overloaded": failure(503, "The engine is currently overloaded"),
    "503, UNAVAILABLE": Reply(
        status=503, body={"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
    ),
    "503, asks to wait": failure(503, retry_after=0.1),
}


@pytest.mark.parametrize(("said", "at_once"), [*((said, 16) for said in NO_ROOM), ("429", 1)])
def test_a_provider_without_room_exhausts_no_attempts(
    connect: Open, said: str, at_once: int
) -> None:
    """One that refuses everything for a while is asked seldom meanwhile, by one call or many."""
    opens = time.monotonic() + 2

    def answer(body: dict[str, Any]) -> Reply | str:
        return NO_ROOM[said] if time.monotonic() < opens else default_answer(body)

    with ProviderServer(answer) as limited, ThreadPoolExecutor(at_once) as threads:
        providers = connect(base_url=limited.url)
        answers = list(threads.map(lambda n: providers.complete(request(f"{n}")), range(20)))
        assert len(answers) == 20
        # Of the sixteen in flight at first, and of single ones after pauses that double.
        assert len(limited.history) - 20 <= 40

"""Providers over HTTP: what is sent, what is kept of the answer, and how each failure reads."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from daydream.errors import CallError
from daydream.llm import Provider, Request, open_provider
from daydream.llm.providers.openai import OpenAIProvider
from daydream.llm.providers.openai_batches import OpenAIBatches
from daydream.llm.reading import read_answer
from daydream.settings import OpenAI
from support.project import ROOT
from support.provider_server import (
    ProviderServer,
    Reply,
    answer,
    completion,
    default_answer,
    failure,
    html,
    no_choices,
    no_content,
    reset,
    slow,
    truncated,
)

KEY = "sk-test-0123456789"
Open = Callable[..., Provider]


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as server:
        yield server


@pytest.fixture
def connect(server: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Return a function that opens the server as the provider `router`."""
    monkeypatch.setenv("ROUTER_KEY", KEY)
    opened = []

    def connect(**settings: object) -> Provider:
        options = {"base_url": server.url, "api_key_env": "ROUTER_KEY"}
        provider = open_provider("router", OpenAI(**{**options, **settings}), base_dir=Path())
        opened.append(provider)
        return provider

    yield connect
    for provider in opened:
        provider.close()


def request(text: str = "hello", **changes: Any) -> Request:
    fields: dict[str, Any] = {"sampling": {"temperature": 0.5}, **changes}
    messages = ({"role": "user", "content": text},)
    return Request(provider="router", model="lab/m", messages=messages, **fields)


def refusal(provider: Provider) -> str:
    with pytest.raises(CallError) as error:
        provider.complete(request())
    text = str(error.value)
    assert text.startswith("[call] provider 'router'")
    assert "; " in text
    assert len(text.splitlines()) == 1
    assert KEY not in text
    return text


# A call


class FewConnections:
    """A server that serves so many kept connections at once; others wait in its queue."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"
        self.answered = 0

    def __enter__(self) -> FewConnections:
        for _ in range(self._most):
            threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        body = json.dumps(completion("yes")).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                # A request comes in one or two parts; its last byte ends the JSON of its body.
                while part := connection.recv(2**16):
                    if part.endswith(b"}"):
                        self.answered += 1
                        connection.sendall(head % len(body) + body)


def test_the_body_is_sent_as_it_is(server: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Model, messages and every setting, those of extra_body too; the key as a bearer token."""
    asked = request("Grüße 🜁\r\n", extra_body={"reasoning": {"effort": "low"}, "stop": ["x"]})
    monkeypatch.setenv("ROUTER_KEY", KEY)
    headers = {"X-Title": "study"}
    provider = OpenAIProvider(
        "router", base_url=server.url, api_key_env="ROUTER_KEY", default_headers=headers
    )
    provider.complete(asked)
    provider.close()
    (call,) = server.history
    assert call.body == asked.body()
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["x-title"] == "study"


def test_the_answer_is_kept_as_it_came(server: ProviderServer, connect: Open) -> None:
    """Fields that the SDK does not know, and the headers that tell of the call."""
    body = completion("Grüße 🜁\n", provider="upstream", cost={"total": 1e-7}, model="lab/m-2")
    headers = {
        "x-request-id": "r-1",
        "set-cookie": "session=1",
        "X-RateLimit-Remaining": "7",
        "x-api-key-echo": "a",
    }
    server.script(Reply(body=body, headers=headers))
    got = connect().complete(request())
    assert got.body == body
    assert (got.text, got.model, got.attempts) == ("Grüße 🜁\n", "lab/m-2", 1)
    assert got.headers["x-request-id"] == "r-1"
    assert got.headers["x-ratelimit-remaining"] == "7"
    assert not {"set-cookie", "x-api-key-echo"} & got.headers.keys()
    assert got.duration_s > 0


def test_a_cut_answer_is_an_answer(server: ProviderServer, connect: Open) -> None:
    """It was paid for: that it is truncated is for parse_response to refuse."""
    server.script(truncated("half"))
    got = connect().complete(request())
    assert (got.text, got.truncated) == ("half", True)


def test_an_answer_without_content_is_kept(server: ProviderServer, connect: Open) -> None:
    """It was paid for too; only its text is refused."""
    server.script(no_content())
    got = connect().complete(request())
    with pytest.raises(CallError, match="content_filter"):
        _ = got.text


def test_a_lone_surrogate_is_made_storable(server: ProviderServer, connect: Open) -> None:
    """Servers cut emojis in halves."""
    server.script(Reply(body=completion("a \ud83d")))
    assert connect().complete(request()).text == "a \ufffd"


def test_threads_share_one_client(server: ProviderServer, connect: Open) -> None:
    """Calls run at once, and each thread gets its own answer."""
    server.latency = 0.3
    provider = connect()
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda n: provider.complete(request(f"{n}")), range(80)))
    assert len(server.history) == 80
    assert len({got.text for got in answers}) == 80
    assert server.max_in_flight > 1
    assert answers[7].text == provider.complete(request("7")).text


def test_calls_share_connections(server: ProviderServer, connect: Open) -> None:
    """As many are made as there are calls at once, however many calls follow."""
    provider = connect()
    for number in range(5):
        provider.complete(request(f"{number}"))
    assert server.connections_made == 1
    server.latency = 0.1
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda n: provider.complete(request(f"{n}")), range(100)))
    assert len(server.history) == 105
    assert server.connections_made == server.max_in_flight


@pytest.mark.parametrize("fault", [reset(), failure(500), html(), slow(1)])
def test_a_failed_call_leaves_connections_that_work(
    server: ProviderServer, connect: Open, fault: Reply
) -> None:
    """One whose answer is still to come is not used again: the next call would get that answer."""
    provider = connect(read_timeout=0.3)
    for number in range(3):
        server.script(fault)
        refusal(provider)
        got = provider.complete(request(f"{number}"))
        assert got.text == default_answer(server.history[-1].body)


STRAY = json.dumps(completion("the answer to something else")).encode()
STRAYS = (
    b"\r\n",
    b"garbage\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(STRAY), STRAY),
)


@pytest.mark.parametrize("stray", STRAYS)
def test_what_comes_behind_an_answer_is_nobodys(
    server: ProviderServer, connect: Open, stray: bytes
) -> None:
    """Each call gets its own answer, at the first attempt."""
    provider = connect()
    for number in range(8):
        server.script(Reply(after=stray if number % 3 == 0 else b""))
        got = provider.complete(request(f"{number}"))
        assert got.text == default_answer(server.history[-1].body)
    assert len(server.history) == 8
    assert server.connections_made == 4


def test_idle_connections_do_not_keep_calls_waiting(
    connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes two connections at once takes the next when one is given up."""
    monkeypatch.setattr("daydream.llm.connections.KEPT_S", 0.3)
    with FewConnections(2) as few:
        providers = [connect(base_url=few.url) for _ in range(3)]
        with ThreadPoolExecutor(6) as threads:
            calls = [
                threads.submit(provider.complete, request(f"{number}"), within=20)
                for number, provider in enumerate(providers * 2)
            ]
            texts = [call.result(timeout=30).text for call in calls]
    assert texts == ["yes"] * 6
    assert few.answered == 6


def test_a_connection_that_the_server_closed_is_made_again(
    server: ProviderServer, connect: Open
) -> None:
    """No call fails for it."""
    provider = connect()
    for number in range(3):
        provider.complete(request(f"{number}"))
        server.drop_connections()
    assert server.connections_made == 3


def test_closing_a_provider_closes_its_connections(server: ProviderServer, connect: Open) -> None:
    """Without a word; those of calls in flight end with their calls."""
    server.latency = 0.1
    provider = connect()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: provider.complete(request(f"{n}")), range(8)))
    provider.close()
    for _ in range(100):
        if not server.connections:
            break
        time.sleep(0.02)
    assert server.connections == 0


def test_a_broken_answer_is_kept(server: ProviderServer, connect: Open) -> None:
    """With its bytes, as it was paid for; only its text is refused."""
    content = json.dumps(completion("x")).encode()[:-30]
    server.script(Reply(body=content))
    got = connect().complete(request())
    assert (got.body, got.attempts) == ({}, 1)
    assert got.raw is not None
    assert got.raw.content == content
    with pytest.raises(CallError, match="which is not JSON; ask again with --config refresh=true"):
        _ = got.text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_does_not_get_the_prompt(
    server: ProviderServer, connect: Open, status: int
) -> None:
    """The line says where it leads; who trusts that writes it into base_url."""
    with ProviderServer() as other:
        location = f"{other.url}/chat/completions"
        server.script(Reply(status=status, body={}, headers={"location": location}))
        text = refusal(connect())
        assert f"a redirect to '{location}'; write that origin into base_url" in text
        assert other.history == []


def test_a_redirect_within_a_server_is_followed(server: ProviderServer, connect: Open) -> None:
    server.script(Reply(status=307, body={}, headers={"location": "/v1/chat/completions"}))
    connect().complete(request())
    assert len(server.history) == 2
    assert server.history[1].body == server.history[0].body
    assert server.history[1].headers["authorization"] == f"Bearer {KEY}"


# Failures


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, "change the sampling settings or the model"),
        (401, "check the key in ROUTER_KEY"),
        (402, "top up the account of the key in ROUTER_KEY"),
        (403, "check what the key in ROUTER_KEY may use"),
        (404, "check the model in llm_models.csv and base_url"),
        (422, "change the sampling settings or the model"),
        (429, "run snakemake again later, or with fewer --cores"),
        (500, "run snakemake again later"),
    ],
)
def test_an_error_status_is_one_line(
    server: ProviderServer, connect: Open, status: int, remedy: str
) -> None:
    """Provider, model, status, the provider's own words, and what to do."""
    server.script(failure(status, "no\n  such thing"))
    text = refusal(connect())
    assert text == (
        f"[call] provider 'router', model 'lab/m': answered {status} 'no such thing'; {remedy}"
    )


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (failure(400, "word " * 1000), "word…'"),
        (failure(401, f"Incorrect API key: {KEY}."), "'Incorrect API key: [key].'"),
        (failure(401, "x" * 490 + KEY), "xxx[key]'"),
        (failure(400, "\x1b[2J"), r"\x1b[2J"),
        (html(502, "<html>\n<h1>Bad gateway</h1>"), "answered 502 '<html> <h1>Bad gateway</h1>'"),
        (Reply(status=422, body={"detail": [{"loc": ["n"]}]}), 'answered 422 \'{"detail": '),
        (Reply(status=500, body=b""), "answered 500 ''"),
        (
            Reply(
                status=429,
                body={"error": {"message": "Provider error", "metadata": {"raw": "busy"}}},
            ),
            "answered 429 'Provider error: busy'",
        ),
        (html(), "answered 200 with '<html><body>Welcome</body></html>' (text/html), which is no"),
        (html(200, KEY), "answered 200 with '[key]'"),
        (Reply(body=b"\xff\xfe"), "which is not JSON; check base_url"),
        (Reply(body=b"[]"), "which is not a chat completion"),
        (no_choices(), "answered without choices"),
        (Reply(body={"error": {"message": f"bad {KEY}"}}), "answered with the error 'bad [key]'"),
        (reset(), "did not answer (ReadError '[Errno 104] Connection reset by peer'); check"),
        (slow(5), "raise read_timeout (0.3 s)"),
    ],
)
def test_a_failure_is_one_line(
    server: ProviderServer, connect: Open, reply: Reply, found: str
) -> None:
    """Long, multi-line, hostile or missing messages; never the key; and never a kept answer."""
    server.script(reply)
    text = refusal(connect(read_timeout=0.3))
    assert found in text
    assert len(text) < 800


@pytest.mark.parametrize("packed", [False, True])
def test_an_endless_answer_is_not_kept(
    server: ProviderServer, connect: Open, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """Whether it comes as it is or small and packed, with an error status or without."""
    monkeypatch.setattr("daydream.llm.bounded.MOST_BYTES", 2**20)
    body = b" " * 3 * 2**20
    for status in (200, 500):
        headers = {"content-encoding": "gzip"} if packed else {}
        content = gzip.compress(body) if packed else body
        server.script(Reply(status=status, body=content, headers=headers))
        assert "answered with more than 1 MiB; lower max_tokens" in refusal(connect())


def test_a_packed_answer_is_an_answer(server: ProviderServer, connect: Open) -> None:
    content = gzip.compress(json.dumps(completion("Grüße")).encode())
    server.script(Reply(body=content, headers={"content-encoding": "gzip"}))
    assert connect().complete(request()).text == "Grüße"


def test_no_server_is_one_line(connect: Open) -> None:
    """Nobody listens at base_url, or it is not an address."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        assert "Connection refused'); check base_url" in refusal(connect(base_url=url))
    url = "http://☃..x/v1"
    assert f"found the base_url '{url}'" in refusal(connect(base_url=url))


def test_a_wrong_path_names_base_url(server: ProviderServer, connect: Open) -> None:
    """The commonest mistake: /v1 is missing, or there twice."""
    assert "and base_url" in refusal(connect(base_url=f"{server.url}/v1"))
    assert server.history == []


# Keys


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_no_key_names_the_variable(
    server: ProviderServer, connect: Open, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """And nothing is sent."""
    monkeypatch.delenv("ROUTER_KEY")
    if value is not None:
        monkeypatch.setenv("ROUTER_KEY", value)
    text = refusal(connect())
    assert "ROUTER_KEY is not set or empty; set it in the environment or in .env" in text
    assert server.history == []


def test_a_garbled_key_is_refused(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be sent, and must not be shown."""
    for key in ("sk-secret\u201d", "sk-secret\nsk-other"):
        monkeypatch.setenv("ROUTER_KEY", key)
        text = refusal(connect())
        assert "holds more than printable ASCII" in text
        assert "sk-secret" not in text


def test_the_key_is_read_at_the_first_call(
    server: ProviderServer, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a provider needs none, so a dry run does not; blanks around it are left out."""
    monkeypatch.delenv("ROUTER_KEY")
    provider = connect()
    monkeypatch.setenv("ROUTER_KEY", f" {KEY}\n")
    provider.complete(request())
    assert server.history[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_server_without_keys_gets_none(
    server: ProviderServer, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `api_key_env: null`, the key of another provider stays at home."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    provider = connect(api_key_env=None)
    provider.complete(request())
    assert KEY not in json.dumps(server.history[0].headers)
    server.script(failure(401, "need a key, none is no key"))
    text = refusal(provider)
    assert "need a key, none is no key" in text
    assert "api_key_env is null" in text


@pytest.mark.parametrize("encode", [str.encode, lambda key: base64.b64encode(key.encode())])
def test_a_key_that_a_server_repeats_is_kept_nowhere(
    server: ProviderServer, connect: Open, encode: Callable[[str], bytes]
) -> None:
    """Neither in the answer nor in its headers nor in bytes that hold no answer."""
    said = encode(f"Bearer {KEY}").decode()
    server.script(
        Reply(body=completion(f"You are {said}."), headers={"x-request-id": f"for {said}"}),
        Reply(body=f'{{"choices": {said}'.encode()),
    )
    provider = connect()
    for got in (provider.complete(request()), provider.complete(request())):
        held = f"{got.body} {got.headers} {got.raw} {got.problem}"
        assert KEY not in held
        assert base64.b64encode(KEY.encode()).decode().rstrip("=") not in held
        assert "[key]" in held


def in_json(text: str, escape: Callable[[str], str]) -> bytes:
    """Return a completion whose text is written with escapes of JSON."""
    return json.dumps(completion("TEXT")).replace("TEXT", "".join(map(escape, text))).encode()


def in_events(*pieces: str) -> bytes:
    """Return a stream whose deltas are these."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    return (
        "".join(f"data: {json.dumps(each)}\n\n" for each in chunks).encode() + b"data: [DONE]\n\n"
    )


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (in_json(KEY, lambda each: f"\\u{ord(each):04x}"), "application/json"),
        (in_json(KEY, lambda each: each if each.isalnum() else f"\\u{ord(each):04X}"), "text/json"),
        (json.dumps(completion(KEY)).encode("utf-16"), "application/json; charset=utf-16"),
        (in_events(KEY[:7], KEY[7:]), "text/event-stream"),
    ],
    ids=["escaped", "partly escaped", "UTF-16", "in two events"],
)
def test_a_key_in_disguise(
    server: ProviderServer, connect: Open, body: bytes, content_type: str
) -> None:
    """The answer is kept without it, also where its bytes have to be kept."""
    server.script(Reply(body=body, headers={"content-type": content_type}))
    got = connect().complete(request())
    assert got.text == "[key]"
    assert got.raw is None or body != got.raw.content
    again = read_answer(got.raw.content, got.raw.content_type).body if got.raw else got.body
    assert KEY not in json.dumps(again)


def test_a_key_in_a_file_of_answers(connect: Open, tmp_path: Path) -> None:
    """Rows that are longer than what comes at once, too; all else stays byte for byte."""
    rows = [in_json(f"{'x' * 100_000} {KEY}", lambda each: each), b"", in_json("é", str)]

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"\n".join(rows))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        provider = connect(base_url=f"http://127.0.0.1:{server.server_port}/v1")
        OpenAIBatches(provider).download("file-1", tmp_path / "output.jsonl")
        server.shutdown()
    expected = b"\n".join(rows).replace(KEY.encode(), b"[key]")
    assert (tmp_path / "output.jsonl").read_bytes() == expected


def test_a_key_in_pieces_of_a_text(server: ProviderServer, connect: Open) -> None:
    """Its answer cannot be kept."""
    parts = [{"type": "text", "text": piece} for piece in (KEY[:7], KEY[7:])]
    message = {"message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}
    server.script(Reply(body={"choices": [message]}))
    text = refusal(connect())
    assert "answered with the key itself, in pieces" in text
    assert KEY not in text
    assert len(server.history) == 1


@pytest.mark.parametrize("header", ["x-served-by", "x-request-id", "content-type"])
def test_a_header_need_not_be_ascii(server: ProviderServer, connect: Open, header: str) -> None:
    """The answer that it came with was paid for."""
    server.script(Reply(body=completion("well"), headers={header: "application/json; by=Café"}))
    assert connect().complete(request()).text
    assert len(server.history) == 1


@pytest.mark.parametrize("silent", [True, False])
def test_an_answer_that_is_whole_counts(connect: Open, silent: bool) -> None:
    """However its connection ends: closed before what was announced, or silent."""
    asked = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(65_536))
                body = json.dumps(completion("whole")).encode()
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body) + 500}\r\n\r\n"
                connection.sendall(head.encode() + body)
                if silent:
                    connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        provider = connect(base_url=url, read_timeout=1)
        assert provider.complete(request()).text == "whole"
        assert len(asked) == 1


@pytest.mark.parametrize("reason", ["max_tokens", "MAX_TOKENS"])
def test_gateways_say_in_other_words_that_an_answer_was_cut(
    server: ProviderServer, connect: Open, reason: str
) -> None:
    server.script(Reply(body=completion("half", finish_reason=reason)))
    assert connect().complete(request()).truncated


# Proxies


def test_a_bad_proxy_is_named(
    server: ProviderServer, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not base_url, which is right; its password is not shown."""
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{port}")
        text = refusal(connect())
    assert "check the proxy in HTTP_PROXY, then base_url" in text
    assert "secret" not in text
    assert server.history == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PROXY", "gopher://me:secret@x"),
        ("HTTP_PROXY", "http://me:secret@x:y"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_FILE", "/dev/null"),
    ],
)
def test_an_environment_in_which_no_connection_can_be_made(
    connect: Open, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """It is known before the first call, and the line names the variable."""
    monkeypatch.setenv(name, value)
    for attempt in (connect().check, lambda: connect().complete(request())):
        with pytest.raises(CallError) as error:
            attempt()
        assert name in str(error.value)
        assert "secret" not in str(error.value)
        assert len(str(error.value).splitlines()) == 1


def test_a_proxy_for_socks_is_used(
    server: ProviderServer, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that is not there is the reason; before, there was a traceback."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{unused.getsockname()[1]}")
        assert "check the proxy in ALL_PROXY" in refusal(connect())
    assert server.history == []


# The stand-in itself


def test_the_server_answers_by_the_messages(server: ProviderServer, connect: Open) -> None:
    """Equal messages, equal answers; a judge's prompt gets a score in the last line."""
    provider = connect()
    texts = [provider.complete(request(text)).text for text in ("a", "b", "a", "a SCORE")]
    assert texts[0] == texts[2] != texts[1]
    assert texts[3].splitlines()[-1][:-1] == "SCORE: "
    assert [call.body["messages"][0]["content"] for call in server.history][:2] == ["a", "b"]


def test_the_server_answers_as_told(connect: Open, server: ProviderServer) -> None:
    """Scripted replies first, then what a function makes of each request."""
    server.script(answer("scripted"))
    assert connect().complete(request()).text == "scripted"
    with ProviderServer(lambda body: body["model"] + "!") as other:
        assert connect(base_url=other.url).complete(request()).text == "lab/m!"


def test_the_server_in_a_process_of_its_own(connect: Open, tmp_path: Path) -> None:
    """It tells its port, and its history over HTTP; SIGTERM ends it."""
    program = ROOT / "tests/support/provider_server.py"
    port_file = tmp_path / "port.txt"
    process = subprocess.Popen([sys.executable, str(program), "--port-file", str(port_file)])
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        url = f"http://127.0.0.1:{port_file.read_text()}"
        connect(base_url=f"{url}/v1").complete(request("far"))
        with urllib.request.urlopen(f"{url}/history") as reply:
            history = json.load(reply)
        assert [call["body"] for call in history["calls"]] == [request("far").body()]
        assert history["max_in_flight"] == 1
    finally:
        process.terminate()
    assert process.wait(timeout=60) == 0

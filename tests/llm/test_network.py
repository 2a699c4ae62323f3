"""Proxies and certificates: what is shown of a failure, and how often it is tried again."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from daydream.errors import CallError
from daydream.llm import Providers
from daydream.llm.failures import CallFailedError
from daydream.llm.request import Request
from daydream.settings import OpenAI
from support.provider_server import ProviderServer, completion
from support.proxy import Answer, Proxy, says

KEY = "sk-test-0123456789"
PASSWORD = "pr0xy/SECRET"
WRITTEN = "pr0xy%2FSECRET"
LOGIN = base64.b64encode(f"luser:{PASSWORD}".encode()).decode()
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
Open = Callable[..., Providers]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("ROUTER_KEY", KEY)


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens a provider which asks again at once."""
    opened = []

    def connect(url: str, **settings: object) -> Providers:
        options = {"api_key_env": "ROUTER_KEY", "first_wait": 0.01, "connect_timeout": 2}
        model = OpenAI(base_url=url, **{**options, **settings})
        providers = Providers({"r": model}, base_dir=tmp_path)
        opened.append(providers)
        return providers

    yield connect
    for providers in opened:
        providers.close()


def request() -> Request:
    return Request(provider="r", model="m", messages=({"role": "user", "content": "Hello"},))


def refusal(providers: Providers) -> str:
    with pytest.raises(CallError) as error:
        providers.complete(request())
    text = str(error.value)
    assert len(text.splitlines()) == 1
    for secret in (PASSWORD, WRITTEN, LOGIN, KEY):
        assert secret not in text
    return text


def through(monkeypatch: pytest.MonkeyPatch, proxy: Proxy, name: str = "HTTP_PROXY") -> None:
    monkeypatch.setenv(name, f"http://luser:{WRITTEN}@127.0.0.1:{proxy.port}")


class _Completions(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(completion("yes")).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class TlsServer:
    """A provider with a certificate; it counts the connections."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self.connections = 0
        counted = self

        class Server(ThreadingHTTPServer):
            def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
                connection, address = self.socket.accept()
                counted.connections += 1
                # The handshake is made where the first byte is read, in a thread of its own.
                options = {"server_side": True, "do_handshake_on_connect": False}
                return context.wrap_socket(connection, **options), address

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), _Completions)
        self.port = self._server.server_port
        self.url = f"https://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> TlsServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


# Passwords


@pytest.mark.parametrize(
    ("answer", "hidden"),
    [
        (says("407 No", f"denied for luser:{PASSWORD}"), "denied for [password]"),
        (says("407 No", f"denied for {WRITTEN}"), "denied for [password]"),
        (says("403 No", f"Proxy-Authorization: Basic {LOGIN}"), "Basic [password]"),
        (says("200 OK", f"<p>Hello {PASSWORD}", "content-type: text/html"), "Hello [password]"),
    ],
)
def test_a_password_that_a_proxy_repeats_is_not_shown(
    connect: Open, monkeypatch: pytest.MonkeyPatch, answer: bytes, hidden: str
) -> None:
    """As it is, as it stands in the variable, or as it is sent."""
    with Proxy(lambda _: answer) as proxy:
        through(monkeypatch, proxy)
        text = refusal(connect("http://models.example/v1", max_attempts=1))
    assert hidden in text
    assert LOGIN in proxy.heads[0]


def test_nor_in_the_reason_of_a_tunnel(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(lambda _: says(f"407 denied {PASSWORD}")) as proxy:
        through(monkeypatch, proxy, "HTTPS_PROXY")
        assert "407 denied [password]" in refusal(connect("https://models.example/v1"))


def test_an_answer_keeps_its_words(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if one of them is the password; what is sent of it never is one."""
    login = base64.b64encode(b"luser:elephant").decode()
    body = json.dumps(completion(f"An elephant with {login}."))
    answer = says("200 OK", body, "content-type: application/json")
    with Proxy(lambda _: answer) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"luser:elephant@127.0.0.1:{proxy.port}")
        text = connect("http://models.example/v1").complete(request()).text
    assert text.startswith("An elephant with [password]")
    assert login not in text


# What is not tried again


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("407 Proxy Authentication Required", "; correct the user and password in HTTPS_PROXY"),
        ("403 Forbidden", "; ask who runs the proxy in HTTPS_PROXY to allow models.example, or"),
    ],
)
def test_a_proxy_that_refuses_is_asked_three_times(
    connect: Open, monkeypatch: pytest.MonkeyPatch, status: str, found: str
) -> None:
    """Once for each call, and then not any more: wrong logins get an account locked."""
    with Proxy(lambda _: says(status)) as proxy:
        through(monkeypatch, proxy, "HTTPS_PROXY")
        providers = connect("https://models.example/v1")
        for _ in range(3):
            assert found in refusal(providers)
        assert len(proxy.heads) == 3
        text = refusal(providers)
        assert "is not asked any more, because 3 calls in a row failed" in text
        assert found in text
        assert len(proxy.heads) == 3


def test_a_wrong_login_without_a_tunnel(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 407 is the proxy's by definition."""
    with Proxy(lambda _: says("407 No")) as proxy:
        through(monkeypatch, proxy)
        providers = connect("http://models.example/v1")
        for _ in range(3):
            assert "; correct the user and password in HTTP_PROXY" in refusal(providers)
        assert "is not asked any more" in refusal(providers)
        assert len(proxy.heads) == 3


@pytest.mark.usefixtures("trusted")
def test_a_proxy_that_fails_is_asked_again(
    connect: Open, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the call goes through it, to a server whose certificate is trusted."""
    answers = [says("502 Bad Gateway"), says("503 Busy"), says("504 Late"), None]
    answer: Answer = lambda _: answers.pop(0)  # noqa: E731
    with TlsServer(authority.issue_cert("127.0.0.1")) as server, Proxy(answer) as proxy:
        through(monkeypatch, proxy, "HTTPS_PROXY")
        assert connect(server.url).complete(request()).attempts == 4
        assert len(proxy.heads) == 4


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("host", "until", "found"),
    [
        ("127.0.0.1", 2020, "certificate has expired); correct the clock, or ask the server's"),
        (
            "models.example",
            2090,
            "IP address mismatch, certificate is not valid for '127.0.0.1'); ",
        ),
    ],
)
def test_a_wrong_certificate(
    connect: Open, authority: trustme.CA, host: str, until: int, found: str
) -> None:
    """It is said in OpenSSL's words, and shown three times in all."""
    certificate = authority.issue_cert(host, not_after=datetime(until, 1, 1, tzinfo=UTC))
    with TlsServer(certificate) as server:
        providers = connect(server.url)
        for _ in range(3):
            assert found in refusal(providers)
        assert "is not asked any more" in refusal(providers)
        assert server.connections == 3


def test_a_certificate_that_is_not_trusted(
    connect: Open, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TlsServer(authority.issue_cert("127.0.0.1")) as server:
        text = refusal(connect(server.url))
        assert "its certificate is not accepted: unable to get local issuer certificate" in text
        assert "; set SSL_CERT_FILE to your CA's certificate" in text
        assert server.connections == 1
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        monkeypatch.setenv("SSL_CERT_FILE", str(other))
        assert "; add your CA's certificate to the file in SSL_CERT_FILE" in refusal(
            connect(server.url)
        )


# What is to be done


@pytest.mark.usefixtures("trusted")
def test_http_where_tls_is_spoken(connect: Open, authority: trustme.CA) -> None:
    with TlsServer(authority.issue_cert("127.0.0.1")) as server:
        text = refusal(connect(f"http://127.0.0.1:{server.port}/v1", max_attempts=1))
    assert "; check base_url (with https:// if the server wants TLS) and the network" in text


def test_tls_where_http_is_spoken(connect: Open) -> None:
    """A server that answers, and one that waits for the end of a line."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Completions) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = refusal(connect(f"https://127.0.0.1:{server.server_port}/v1"))
        server.shutdown()
    assert "write http:// into base_url" in text
    with ProviderServer() as silent:
        url = silent.url.replace("http:", "https:")
        text = refusal(connect(url, max_attempts=1, connect_timeout=0.5))
    assert "; write http:// into base_url if TLS is not spoken there, or check base_url" in text


def test_a_server_that_says_that_it_wants_tls(connect: Open) -> None:
    """As nginx does; the settings that a 400 is mostly about are not to blame."""
    said = says("400 Bad Request", "The plain HTTP request was sent to HTTPS port")
    with Proxy(lambda _: said) as server:
        text = refusal(connect(f"http://127.0.0.1:{server.port}/v1"))
    assert "; write https:// into base_url" in text


def test_what_a_proxy_does_not_pass_on_was_not_sent(
    connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes CONNECT and says nothing: no request has left, so nothing is charged."""
    silent = threading.Event()

    def hang(_: str) -> bytes:
        silent.wait(10)
        return says("504 Late")

    with Proxy(hang) as proxy:
        through(monkeypatch, proxy, "HTTPS_PROXY")
        providers = connect("https://provider.test/v1", read_timeout=0.3, max_attempts=1)
        with pytest.raises(CallFailedError) as error:
            providers["r"].complete(request())
        silent.set()
    assert not error.value.sent
    assert "check the proxy in HTTPS_PROXY, which opens no tunnel" in str(error.value)


def test_a_request_that_is_not_answered_was_sent(connect: Open) -> None:
    """It may have been answered, and charged."""
    with ProviderServer(latency=2) as server:
        with pytest.raises(CallFailedError) as error:
            connect(server.url, read_timeout=0.3)["r"].complete(request())
        assert error.value.sent
        assert len(server.history) == 1


@pytest.mark.parametrize("status", ["403 Forbidden", "502 Bad Gateway", "200 OK"])
def test_who_may_have_answered(connect: Open, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """Without TLS, the proxy can answer itself."""
    with Proxy(lambda _: says(status)) as proxy:
        through(monkeypatch, proxy)
        text = refusal(connect("http://models.example/v1", max_attempts=1))
        assert " (through the proxy in HTTP_PROXY)" in text
        monkeypatch.delenv("HTTP_PROXY")
        text = refusal(connect(f"http://127.0.0.1:{proxy.port}/v1", max_attempts=1))
        assert "proxy" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", f"gopher://luser:{WRITTEN}@x"),
        ("HTTPS_PROXY", f"http://luser:{WRITTEN}@x:y"),
        ("ALL_PROXY", f"http://luser:{PASSWORD}@x"),
        ("SSL_CERT_FILE", "/dev/null"),
    ],
)
@pytest.mark.usefixtures("trusted")
def test_only_the_wrong_variable_is_named(
    connect: Open, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:3128")
    monkeypatch.setenv(name, value)
    text = refusal(connect("https://models.example/v1"))
    assert text.endswith(f"; correct or unset in the environment: {name}")
    assert not any(part in text for part in PASSWORD.split("/"))

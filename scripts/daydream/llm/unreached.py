"""Why a server did not answer, what to do about it, and whether all other calls would fail, too."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from daydream.llm.failures import may_pass

# OpenSSL's numbers of what is wrong with a certificate (X509_V_ERR_…).
OUT_OF_DATE = frozenset({9, 10})
NOT_TRUSTED = frozenset({2, 18, 19, 20, 21})
OF_ANOTHER_HOST = frozenset({62, 64})
# What a connection with TLS meets at a server that has none.
NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
# A server that wants TLS ends a connection without it in one of these ways.
CUT = frozenset({"ReadError", "RemoteProtocolError", "WriteError"})

_STATUS = re.compile(r"\d{3}\b")
# What SOCKS proxies have instead of the statuses 407 and 403, in the HTTP library's words.
_SOCKS_LOGIN = ("Invalid username/password", "Requested ")
_SOCKS_RULES = "not allowed"


class Trouble(NamedTuple):
    """What went wrong, and what to do; `hopeless`: every other call would fail in the same way."""

    reason: str
    remedy: str
    hopeless: bool = False


class Way(NamedTuple):
    """How a server is reached: its URL, and the variable with the proxy, empty if there is none.

    `answered`: it has answered before; `sent`: something of this request has left. Timeouts are in
    seconds.
    """

    url: str
    proxy: str
    connect_timeout: float
    read_timeout: float
    answered: bool
    sent: bool


def trouble(error: Exception, said: str, way: Way) -> Trouble:
    """Return why a request over `way` ended with an error, whose text may be shown as `said`."""
    kind = type(error).__name__
    said = f"{kind} {said}" if said else kind
    if kind == "ProxyError" and (refused := _by_proxy(str(error), way)):
        return Trouble(said, refused, hopeless=True)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"its certificate is not accepted: {cause.verify_message.rstrip('.')}"
            return Trouble(reason, _of_certificate(cause.verify_code, way), hopeless=True)
        if isinstance(cause, ssl.SSLError) and cause.reason in NO_TLS:
            return Trouble(said, f"write http:// {_into(way)}, as TLS is not spoken there", True)
    return Trouble(said, _check(error, way))


def _check(error: Exception, way: Way) -> str:
    """Return what to do where the error does not say what is wrong."""
    kind = type(error).__name__
    check = f"check the proxy in {way.proxy}, then base_url" if way.proxy else "check base_url"
    if kind == "ReadTimeout" and not way.sent and way.proxy:
        return f"check the proxy in {way.proxy}, which opens no tunnel, and the network"
    if kind == "ReadTimeout":
        return f"raise read_timeout ({way.read_timeout} s) of the provider"
    if kind == "ConnectTimeout":
        if "handshake" in str(error):
            check = f"write http:// {_into(way)} if TLS is not spoken there, or {check}"
        raised = f"or raise connect_timeout ({way.connect_timeout} s) of the provider"
        return f"{check} and the network, {raised}"
    if kind in CUT and not way.answered and not way.proxy and way.url.startswith("http://"):
        check = f"{check} (with https:// if the server wants TLS)"
    return f"{check} and the network"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _by_proxy(said: str, way: Way) -> str:
    """Return what to do about a proxy that refuses to pass calls on; empty if it only cannot."""
    status = int(found[0]) if (found := _STATUS.match(said)) else 0
    if status == 407 or said.startswith(_SOCKS_LOGIN):
        return f"correct the user and password in {way.proxy}"
    if (400 <= status < 500 and not may_pass(status)) or _SOCKS_RULES in said:
        host = urlsplit(way.url).hostname
        return f"ask who runs the proxy in {way.proxy} to allow {host}, or name it in NO_PROXY"
    return ""


def _of_certificate(code: int, way: Way) -> str:
    if code in NOT_TRUSTED:
        if os.environ.get("SSL_CERT_FILE"):
            return "add your CA's certificate to the file in SSL_CERT_FILE"
        return "set SSL_CERT_FILE to your CA's certificate"
    if code in OUT_OF_DATE:
        return "correct the clock, or ask the server's owner for a valid certificate"
    if code in OF_ANOTHER_HOST:
        return f"check the host {urlsplit(way.url).hostname} in base_url"
    return "ask the server's owner for a valid certificate"


def _into(way: Way) -> str:
    """Return where the scheme stands: with a proxy that is spoken to by TLS, in one of two."""
    by_tls = os.environ.get(way.proxy, "").startswith("https://")
    return f"into {way.proxy} or base_url" if by_tls else "into base_url"

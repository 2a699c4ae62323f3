"""An HTTP client with a limit on the time and the size of each answer.

A timeout of the HTTP library only bounds the wait for the next byte. So a server that sends one
byte per second could hold a call forever. Here each wait is at most the time that is left of the
call, from the connection to the last byte. The time is checked where bytes arrive, not by another
thread, so it costs a call only some microseconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2

from daydream.files import parse_json
from daydream.llm import connections

if TYPE_CHECKING:
    import ssl

# How many redirects within the same server are followed.
MOST_REDIRECTS = 2
# An answer with log probabilities has some megabytes.
MOST_BYTES = 64 * 2**20


class _Call(threading.local):
    """The call of a thread, which makes the whole of it.

    `end` is when its time is over, None if there is no limit; `by_tls` whether it is to go by TLS,
    and `sent` whether any of it has left.
    """

    end: float | None = None
    by_tls = False
    sent = True


_call = _Call()


class TooLongError(Exception):
    """An answer of more than `MOST_BYTES`."""


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Limit the calls of this thread to so many seconds."""
    _call.end = None if seconds is None else time.monotonic() + seconds
    try:
        yield
    finally:
        _call.end = None


def was_sent() -> bool:
    """Tell whether anything of the last request of this thread has left.

    What a proxy is told before it opens a tunnel is no part of it.
    """
    return _call.sent


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    """Return the timeout of one wait: at most the time that is left of the call."""
    if _call.end is None:
        return timeout
    left = _call.end - time.monotonic()
    if left <= 0:
        raise error("the time of the call is over")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, *, by_tls: bool = False) -> None:
        self._stream = stream
        self._by_tls = by_tls
        self.close = stream.close  # type: ignore[method-assign]
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._by_tls or not _call.by_tls:
            _call.sent = True
        self._stream.write(buffer, _left(timeout, httpcore2.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        timeout = _left(timeout, httpcore2.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _Stream(stream, by_tls=True)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, backend: httpcore2.NetworkBackend) -> None:
        self._backend = backend
        self.sleep = backend.sleep  # type: ignore[method-assign]

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        timeout = _left(timeout, httpcore2.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream)


def _is_whole(content: bytes | bytearray) -> bool:
    """Tell whether these are all bytes of a JSON object."""
    if not content.rstrip().endswith(b"}"):
        return False
    try:
        return isinstance(parse_json(bytes(content)), dict)
    except ValueError:
        return False


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


class BoundedClient(httpx2.Client):
    """A client whose calls end `within` their time, and which discards answers that are too long.

    A redirect to another origin (scheme, host and port) is not followed, because the user has not
    agreed to send prompts there. Without `proxies`, those of the environment are not used.
    """

    def __init__(
        self,
        *,
        timeout: httpx2.Timeout,
        proxies: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        limits = httpx2.Limits(keepalive_expiry=connections.KEPT_S)
        super().__init__(timeout=timeout, limits=limits, trust_env=proxies, headers=headers)
        for transport in (self._transport, *self._mounts.values()):
            if isinstance(transport, httpx2.HTTPTransport):
                # The library has no public way to set these two.
                pool = transport._pool
                pool._network_backend = _Backend(pool._network_backend)
                transport._pool = connections.Connections(pool)  # type: ignore[assignment]

    def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        **options: Any,  # noqa: ANN401 - as the library has them
    ) -> httpx2.Response:
        """Send a request, and return its complete answer.

        Raises:
            TooLongError: it is too long after decompression.
        """
        options["follow_redirects"] = False
        _call.sent, _call.by_tls = False, request.url.scheme == "https"
        response = super().send(request, stream=True, **options)
        for _ in range(MOST_REDIRECTS):
            target = response.next_request
            if target is None or target.method != request.method:
                break
            if _origin(target.url) != _origin(request.url):
                break
            response.close()
            response = super().send(target, stream=True, **options)
        if stream:
            return response
        content = bytearray()
        try:
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise TooLongError(f"more than {MOST_BYTES // 2**20} MiB")
        except httpx2.TransportError:
            # An answer that is there was paid for, however its connection ends.
            if not (response.is_success and _is_whole(content)):
                raise
        finally:
            response.close()
        # As bytes, which need not be ASCII. The content is decompressed already.
        headers = [(k, v) for k, v in response.headers.raw if k.lower() != b"content-encoding"]
        return httpx2.Response(
            response.status_code,
            headers=headers,
            content=bytes(content),
            request=request,
            extensions=response.extensions,
            history=response.history,
        )

"""The open connections of an HTTP client: the one that was used last is taken first.

The pool of the HTTP library goes through all its connections at the beginning and at the end of
each call, one thread at a time. With hundreds of calls in flight this takes more time than the
calls themselves.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, cast

import httpcore2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


# How many seconds a connection is kept that nobody uses.
KEPT_S = 5.0


class _Content:
    """The content of an answer, after which its connection is free."""

    def __init__(self, stream: Iterable[bytes], closed: Callable[[], None]) -> None:
        self._stream = stream
        self._closed: Callable[[], None] | None = closed

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        if self._closed is not None:
            closed, self._closed = self._closed, None
            self._stream.close()  # type: ignore[attr-defined]
            closed()


class Connections:
    """Connections that a pool of the library creates; as many as there are calls in flight.

    Those that nobody has used for a while are closed, even if no call is made any more: a server
    may serve only so many, and let those of other calls wait.
    """

    def __init__(self, pool: httpcore2.ConnectionPool) -> None:
        self._create = pool.create_connection
        # Per origin, the last used one at the right. A deque needs no lock.
        self._free: dict[str, deque[httpcore2.ConnectionInterface]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def handle_request(self, request: httpcore2.Request) -> httpcore2.Response:
        """Send a request; its connection is used again once the answer is closed.

        Raises:
            httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError: it failed.
        """
        origin = request.url.origin
        free = self._free[str(origin)]
        connection = _taken(free) or self._create(origin)
        try:
            answer = connection.handle_request(request)
        except BaseException:
            connection.close()
            raise
        stream = cast("Iterable[bytes]", answer.stream)
        return httpcore2.Response(
            answer.status,
            headers=answer.headers,
            content=_Content(stream, partial(self._give_back, connection, free)),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close the connections that are free."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        for free in self._free.values():
            while free:
                free.pop().close()

    def _give_back(
        self, connection: httpcore2.ConnectionInterface, free: deque[httpcore2.ConnectionInterface]
    ) -> None:
        # One whose answer was not read to its end, or that the server wants closed, is closed now.
        if not connection.is_idle():
            return
        if _has_more(connection):
            connection.close()
            return
        free.append(connection)
        self._close_later()

    def _close_later(self) -> None:
        with self._lock:
            if self._timer is None:
                self._timer = threading.Timer(KEPT_S, self._close_unused)
                self._timer.daemon = True
                self._timer.start()

    def _close_unused(self) -> None:
        with self._lock:
            self._timer = None
        for free in list(self._free.values()):
            with suppress(IndexError):
                while True:
                    oldest = free.popleft()
                    if not oldest.has_expired():
                        free.appendleft(oldest)
                        break
                    oldest.close()
        if any(self._free.values()):
            self._close_later()


def _taken(
    free: deque[httpcore2.ConnectionInterface],
) -> httpcore2.ConnectionInterface | None:
    """Return the connection that was used last, if one is still open."""
    while True:
        try:
            connection = free.pop()
        except IndexError:
            return None
        if not connection.has_expired():
            return connection
        connection.close()


def _has_more(connection: object) -> bool:
    """Tell whether bytes came behind the answer: the next call would take them for its own answer.

    RFC 9112, section 6.3, forbids that. The library does not look.
    """
    while (inner := getattr(connection, "_connection", None)) is not None:
        connection = inner
    state = getattr(connection, "_h11_state", None)
    return state is None or bool(state.trailing_data[0])

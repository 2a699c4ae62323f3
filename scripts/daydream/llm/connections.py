"""The open connections of an HTTP client: the one that was used last is taken first.

The pool of the HTTP library goes through all its connections at the beginning and at the end of
each call, one thread at a time. With hundreds of calls in flight this takes more time than the
calls themselves.
"""

from __future__ import annotations

from collections import defaultdict, deque
from functools import partial
from typing import TYPE_CHECKING, cast

import httpcore2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


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
    """Connections that a pool of the library creates; as many as there are calls in flight."""

    def __init__(self, pool: httpcore2.ConnectionPool) -> None:
        self._create = pool.create_connection
        # Per origin. A deque needs no lock.
        self._free: dict[str, deque[httpcore2.ConnectionInterface]] = defaultdict(deque)

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
            content=_Content(stream, partial(_give_back, connection, free)),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close the connections that are free."""
        for free in self._free.values():
            while free:
                free.pop().close()


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


def _give_back(
    connection: httpcore2.ConnectionInterface, free: deque[httpcore2.ConnectionInterface]
) -> None:
    # It is closed already if the answer was not read to its end, or the server asked for it.
    if connection.is_idle():
        free.append(connection)

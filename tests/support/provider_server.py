"""A provider of chat completions for tests and benchmarks: a real HTTP server on 127.0.0.1.

In a test:

    with ProviderServer() as server:
        server.script(failure(429, "slow down", retry_after=0), truncated("half an"))
        ...                                  # calls go to server.url
        assert len(server.history) == 3      # what was asked, in the order it came
        assert server.max_in_flight == 1

Each request takes the next scripted `Reply`, whatever it asks; when there is none left, it gets
`answer(body)`, a text or a `Reply`, which must not block; without one, `default_answer`. That is
a text of two lines which depends on the messages alone; if they hold the word SCORE, its last line
is ``SCORE: n``, n from 0 to 9. `latency` is waited for before each reply, in seconds, without
holding up other requests.

The same server answers requests for embeddings, with `embed(body)`; without one, with `embeddings`:
vectors that depend on each text alone, the last text's first. `billed` counts how often each text
was in a request that was answered, and `billed_tokens` their tokens.

`history` holds every `Call` (body, headers with lower-case names, Unix time) from the moment it is
received, those that got a scripted fault too. `in_flight` are those not yet answered, and
`max_in_flight` the most there have been at once. `connections` are open, `connections_made` counts
them all, and `drop_connections()` closes those that are open.

In a process of its own, which is what a benchmark wants:

    python tests/support/provider_server.py --port-file port.txt [--latency 0.5]

It writes its port to the file once it listens, stops on SIGTERM or SIGINT, and answers
``GET /history`` with ``{"calls": [{"body", "headers", "at"}, ...], "max_in_flight": n}``.

The server is one asyncio thread that reads just enough of HTTP/1.1: kept connections, and requests
with a Content-Length.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import hashlib
import json
import random
import signal
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

COMPLETIONS = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request as it was received."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float
    path: str = COMPLETIONS


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What the server does with one request.

    `body` is sent as JSON, or as it is if it is bytes; None is the answer that the request would
    have got anyway. The reply is sent after `delay` seconds; `reset` breaks the connection instead.
    `after` is sent with it, behind its end.
    """

    status: int = 200
    body: Mapping[str, Any] | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    reset: bool = False
    drip: float = 0
    drip_head: bool = False
    after: bytes = b""


def completion(
    text: str | None, *, finish_reason: str = "stop", **fields: object
) -> dict[str, Any]:
    """Return a chat completion of that text; further `fields` replace its own."""
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "test-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        **fields,
    }


def vector(text: str, dimensions: int = 8) -> list[float]:
    """Return a vector of length 1 that depends on the text alone."""
    numbers = random.Random(text)
    values = [numbers.gauss(0, 1) for _ in range(dimensions)]
    length = sum(value * value for value in values) ** 0.5
    return [value / length for value in values]


def embeddings(body: Mapping[str, Any]) -> Reply:
    """Return the embeddings of all texts of a request, in reverse order."""
    size = body.get("dimensions", 8)
    data = [
        {"object": "embedding", "index": number, "embedding": vector(text, size)}
        for number, text in enumerate(body["input"])
    ]
    tokens = sum(map(text_tokens, body["input"]))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Reply(
        body={"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}
    )


def text_tokens(text: str) -> int:
    """Return how many tokens this server counts in a text."""
    return len(text.split())


def answer(text: str) -> Reply:
    """Return a sound answer."""
    return Reply(body=completion(text))


def failure(status: int, message: str = "scripted", *, retry_after: float | None = None) -> Reply:
    """Return an error status with OpenAI's error object, and Retry-After in seconds."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    error = {"message": message, "type": "scripted_error", "code": None}
    return Reply(status=status, body={"error": error}, headers=headers)


def html(status: int = 200, text: str = "<html><body>Welcome</body></html>") -> Reply:
    """Return a page, as a proxy or a wrong base_url gives."""
    return Reply(status=status, body=text.encode(), headers={"content-type": "text/html"})


def no_choices() -> Reply:
    """Return a completion whose list of choices is empty."""
    return Reply(body=completion("", choices=[]))


def no_content(finish_reason: str = "content_filter") -> Reply:
    """Return an answer whose content is null."""
    return Reply(body=completion(None, finish_reason=finish_reason))


def truncated(text: str = "This answer was cut") -> Reply:
    """Return an answer that was cut at max_tokens."""
    return Reply(body=completion(text, finish_reason="length"))


def slow(seconds: float) -> Reply:
    """Return the answer that the request would have got anyway, later."""
    return Reply(delay=seconds)


def reset() -> Reply:
    """Break the connection without an answer."""
    return Reply(reset=True)


def default_answer(body: Mapping[str, Any]) -> str:
    """Return a text that depends on the messages alone; a score in its last line if they ask."""
    messages = json.dumps(body.get("messages"), sort_keys=True)
    digest = hashlib.sha256(messages.encode()).hexdigest()
    last = f"SCORE: {int(digest[:8], 16) % 10}" if "SCORE" in messages else digest[32:]
    return f"Answer {digest[:32]}\n{last}"


class ProviderServer:
    """The server; a context manager that listens on a free port while it is entered."""

    def __init__(
        self,
        answer: Callable[[dict[str, Any]], str | Reply] = default_answer,
        *,
        embed: Callable[[dict[str, Any]], Reply] = embeddings,
        latency: float = 0,
    ) -> None:
        self.billed: Counter[str] = Counter()
        self.billed_tokens = 0
        self.connections_made = 0
        self.embed = embed
        self.history: list[Call] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self.port = 0
        self._answer = answer
        self.latency = latency
        self._script: deque[Reply] = deque()
        self._connections: set[asyncio.Transport] = set()

    @property
    def url(self) -> str:
        """The base_url of the API."""
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *replies: Reply) -> None:
        """Let the next requests get these replies, one each."""
        self._script.extend(replies)

    def __enter__(self) -> ProviderServer:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self._loop).result(timeout=10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self.shut(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def drop_connections(self) -> None:
        """Close all connections, as a server does with those that are idle."""

        async def drop() -> None:
            for transport in list(self._connections):
                transport.close()

        asyncio.run_coroutine_threadsafe(drop(), self._loop).result(timeout=10)

    async def listen(self) -> None:
        """Accept connections in the running event loop."""
        loop = asyncio.get_running_loop()
        connection = functools.partial(_Connection, self, self._connections)
        self._server = await loop.create_server(connection, "127.0.0.1", 0, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Stop listening and drop all connections."""
        self._server.close()
        # A connection that has just been accepted is known some steps of the loop later.
        for _ in range(10):
            for transport in list(self._connections):
                transport.abort()
            await asyncio.sleep(0)
        await self._server.wait_closed()

    def received(self, call: Call) -> Reply:
        """Note a call and return the reply to it."""
        self.history.append(call)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        scripted = self._script.popleft() if self._script else Reply()
        if scripted.body is not None or scripted.reset:
            return scripted
        normal = self._normal(call)
        if isinstance(normal, str):
            normal = Reply(body=completion(normal, model=call.body.get("model")))
        return replace(
            normal,
            delay=normal.delay + scripted.delay,
            drip=scripted.drip or normal.drip,
            drip_head=scripted.drip_head or normal.drip_head,
            after=scripted.after,
        )

    def _normal(self, call: Call) -> str | Reply:
        if call.path == COMPLETIONS:
            return self._answer(call.body)
        reply = self.embed(call.body)
        if reply.status == 200 and isinstance(reply.body, Mapping):
            self.billed.update(call.body["input"])
            self.billed_tokens += reply.body["usage"]["prompt_tokens"]
        return reply

    @property
    def embedding_calls(self) -> list[Call]:
        """The requests for embeddings, in the order they came."""
        return [call for call in self.history if call.path == EMBEDDINGS]

    def answered(self) -> None:
        """Note that a call has got its reply."""
        self.in_flight -= 1


class _Connection(asyncio.Protocol):
    """One connection: reads requests, writes replies."""

    def __init__(self, server: ProviderServer, connections: set[asyncio.Transport]) -> None:
        self._server = server
        self._connections = connections
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(transport)
        self._server.connections_made += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            pairs = (line.split(":", 1) for line in lines)
            headers = {name.lower(): value.strip() for name, value in pairs}
            length = end + 4 + int(headers.get("content-length", 0))
            if len(self._buffer) < length:
                return
            content, self._buffer = self._buffer[end + 4 : length], self._buffer[length:]
            method, path, _ = first.split(" ")
            self._handle(f"{method} {path}", headers, content)

    def _handle(self, target: str, headers: dict[str, str], content: bytes) -> None:
        if target == "GET /history":
            calls = [asdict(call) for call in self._server.history]
            most = self._server.max_in_flight
            self._send(Reply(body={"calls": calls, "max_in_flight": most}))
        elif target not in (f"POST {COMPLETIONS}", f"POST {EMBEDDINGS}"):
            self._send(failure(404, f"there is no {target}"))
        else:
            path = target.removeprefix("POST ")
            call = Call(body=json.loads(content), headers=headers, at=time.time(), path=path)
            reply = self._server.received(call)
            if delay := reply.delay + self._server.latency:
                asyncio.get_running_loop().call_later(delay, self._reply, reply)
            else:
                self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        self._server.answered()
        if reply.reset:
            # Closed with a lingering time of zero, a socket sends RST.
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        body = reply.body
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {
            "content-type": "application/json",
            "x-request-id": f"req-{len(self._server.history)}",
            **reply.headers,
            "content-length": str(len(content)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {reply.status} Scripted\r\n{lines}\r\n"
        message = head.encode("latin-1") + content
        if reply.drip:
            at_once = 0 if reply.drip_head else len(head)
            self._drip(message[:at_once], message[at_once:], reply.drip)
        elif not self._transport.is_closing():
            self._transport.write(message + reply.after)

    def _drip(self, now: bytes, later: bytes, seconds: float) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(now)
        if later:
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, self._drip, later[:1], later[1:], seconds)


async def _main(port_file: Path, latency: float) -> None:
    server = ProviderServer(latency=latency)
    await server.listen()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Renamed into place: who sees the file sees the whole number.
    temporary = port_file.with_name(f"{port_file.name}.tmp")
    temporary.write_text(str(server.port))
    temporary.replace(port_file)
    await stop.wait()
    await server.shut()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--latency", type=float, default=0)
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.port_file, arguments.latency))

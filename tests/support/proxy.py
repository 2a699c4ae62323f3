"""Proxies for tests: real ones on 127.0.0.1, which pass calls on or refuse them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable

# What a proxy answers to a request's head: bytes, or None to pass the request on.
Answer = Callable[[str], bytes | None]


def says(status: str, body: str = "", *headers: str) -> bytes:
    """Return a whole answer with a status and reason, such as ``403 Forbidden``."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*lines, "", body]).encode()


class Proxy:
    """Answers each request with what `answer` makes of its head, or else opens the tunnel.

    `heads` are the heads of all requests. Without an answer, only CONNECT is served.
    """

    def __init__(self, answer: Answer = lambda _: None) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listening.getsockname()[1]
        self.heads: list[str] = []

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            received = b""
            while b"\r\n\r\n" not in received:
                if not (part := connection.recv(65_536)):
                    return
                received += part
            head, _, rest = received.partition(b"\r\n\r\n")
            self.heads.append(head.decode())
            if answer := self._answer(head.decode()):
                # A connection that is closed with bytes to read would be reset.
                _read_to_end(connection, head.decode(), len(rest))
                connection.sendall(answer)
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_copy, args=[server, connection], daemon=True)
                back.start()
                _copy(connection, server)
                back.join()


def _read_to_end(connection: socket.socket, head: str, have: int) -> None:
    lines: Iterable[str] = head.lower().splitlines()
    length = sum(int(line[15:]) for line in lines if line.startswith("content-length:"))
    while have < length and (part := connection.recv(65_536)):
        have += len(part)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while part := source.recv(65_536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return

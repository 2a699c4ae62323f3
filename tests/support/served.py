"""What the servers of batch APIs have in common: HTTP on 127.0.0.1, faults included.

`answer(body)` is the text that a request gets, directly or in a batch. A batch ends after it has
been looked at `looks` times, in the state `end`. `fault(custom_id, row)` may change the row that
comes back: return it, or None to leave it out, or a list of rows. `refuse(method, path)` may return
what is answered instead: a status, bytes such as those of a page, or ``"drop"`` to do what is asked
and break the connection. `script` gives the next direct requests other answers: a body, or a
`RefusedError`.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

Row = dict[str, Any]


class RefusedError(Exception):
    """Raised to answer with an error status."""

    def __init__(self, status: int, value: object, headers: Mapping[str, str] | None = None):
        super().__init__(status)
        self.status, self.value, self.headers = status, value, headers or {}


class Served:
    """A server; see the module's docstring. Each API says what it responds."""

    PREFIX: ClassVar[str] = "/v1"
    END: ClassVar[str] = "completed"

    def __init__(
        self,
        *,
        answer: Callable[[dict[str, Any]], str] = lambda _: "a text\nSCORE: 7",
        looks: int = 2,
        fault: Callable[[str, Row], Row | list[Row] | None] = lambda _, row: row,
        refuse: Callable[[str, str], int | str | bytes | None] = lambda _method, _path: None,
        end: str = "",
    ) -> None:
        self.answer = answer
        self.looks = looks
        self.fault = fault
        self.refuse = refuse
        self.end = end or self.END
        # Whether the answers of batches are not kept any more.
        self.gone = False
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        # How often each request was in a batch that began, and those that came directly.
        self.sent: Counter[str] = Counter()
        self.direct: list[dict[str, Any]] = []
        self.answered_rows = 0
        self.requests: Counter[tuple[str, str]] = Counter()
        # Those of the last request, with names in lower case.
        self.headers: dict[str, str] = {}
        self._script: deque[Any] = deque()
        self._lock = threading.RLock()
        self._looked: Counter[str] = Counter()
        self._server = _listening(self)

    @property
    def root(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The base_url."""
        return f"{self.root}{self.PREFIX}"

    def script(self, *answers: Any) -> None:
        """Let the next direct requests get these answers, one each."""
        self._script.extend(answers)

    def scripted(self) -> Any:
        """Return the next of these, or raise it; None if there is none left."""
        found = self._script.popleft() if self._script else None
        if isinstance(found, RefusedError):
            raise found
        return found

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, method: str, path: str, body: bytes, query: Mapping[str, str]) -> Any:
        """Return the value to send, bytes or JSON; None: there is no such thing."""
        raise NotImplementedError


def _listening(served: Served) -> ThreadingHTTPServer:
    """Return a server on a free port; it begins with `serve_forever`."""

    class Server(ThreadingHTTPServer):
        # Many connections begin at once.
        request_queue_size = 256
        daemon_threads = True

    return Server(("127.0.0.1", 0), _handler(served))


def _handler(server: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def _serve(self, method: str) -> None:
            path, _, text = self.path.partition("?")
            query = dict(pair.split("=", 1) for pair in text.split("&") if "=" in pair)
            body = self._body()
            server.requests[method, path] += 1
            server.headers = {name.lower(): value for name, value in self.headers.items()}
            refusal = server.refuse(method, path)
            if isinstance(refusal, int):
                self._send(refusal, {"error": {"message": f"scripted {refusal}"}})
                return
            if isinstance(refusal, bytes):
                self._send(200, refusal)
                return
            headers: Mapping[str, str] = {}
            try:
                value = server.respond(method, path, body, query)
                status = 404 if value is None else 200
            except RefusedError as error:
                status, value, headers = error.status, error.value, error.headers
            if refusal == "drop":
                self.close_connection = True
                return
            self._send(status, {} if value is None else value, headers)

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "") == "chunked":
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("content-length", 0)))

        def _send(
            self, status: int, value: object, headers: Mapping[str, str] | None = None
        ) -> None:
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            try:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                for name, told in (headers or {}).items():
                    self.send_header(name, told)
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler

"""Providers, called by plain HTTP.

A class says where the API is, how it takes the key, and where it answers a request. Everything else
is the same: one client, shared by all threads, sends the body as it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daydream.files import parse_json, replacing
from daydream.llm.failures import CallFailedError
from daydream.llm.providers.http import HttpProvider
from daydream.llm.request import CallClock, Request, Response, one_line

if TYPE_CHECKING:
    import httpx2

JSON = {"content-type": "application/json"}


class NativeProvider(HttpProvider):
    """Answers through an API of its own, or fails; a failure says whether to ask again."""

    def complete(self, request: Request, *, within: float | None = None) -> Response:
        """Send a request and return its answer, which must be there `within` seconds.

        Raises:
            CallError: no key, no connection, an error status, or something that is not the model's
                answer.
        """
        path, content = self._sent(request)
        clock = CallClock()
        with self.asking(request, within):
            answer = self.send("POST", path, content=content, headers=JSON)
        return self._response(answer, request, clock)

    def _sent(self, request: Request) -> tuple[str, bytes]:
        """Return the path that answers a request, and the body that is sent to it."""
        raise NotImplementedError

    def _headers(self, key: str) -> dict[str, str]:
        """Return the headers of every request."""
        raise NotImplementedError

    def _new_client(self, key: str) -> httpx2.Client:
        return self._http_client({**self._headers(key), **(self._default_headers or {})})

    def _known_as(self, status: int, body: object) -> tuple[int, float | None]:
        """Return the status that an error means, and the seconds that its body asks to wait."""
        return status, None

    def send(self, method: str, path: str, **options: Any) -> httpx2.Response:  # noqa: ANN401
        """Send something to a path of the API, or to a URL of the same server.

        Raises:
            CallFailedError: it was answered with an error status; for others, see `asking`.
        """
        client: httpx2.Client = self.connect()
        answer = client.request(method, self.url_of(path), **options)
        self._check(answer, answer.content)
        return answer

    def download(self, url: str, path: Path, *, what: str) -> None:
        """Write what a path of the API answers to a file, durably.

        Raises:
            CallFailedError: it was not answered completely.
        """
        with self.opened(url, what=what) as chunks:
            self.write(lines(chunks), path)

    def write(self, answers: Iterable[bytes], path: Path) -> None:
        """Write answers, a line each, to a file, durably and without the key."""
        with replacing(path, durable=True) as target:
            for line in answers:
                target.write(self._redaction.content(line))

    @contextmanager
    def opened(
        self, url: str, *, what: str, params: Mapping[str, str | int] | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Give what a path of the API answers, of any size, as it comes.

        Raises:
            CallFailedError: it was not answered completely.
        """
        client: httpx2.Client = self.connect()
        asked = f"{self}, {what}"
        with (
            self.asking(asked, None),
            client.stream("GET", self.url_of(url), params=params) as answer,
        ):
            if answer.status_code != 200:
                self._check(answer, answer.read())
            yield answer.iter_bytes()

    def ask(self, method: str, path: str, *, what: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the JSON object that a path of the API answers; `what` names it in errors.

        Raises:
            CallFailedError: it did not answer one.
        """
        asked = f"{self}, {what}"
        with self.asking(asked, None):
            content = self.send(method, path, **options).content
        try:
            value = parse_json(content)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            found = self.shown(content[:200].decode(errors="replace"))
            raise CallFailedError(
                f"{asked}: answered {one_line(found)}, which is not JSON; check base_url",
                again=True,
            )
        return value

    def url_of(self, path: str) -> str:
        """Return the URL of a path of the API; a path from the server's root begins with //.

        A URL of the same server is returned itself.
        """
        base = (self._base_url or "").rstrip("/")
        scheme, _, rest = base.partition("://")
        root = f"{scheme}://{rest.partition('/')[0]}"
        if path.startswith("//"):
            return f"{root}{path[1:]}"
        return path if path.startswith(f"{root}/") else f"{base}{path}"

    def _check(self, answer: httpx2.Response, content: bytes) -> None:
        self._answered = True
        if answer.is_success:
            return
        try:
            body = parse_json(content)
        except ValueError:
            body = content.decode("utf-8", "replace")
        if isinstance(body, list) and len(body) == 1:
            # Google's errors may come in a list.
            body = body[0]
        meant, wait = self._known_as(answer.status_code, body)
        raise _Refused(answer.status_code, body, answer.headers, meant, wait)

    @contextmanager
    def asking(self, asked: object, within: float | None) -> Iterator[None]:
        """Limit what is sent inside to `within` seconds, and name what failed.

        Raises:
            CallFailedError: the server could not be reached, or answered with an error.
        """
        self.connect()
        import httpx2  # noqa: PLC0415 - slow to import

        from daydream.llm import bounded  # noqa: PLC0415 - imports it

        clock = CallClock()
        try:
            with bounded.within(within):
                yield
        except _Refused as error:
            raise self.failure(
                asked,
                status=error.status,
                body=error.body,
                headers=error.headers,
                known_as=error.meant,
                wait=error.wait,
            ) from error
        except bounded.TooLongError as error:
            raise CallFailedError(
                f"{asked}: answered with {error}; lower max_tokens, or check base_url", again=False
            ) from error
        except httpx2.InvalidURL as error:
            raise self._bad_url(error) from error
        except httpx2.HTTPError as error:
            late = within is not None and clock.duration_s >= within
            url = self._base_url or ""
            raise self.unreached(error, asked, within if late else None, url=url) from error


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file that comes in chunks, each with its end."""
    rest: list[bytes] = []
    for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield b"".join([*rest, line, b"\n"])
            rest = []
        rest.append(last)
    yield b"".join(rest)


class _Refused(Exception):  # noqa: N818 - it becomes a CallFailedError
    """An answer with an error status."""

    def __init__(
        self,
        status: int,
        body: object,
        headers: Mapping[str, str],
        meant: int,
        wait: float | None,
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers
        self.meant = meant
        self.wait = wait


def as_json(value: Mapping[str, object]) -> bytes:
    """Return a body as it is sent."""
    return json.dumps(value).encode()

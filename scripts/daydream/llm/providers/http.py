"""What all providers over HTTP share: a key, a client, and what an answer or a failure says.

The answer is read from its bytes (`daydream.llm.reading`): typed objects of it would cost more than
the rest of the call, and lose what they have no field for. Its time and size are bounded
(`daydream.llm.bounded`), and the key is taken out before anything else is done with it.

Providers are called by plain HTTP, and not through their SDKs. The workflow retries, limits, bounds
and reads calls itself, and sends the body that it has hashed and kept. Of an SDK it would use the
address and two headers, for a dependency each with a retry loop, a client and types of its own.
OpenAI's took 0.6 s to import, and twice the processor time of the HTTP library for each call.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from daydream.errors import CallError
from daydream.llm.embeddings import EmbeddingRequest
from daydream.llm.failures import (
    PROXY_LOGIN,
    CallFailedError,
    exhausted,
    is_overloaded,
    may_pass,
    retry_after,
)
from daydream.llm.proxies import (
    connection_variables,
    forwarding_variable,
    proxy_logins,
    proxy_variable,
    proxy_variables,
)
from daydream.llm.reading import decoded, read_answer
from daydream.llm.redaction import Redaction
from daydream.llm.request import (
    CallClock,
    RawAnswer,
    Request,
    Response,
    error_message,
    one_line,
)
from daydream.llm.unreached import Way, trouble

if TYPE_CHECKING:
    import httpx2

# How many seconds the check before the first call waits for a server.
PROBE_S = 3
NO_KEY = "none"
# Errors that occur before anything was sent.
UNSENT = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}
)
# The headers of an answer that are kept: those about the call, not about who made it.
KEPT_HEADERS = frozenset(
    {"age", "cf-ray", "content-type", "date", "request-id", "retry-after", "server", "via"}
)
KEPT_PREFIXES = ("anthropic-ratelimit-", "openai-", "x-ratelimit-", "x-request-id", "x-generation-")

_REMEDIES = {
    400: "change the sampling settings or the model",
    401: "check the key in {key}",
    402: "top up the account of the key in {key}",
    403: "check what the key in {key} may use",
    404: "check the model in llm_models.csv and base_url",
    PROXY_LOGIN: "check base_url",
    413: "shorten the prompt",
    422: "change the sampling settings or the model",
    429: "run snakemake again later, or with fewer --cores",
}
# Where a request for embeddings is refused, other settings are to be changed.
_OF_EMBEDDINGS = {
    400: "check the texts, and the model and dimensions of embeddings",
    404: "check embeddings.model, and base_url",
    413: "lower embeddings.tokens",
    422: "check the texts, and the model and dimensions of embeddings",
}


class HttpProvider:
    """A provider at `base_url` (the API's own address if None) with a key from the environment.

    The key is read from the environment variable `api_key_env` at the first call, and nowhere else;
    None is for servers without keys. Timeouts are in seconds. Without `proxies`, calls go straight
    to the server, whatever the environment says.
    """

    # The address of the API itself; empty if the client knows it.
    URL: ClassVar[str] = ""

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key_env: str | None = None,
        connect_timeout: float = 10,
        read_timeout: float = 600,
        default_headers: Mapping[str, str] | None = None,
        proxies: bool = True,
    ) -> None:
        self._name = name
        self._base_url = base_url or self.URL or None
        self._api_key_env = api_key_env
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._default_headers = default_headers
        self._proxies = proxies
        self._client: Any = None
        self._redaction = Redaction("")
        # Whether the server, or a proxy before it, has answered in HTTP.
        self._answered = False
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return f"provider {self._name!r}"

    def shown(self, value: object) -> str:
        """Return a text that came from the server, as it may be shown: without secrets."""
        return self._redaction.text(str(value))

    def check(self) -> None:
        """Check that there is a key, and that a server listens at `base_url`.

        A network that does not answer in time is not a reason to give up before a call.

        Raises:
            CallError: there is no key, or the server's name or port is wrong.
        """
        self._key()
        if connection_variables():
            # Only then can a client not be made, and the library is not imported for nothing.
            self.connect()
        url = urlsplit(self._base_url or "")
        if not url.hostname or proxy_variable(self._base_url or ""):
            return
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            socket.create_connection((url.hostname, port), timeout=PROBE_S).close()
        except (ConnectionRefusedError, socket.gaierror) as error:
            raise CallError(
                f"provider {self._name!r}: no server answers at {url.hostname}:{port} "
                f"({error.strerror}); start the server, or correct base_url"
            ) from error
        except OSError:
            return

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def connect(self) -> Any:  # noqa: ANN401 - a client of the provider's own
        """Return the client, which is made at the first call.

        Raises:
            CallError: there is no key, or no connection can be made.
        """
        with self._lock:
            if self._client is None:
                key = self._key()
                shown = "" if self._api_key_env is None else key
                self._redaction = Redaction(shown, proxy_logins())
                self._client = self._new_client(key)
            return self._client

    def complete(self, request: Request, *, within: float | None = None) -> Response:
        """Send a request and return its answer, which must be there `within` seconds.

        Raises:
            CallError: no key, no connection, an error status, or something that is not the model's
                answer.
        """
        raise NotImplementedError

    def _new_client(self, key: str) -> Any:  # noqa: ANN401 - as above
        raise NotImplementedError

    def _http_client(self, headers: Mapping[str, str] | None = None) -> httpx2.Client:
        import httpx2  # noqa: PLC0415 - slow to import

        from daydream.llm.bounded import BoundedClient  # noqa: PLC0415 - imports it

        try:
            return BoundedClient(timeout=self._timeout, proxies=self._proxies, headers=headers)
        except (httpx2.InvalidURL, OSError, ValueError) as error:
            names = ", ".join(_unusable(error))
            reason = one_line(self._redaction.text(str(error)))
            raise CallError(
                f"provider {self._name!r}: no connection can be made ({reason}); correct or unset "
                f"in the environment: {names}"
            ) from error

    @property
    def _timeout(self) -> httpx2.Timeout:
        import httpx2  # noqa: PLC0415 - slow to import

        return httpx2.Timeout(self._read_timeout, connect=self._connect_timeout, pool=None)

    def _bad_url(self, error: Exception) -> CallError:
        return CallError(
            f"provider {self._name!r}: found the base_url "
            f"{self._redaction.text(self._base_url or '')!r} "
            f"({one_line(error)}); write one such as {self.URL or 'https://api.openai.com/v1'!r}"
        )

    def _key(self) -> str:
        if self._api_key_env is None:
            return NO_KEY
        key = os.environ.get(self._api_key_env, "").strip()
        if not key:
            raise CallError(
                f"provider {self._name!r}: found no key, as the environment variable "
                f"{self._api_key_env} is not set or empty; set it in the environment or in .env"
            )
        if not (key.isascii() and key.isprintable()):
            raise CallError(
                f"provider {self._name!r}: found a key in the environment variable "
                f"{self._api_key_env} that holds more than printable ASCII; copy it again"
            )
        return key

    def _response(self, answer: httpx2.Response, request: Request, clock: CallClock) -> Response:
        """Return what the provider answered, also if nobody can use it.

        Raises:
            CallFailedError: something else answered, such as a proxy with a page.
        """
        duration_s = clock.duration_s
        content = self._redaction.content(answer.content)
        content_type = answer.headers.get("content-type", "")
        reading = read_answer(content, content_type)
        if not reading.answered:
            problem = f"{self._redaction.text(reading.problem)}{_through(self._forwarding())}"
            raise CallFailedError(
                f"{request}: {problem}; {reading.remedy}",
                status=answer.status_code,
                again=True,
            )
        response = Response(
            body=reading.body,
            headers={
                name: self._redaction.header(value)
                for name, value in answer.headers.items()
                if name in KEPT_HEADERS or name.startswith(KEPT_PREFIXES)
            },
            started_at=clock.started_at,
            duration_s=duration_s,
            raw=None if reading.verbatim else RawAnswer(content, content_type),
            problem=self._redaction.text(reading.problem),
        )
        return self._without_key(response, request)

    def _without_key(self, response: Response, request: Request) -> Response:
        """Return an answer, or its reading alone if its bytes hold the key in another encoding.

        Raises:
            CallFailedError: its text holds the key, which its bytes have in pieces.
        """
        if response.raw is not None:
            said, _ = decoded(response.raw.content, response.raw.content_type)
            read = json.dumps(response.body, ensure_ascii=False).encode()
            if self._redaction.is_in(said.encode(errors="replace") + read):
                body = json.loads(self._redaction.content(read))
                response = replace(response, body=body, raw=None)
        try:
            text = response.text
        except CallError:
            return response
        if self._redaction.is_in(text.encode()):
            raise CallFailedError(
                f"{request}: answered with the key itself, in pieces; check base_url, and replace "
                "the key",
                again=False,
            )
        return response

    def _forwarding(self) -> str:
        """Return the variable of a proxy that may answer in the server's place; empty if none."""
        return forwarding_variable(self._base_url or "") if self._proxies else ""

    def failure(
        self,
        request: object,
        *,
        status: int,
        body: object,
        headers: Mapping[str, str],
        known_as: int | None = None,
        wait: float | None = None,
    ) -> CallFailedError:
        """Return the failure of a request that was answered with an error.

        `known_as` is the status that the error should have had, if that is another one, and `wait`
        the seconds that its body asks to wait.
        """
        meant = known_as or status
        of_embeddings = _OF_EMBEDDINGS if isinstance(request, EmbeddingRequest) else {}
        remedies = {**_REMEDIES, **of_embeddings}
        proxy = self._forwarding()
        if proxy:
            remedies[PROXY_LOGIN] = f"correct the user and password in {proxy}"
        remedy = remedies.get(meant, "run snakemake again later").format(
            key=self._api_key_env or "none (api_key_env is null)"
        )
        message = one_line(self._redaction.text(error_message(body)))
        if location := headers.get("location"):
            message = f"a redirect to {one_line(self._redaction.text(location))}"
            remedy = "write the address that answers into base_url"
            if _host(location) not in ("", _host(self._base_url or "")):
                remedy = "write that origin into base_url if it may have the prompts"
        if "HTTPS" in message and meant == 400 and (self._base_url or "").startswith("http://"):
            remedy = "write https:// into base_url if the server wants TLS"
        told = retry_after(headers)
        asked = wait if told is None else told
        return CallFailedError(
            f"{request}: answered {status} {message}{_through(proxy)}; {remedy}",
            status=meant,
            again=may_pass(meant),
            retry_after=asked,
            exhausted=exhausted(headers),
            overloaded=is_overloaded(meant, body, asked),
        )

    def unreached(
        self, cause: Exception, request: object, late: float | None, *, url: str
    ) -> CallFailedError:
        """Return the failure of a request that was not answered, within `late` seconds if given."""
        if late is not None:
            return CallFailedError(
                f"{request}: did not answer completely in the {late:.0f} s that were left of "
                f"the deadline; raise deadline of the provider",
                again=False,
            )
        from daydream.llm.bounded import was_sent  # noqa: PLC0415 - imports httpx2

        sent = type(cause).__name__ not in UNSENT and was_sent()
        proxy = proxy_variable(url) if self._proxies else ""
        timeouts = self._connect_timeout, self._read_timeout
        said = one_line(self._redaction.text(str(cause))) if str(cause) else ""
        way = Way(url, proxy, *timeouts, self._answered, sent)
        reason, remedy, hopeless = trouble(cause, said, way)
        return CallFailedError(
            f"{request}: did not answer ({reason}); {remedy}",
            again=not hopeless,
            sent=sent,
            unreachable=hopeless,
        )


def _through(proxy: str) -> str:
    return f" (through the proxy in {proxy})" if proxy else ""


def _host(url: str) -> str:
    """Return the host and port of a URL; empty if it is a path, or no URL."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _unusable(error: Exception) -> list[str]:
    """Return the variables for which no client can be made, all of them if it is not known."""
    import httpx2  # noqa: PLC0415 - slow to import

    if isinstance(error, OSError) and os.environ.get("SSL_CERT_FILE"):
        return ["SSL_CERT_FILE"]
    wrong = []
    for name, url in proxy_variables().items():
        try:
            httpx2.Proxy(url)
        except (httpx2.InvalidURL, ValueError):
            wrong.append(name)
    return wrong or connection_variables()

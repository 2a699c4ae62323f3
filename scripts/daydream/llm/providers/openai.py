"""A provider over HTTP: any server of OpenAI's chat completions.

One client of the `openai` SDK, shared by all threads, sends the request's body as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from daydream.llm.embeddings import (
    Embedded,
    EmbeddingRequest,
    NoEmbeddingsError,
    read_embeddings,
)
from daydream.llm.failures import CallFailedError
from daydream.llm.providers.http import HttpProvider
from daydream.llm.request import CallClock, Request, Response

if TYPE_CHECKING:
    import httpx2
    import openai

# The codes of an error that say that an account is empty, or may spend no more.
NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class OpenAIProvider(HttpProvider):
    """Answers through the chat completions API at `base_url` (the SDK's default if None), or fails.

    Each call sends one request. A failure says whether another attempt may help.
    """

    def complete(self, request: Request, *, within: float | None = None) -> Response:
        """Send a request and return its answer, which must be there `within` seconds.

        Raises:
            CallError: no key, no connection, an error status, or or something that is not
                the model's answer.
        """
        answer, clock = self._post("/chat/completions", request.body(), request, within)
        return self._response(answer, request, clock)

    def embed(self, request: EmbeddingRequest, *, within: float | None = None) -> Embedded:
        """Return the embeddings of some texts, which must be there `within` seconds.

        Raises:
            CallError: no key, no connection, an error status, or no usable embeddings.
        """
        answer, clock = self._post("/embeddings", request.body(), request, within)
        try:
            content = self._redaction.content(answer.content)
            return read_embeddings(content, request, started_at=clock.started_at)
        except NoEmbeddingsError as error:
            raise CallFailedError(
                f"{request}: {self._redaction.text(str(error))}; {error.remedy}",
                status=answer.status_code,
                again=error.again,
            ) from error

    def _post(
        self, path: str, body: Mapping[str, object], request: object, within: float | None
    ) -> tuple[httpx2.Response, CallClock]:
        """Send a body, and return its answer, with the time that it took."""
        client = self.connect()
        import httpx2  # noqa: PLC0415 - the SDK's HTTP library, 0.7 s with it
        import openai  # noqa: PLC0415

        from daydream.llm import bounded  # noqa: PLC0415 - imports httpx2

        content = json.dumps(body).encode()
        clock = CallClock()
        try:
            with bounded.within(within):
                answer = client.post(path, cast_to=httpx2.Response, content=content)
        except bounded.TooLongError as error:
            raise CallFailedError(
                f"{request}: answered with {error}; lower max_tokens, or check base_url",
                again=False,
            ) from error
        except openai.APIStatusError as error:
            raise self.refused(error, request) from error
        except openai.APIConnectionError as error:
            late = within is not None and clock.duration_s >= within
            raise self.unreachable(error, request, within if late else None) from error
        return answer, clock

    def connect(self) -> openai.OpenAI:
        """Return the SDK's client, which is made at the first call.

        Raises:
            CallError: there is no key, or no connection can be made.
        """
        client: openai.OpenAI = super().connect()
        return client

    def _new_client(self, key: str) -> openai.OpenAI:
        import httpx2  # noqa: PLC0415 - slow to import
        import openai  # noqa: PLC0415

        client = self._http_client()
        try:
            return openai.OpenAI(
                api_key=key,
                base_url=self._base_url,
                timeout=self._timeout,
                max_retries=0,
                default_headers=self._default_headers,
                http_client=client,
            )
        except httpx2.InvalidURL as error:
            raise self._bad_url(error) from error

    def refused(self, error: openai.APIStatusError, request: object) -> CallFailedError:
        """Return the failure of a request that was answered with an error."""
        return self.failure(
            request,
            status=error.status_code,
            body=error.body,
            headers=error.response.headers,
            # Some providers say with 429, as of too many requests, that the account is empty.
            known_as=402 if error.code in NO_MONEY else None,
        )

    def unreachable(
        self, error: openai.APIConnectionError, request: object, late: float | None
    ) -> CallFailedError:
        """Return the failure of a request that was not answered, within `late` seconds if given."""
        cause = error.__cause__
        known = cause if isinstance(cause, Exception) else error
        return self.unreached(known, request, late, url=str(error.request.url))

"""Any server of OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from daydream.llm.embeddings import (
    Embedded,
    EmbeddingRequest,
    NoEmbeddingsError,
    read_embeddings,
)
from daydream.llm.failures import CallFailedError
from daydream.llm.providers.http import NO_KEY
from daydream.llm.providers.native import JSON, NativeProvider, as_json
from daydream.llm.request import CallClock, Request

# The codes of an error that say that an account is empty, or may spend no more.
NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class OpenAIProvider(NativeProvider):
    """Answers through a chat completions API."""

    URL: ClassVar[str] = "https://api.openai.com/v1"

    def embed(self, request: EmbeddingRequest, *, within: float | None = None) -> Embedded:
        """Return the embeddings of some texts, which must be there `within` seconds.

        Raises:
            CallError: no key, no connection, an error status, or no usable embeddings.
        """
        clock = CallClock()
        with self.asking(request, within):
            content = as_json(request.body())
            answer = self.send("POST", "/embeddings", content=content, headers=JSON)
        try:
            content = self._redaction.content(answer.content)
            return read_embeddings(content, request, started_at=clock.started_at)
        except NoEmbeddingsError as error:
            raise CallFailedError(
                f"{request}: {self._redaction.text(str(error))}; {error.remedy}",
                status=answer.status_code,
                again=error.again,
            ) from error

    def _sent(self, request: Request) -> tuple[str, bytes]:
        return "/chat/completions", as_json(request.body())

    def _headers(self, key: str) -> dict[str, str]:
        return {} if key == NO_KEY else {"authorization": f"Bearer {key}"}

    def _known_as(self, status: int, body: object) -> tuple[int, float | None]:
        # Some providers say with 429, as of too many requests, that the account is empty.
        return (402 if _code(body) in NO_MONEY else status), None


def _code(body: object) -> object:
    """Return the code of an error, which may stand in it or in its `error`."""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    return error.get("code") if isinstance(error, Mapping) else None

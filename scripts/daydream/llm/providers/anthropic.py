"""Anthropic's Messages API: https://platform.claude.com/docs/en/api/messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from daydream.llm.providers.native import NativeProvider, as_json
from daydream.llm.request import Request

VERSION = "2023-06-01"
NO_MONEY = "credit balance is too low"


class AnthropicProvider(NativeProvider):
    """Answers through Anthropic's Messages API."""

    URL: ClassVar[str] = "https://api.anthropic.com/v1"

    def _sent(self, request: Request) -> tuple[str, bytes]:
        return "/messages", as_json(request.body())

    def _headers(self, key: str) -> dict[str, str]:
        return {"x-api-key": key, "anthropic-version": VERSION}

    def _known_as(self, status: int, body: object) -> tuple[int, float | None]:
        error = body.get("error") if isinstance(body, Mapping) else None
        message = error.get("message") if isinstance(error, Mapping) else None
        # An empty account is told as a bad request.
        empty = isinstance(message, str) and NO_MONEY in message
        return (402 if empty else status), None

"""Google's Gemini API: https://ai.google.dev/api/generate-content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from daydream.llm.providers.native import NativeProvider, as_json
from daydream.llm.request import Request

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")


class GeminiProvider(NativeProvider):
    """Answers through Google's Gemini API."""

    URL: ClassVar[str] = "https://generativelanguage.googleapis.com/v1beta"

    def _sent(self, request: Request) -> tuple[str, bytes]:
        body = request.body()
        model = body.pop("model")
        return f"{model_path(model)}:generateContent", as_json(body)

    def _headers(self, key: str) -> dict[str, str]:
        return {"x-goog-api-key": key}

    def _known_as(self, status: int, body: object) -> tuple[int, float | None]:
        wait = None
        for detail in _details(body):
            # A key that is not valid is told as a bad request.
            if detail.get("reason") == "API_KEY_INVALID":
                status = 401
            found = _SECONDS.fullmatch(str(detail.get("retryDelay")))
            wait = float(found[1]) if found else wait
        return status, wait


def model_path(model: str) -> str:
    """Return the path of a model, whose name may begin with its kind: models or tunedModels."""
    name = model if "/" in model else f"models/{model}"
    return f"/{quote(name)}"


def _details(body: object) -> Iterator[Mapping[str, Any]]:
    error = body.get("error") if isinstance(body, Mapping) else None
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping):
            yield detail

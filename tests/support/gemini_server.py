"""A server of Google's Gemini API and its batches on 127.0.0.1.

    with GeminiServer(answer=lambda body: "text") as server:
        ...                                     # calls go to server.url

It refuses what the API documents as refused: a member that it does not have, in a body or in
`generationConfig`, and both a level and a budget of thinking. The beginning of a prompt is cached
of itself, as far as it is equal to that of an earlier one (`least` tokens at least; a token is four
characters).

`Served` says how it is made to misbehave. A batch that is cancelled has half of its answers; one
that expires has none. Rows are such as ``{"key", "response": {…}}``.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from support.served import RefusedError, Row, Served

KNOWN = frozenset(
    {
        *("contents", "systemInstruction", "generationConfig", "safetySettings", "tools"),
        *("toolConfig", "cachedContent", "serviceTier", "store"),
    }
)
CONFIG = frozenset(
    {
        *("stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema", "seed"),
        *("candidateCount", "maxOutputTokens", "temperature", "topP", "topK", "logprobs"),
        *("presencePenalty", "frequencyPenalty", "responseLogprobs", "thinkingConfig"),
    }
)


def generated(text: str, *, finish: str = "STOP", **fields: object) -> dict[str, Any]:
    """Return a response of that text; further `fields` replace its own."""
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": text}]},
                "finishReason": finish,
                "index": 0,
            }
        ],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
        "modelVersion": "gemini-test",
        "responseId": "r1",
        **fields,
    }


def error(code: int, status: str, text: str, *details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"code": code, "message": text, "status": status, "details": [*details]}}


def prompt_of(body: Mapping[str, Any]) -> str:
    """Return the text of a request's last message."""
    return "".join(part["text"] for part in body["contents"][-1]["parts"])


class GeminiServer(Served):
    """The server; see the module's docstring."""

    PREFIX = "/v1beta"
    END = "SUCCEEDED"

    def __init__(self, *, least: int = 1024, **options: Any) -> None:
        self.least = least
        self.paths: list[str] = []
        self._prompts: list[str] = []
        super().__init__(**options)

    def respond(self, method: str, path: str, body: bytes, query: Mapping[str, str]) -> Any:
        """Return the value to send, bytes or JSON; None: there is no such thing."""
        path = unquote(path)
        with self._lock:
            self.paths.append(path)
            if method == "POST" and path.endswith(":generateContent"):
                return self._generate(json.loads(body))
            if (method, path) == ("POST", "/upload/v1beta/files"):
                headers = {"x-goog-upload-url": f"{self.root}/upload/v1beta/files/here"}
                raise RefusedError(200, {}, headers)
            if (method, path) == ("POST", "/upload/v1beta/files/here"):
                name = f"files/f{len(self.files)}"
                self.files[name] = body
                return {"file": {"name": name, "state": "ACTIVE"}}
            if found := re.fullmatch("/v1beta/(models/[^/]+):batchGenerateContent", path):
                return self._create(found[1], json.loads(body)["batch"])
            if (method, path) == ("GET", "/v1beta/batches"):
                return self._page(query)
            if found := re.fullmatch("/download/v1beta/(files/.+):download", path):
                return None if self.gone else self.files.get(found[1])
            return self._one(method, path)

    def _generate(self, body: dict[str, Any]) -> Any:
        self.direct.append(body)
        scripted = self.scripted()
        check(body)
        if scripted is not None:
            return scripted
        prompt = prompt_of(body)
        shared = max((_shared(prompt, earlier) for earlier in self._prompts), default=0)
        self._prompts.append(prompt)
        cached = {"cachedContentTokenCount": shared // 4} if shared // 4 >= self.least else {}
        usage = {"promptTokenCount": len(prompt) // 4, "candidatesTokenCount": 10, **cached}
        return generated(self.answer(body), usageMetadata=usage)

    # Batches

    def _create(self, model: str, batch: Mapping[str, Any]) -> dict[str, Any]:
        name = f"batches/b{len(self.batches)}"
        rows = self._rows(batch["inputConfig"]["fileName"])
        self.sent.update(row["key"] for row in rows)
        metadata = {
            "model": model,
            "displayName": batch["displayName"],
            "inputConfig": batch["inputConfig"],
            "state": "BATCH_STATE_PENDING",
            "createTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "batchStats": {"requestCount": str(len(rows)), "pendingRequestCount": str(len(rows))},
        }
        self.batches[name] = {"name": name, "metadata": metadata, "done": False}
        return self.batches[name]

    def _rows(self, file: str) -> list[Row]:
        return [json.loads(line) for line in self.files[file].splitlines()]

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        names = list(self.batches)[::-1]
        start, size = int(query.get("pageToken", "0")), int(query["pageSize"])
        listed = [self.batches[name] for name in names[start : start + size]]
        more = {"nextPageToken": str(start + size)} if start + size < len(names) else {}
        return {"operations": listed, **more}

    def _one(self, method: str, path: str) -> Any:
        found = re.fullmatch("/v1beta/(batches/[^:]+)(:cancel)?", path)
        batch = self.batches.get(found[1]) if found else None
        if batch is None or found is None:
            raise RefusedError(404, error(404, "NOT_FOUND", f"no {path}"))
        if found[2]:
            self._finish(batch, "CANCELLED")
            return {}
        if method == "GET" and not batch["done"]:
            self._looked[batch["name"]] += 1
            if self._looked[batch["name"]] >= self.looks:
                self._finish(batch, self.end)
        return batch

    def _finish(self, batch: dict[str, Any], state: str) -> None:
        metadata = batch["metadata"]
        metadata["state"] = f"BATCH_STATE_{state}"
        batch["done"] = True
        if state == "FAILED":
            batch["error"] = {"code": 3, "message": "the file is not valid"}
            return
        requests = self._rows(metadata["inputConfig"]["fileName"])
        answered = {"CANCELLED": len(requests) // 2, "EXPIRED": 0}.get(state, len(requests))
        rows: list[Row] = []
        for request in requests[:answered]:
            check(request["request"])
            usage = {"promptTokenCount": 100, "candidatesTokenCount": 10}
            text = self.answer(request["request"])
            row = {"key": request["key"], "response": generated(text, usageMetadata=usage)}
            made = self.fault(request["key"], row)
            rows += [made] if isinstance(made, dict) else made or []
        random.Random(0).shuffle(rows)
        failed = sum("error" in row for row in rows)
        metadata["batchStats"] = {
            "requestCount": str(len(requests)),
            "successfulRequestCount": str(len(rows) - failed),
            "failedRequestCount": str(failed),
        }
        if state != "EXPIRED":
            name = f"files/results-{batch['name'].partition('/')[2]}"
            self.files[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
            batch["response"] = {"responsesFile": name}


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts have in common from the first on."""
    length = min(len(one), len(other))
    return next((n for n in range(length) if one[n] != other[n]), length)


def check(body: Mapping[str, Any]) -> None:
    """Refuse a body that the API does not take."""
    config = body.get("generationConfig", {})
    unknown = (body.keys() - KNOWN) | (config.keys() - CONFIG)
    found = f'Unknown name "{min(unknown)}"' if unknown else ""
    if {"thinkingLevel", "thinkingBudget"} <= config.get("thinkingConfig", {}).keys():
        found = "thinking_level and thinking_budget cannot be set together"
    if found:
        raise RefusedError(400, error(400, "INVALID_ARGUMENT", found))

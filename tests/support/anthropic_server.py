"""A server of Anthropic's Messages API and its batches on 127.0.0.1, prompt caching included.

    with AnthropicServer(answer=lambda body: "text") as server:
        ...                                     # calls go to server.url
        assert server.read > 0                  # tokens that came from its cache

It refuses what the API documents as refused: a body without `max_tokens`, a setting that it does
not have, a blank part of a text, more than four cache points.

A prefix up to a cache point is kept in the cache once the first answer to it begins, `latency`
seconds after its request came; requests that come before that do not find it. It is kept for `ttl`
seconds after it was last used. A prefix of less than `least` tokens is not kept. A token is four
characters.

`Served` says how it is made to misbehave. Half of a batch is answered if it ends as ``expired`` or
is cancelled. Rows are such as ``{"custom_id", "result": {"type": "succeeded", "message": {…}}}``.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from support.served import RefusedError, Row, Served

KNOWN = frozenset(
    {
        *("model", "messages", "max_tokens", "system", "stop_sequences", "metadata"),
        *("temperature", "top_p", "top_k", "thinking", "output_config", "service_tier"),
        *("tools", "tool_choice", "cache_control"),
    }
)


def message(text: str, *, stop_reason: str = "end_turn", **fields: object) -> dict[str, Any]:
    """Return a message of that text; further `fields` replace its own."""
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
        **fields,
    }


def error(kind: str, text: str) -> dict[str, Any]:
    """Return the body of an error."""
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}


def errored(row: Row, kind: str, text: str = "scripted") -> Row:
    """Return the row of a request that failed."""
    return {**row, "result": {"type": "errored", "error": error(kind, text)}}


class AnthropicServer(Served):
    """The server; see the module's docstring."""

    END = "ended"

    def __init__(
        self, *, latency: float = 0, ttl: float = 300, least: int = 1024, **options: Any
    ) -> None:
        self.latency = latency
        self.ttl = ttl
        self.least = least
        # The tokens of prefixes that were read from the cache, and those that were written to it.
        self.read = self.written = 0
        self._rows: dict[str, list[Row]] = {}
        self._results: dict[str, bytes] = {}
        # When each prefix was kept, and when it was last used.
        self._cache: dict[str, tuple[float, float]] = {}
        super().__init__(**options)

    def respond(self, method: str, path: str, body: bytes, query: Mapping[str, str]) -> Any:
        """Return the value to send, bytes or JSON; None: there is no such thing."""
        if (method, path) == ("POST", "/v1/messages"):
            return self._message(json.loads(body))
        with self._lock:
            if (method, path) == ("POST", "/v1/messages/batches"):
                return self._create(json.loads(body)["requests"])
            if (method, path) == ("GET", "/v1/messages/batches"):
                return self._page(query)
            return self._one(method, path)

    # Messages

    def _message(self, body: dict[str, Any]) -> Any:
        came = time.monotonic()
        with self._lock:
            self.direct.append(body)
            scripted = self.scripted()
        check(body)
        usage = self._usage(body, came)
        time.sleep(self.latency)
        if scripted is not None:
            return scripted
        return message(self.answer(body), model=body["model"], usage=usage)

    def _usage(self, body: dict[str, Any], came: float) -> dict[str, Any]:
        prefix, whole = _prefix(body)
        size = len(prefix) // 4
        read = written = 0
        with self._lock:
            if size >= self.least:
                kept, used = self._cache.get(prefix, (float("inf"), came))
                if kept <= came <= used + self.ttl:
                    read = size
                    self._cache[prefix] = (kept, came)
                else:
                    written = size
                    begins = came + self.latency
                    fresh = used + self.ttl < came or kept > begins
                    self._cache[prefix] = (begins if fresh else kept, begins)
            self.read += read
            self.written += written
        hour = '"ttl": "1h"' in json.dumps(body["messages"])
        return {
            "cache_creation": {
                "ephemeral_5m_input_tokens": 0 if hour else written,
                "ephemeral_1h_input_tokens": written if hour else 0,
            },
            "input_tokens": len(whole) // 4 - size if read or written else len(whole) // 4,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "output_tokens": 10,
        }

    # Batches

    def _create(self, rows: list[Row]) -> dict[str, Any]:
        names = [row["custom_id"] for row in rows]
        if len(set(names)) < len(names):
            raise RefusedError(400, error("invalid_request_error", "custom_ids must be unique"))
        for name in names:
            if not re.fullmatch("[a-zA-Z0-9_-]{1,64}", name):
                raise RefusedError(400, error("invalid_request_error", f"custom_id {name}"))
        name = f"msgbatch_{len(self.batches)}"
        now = datetime.now(UTC)
        self.sent.update(names)
        self._rows[name] = rows
        self.batches[name] = {
            "id": name,
            "type": "message_batch",
            "processing_status": "in_progress",
            "request_counts": {**_NO_COUNTS, "processing": len(rows)},
            "created_at": now.isoformat(),
            "expires_at": (now + timedelta(hours=24)).isoformat(),
            "ended_at": None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": None,
        }
        return self.batches[name]

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        names = list(self.batches)[::-1]
        if "after_id" in query:
            names = names[names.index(query["after_id"]) + 1 :]
        limit = int(query.get("limit", "20"))
        data = [self.batches[name] for name in names[:limit]]
        last = data[-1]["id"] if data else None
        return {"data": data, "has_more": len(names) > limit, "last_id": last}

    def _one(self, method: str, path: str) -> Any:
        found = re.fullmatch(r"/v1/messages/batches/([^/]+)(/cancel|/results)?", path)
        batch = self.batches.get(found[1]) if found else None
        if batch is None or found is None:
            raise RefusedError(404, error("not_found_error", f"no {path}"))
        if found[2] == "/results":
            if self.gone or batch["results_url"] is None:
                raise RefusedError(404, error("not_found_error", "the results are not available"))
            return self._results[batch["id"]]
        if found[2]:
            batch["cancel_initiated_at"] = datetime.now(UTC).isoformat()
            batch["processing_status"] = "canceling"
        elif method == "GET":
            self._looked[batch["id"]] += 1
            state = batch["processing_status"]
            if state == "canceling":
                self._finish(batch, "canceled")
            elif state == "in_progress" and self._looked[batch["id"]] >= self.looks:
                self._finish(batch, self.end)
        return batch

    def _finish(self, batch: dict[str, Any], how: str) -> None:
        requests = self._rows[batch["id"]]
        answered = len(requests) if how == "ended" else len(requests) // 2
        rows: list[Row] = []
        for number, request in enumerate(requests):
            row: Row = {"custom_id": request["custom_id"], "result": {"type": how}}
            if number < answered:
                text = self.answer(request["params"])
                usage = {"input_tokens": 100, "output_tokens": 10}
                row["result"] = {"type": "succeeded", "message": message(text, usage=usage)}
            made = self.fault(request["custom_id"], row)
            rows += [made] if isinstance(made, dict) else made or []
        kinds = Counter(row["result"]["type"] for row in rows)
        self.answered_rows += kinds["succeeded"]
        batch["request_counts"] = {**_NO_COUNTS, **kinds}
        random.Random(0).shuffle(rows)
        name = batch["id"]
        self._results[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        batch["processing_status"] = "ended"
        batch["ended_at"] = datetime.now(UTC).isoformat()
        batch["results_url"] = f"https://elsewhere.invalid/v1/messages/batches/{name}/results"


_NO_COUNTS = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)


def check(body: Mapping[str, Any]) -> None:
    """Refuse a body that the API does not take."""
    parts = [
        part
        for each in body["messages"]
        for part in (each["content"] if isinstance(each["content"], list) else [])
    ]
    texts = [each["content"] for each in body["messages"] if isinstance(each["content"], str)]
    texts += [part["text"] for part in parts]
    unknown = body.keys() - KNOWN
    if unknown:
        found = f"{min(unknown)}: Extra inputs are not permitted"
    elif "max_tokens" not in body:
        found = "max_tokens: Field required"
    elif not all(text.strip() for text in texts):
        found = "messages: text content blocks must contain non-whitespace text"
    elif sum("cache_control" in part for part in parts) > 4:
        found = "A maximum of 4 blocks with cache_control may be provided"
    else:
        return
    raise RefusedError(400, error("invalid_request_error", found))


def _prefix(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text up to the last cache point, and the whole."""
    whole = str(body.get("system", ""))
    prefix = ""
    for each in body["messages"]:
        content = each["content"]
        for part in content if isinstance(content, list) else [{"text": content}]:
            whole += part["text"]
            prefix = whole if "cache_control" in part else prefix
    return prefix, whole

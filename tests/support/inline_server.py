"""A server of batches in OpenRouter's shape on 127.0.0.1.

    with InlineServer(answer=lambda body: "text") as server:
        ...                                     # calls go to server.url

It refuses what the API documents as refused: `requests` before `endpoint` and `model`, a request
with another model, a custom_id that comes twice. What it stores it answers with 202; a batch that
is then found invalid has failed. It has no request that ends a batch.

`Served` says how it is made to misbehave. Half of a batch that expires is answered. With
`pages=False` it is an older deployment, whose results are in the batch object alone. It counts no
requests of a batch before it has looked at it if `counts_late`. A `PAGE` of results and of batches
is small, and with `first_page_only` what is asked for after a page is that page again.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from support.batch_server import BatchServer
from support.served import RefusedError, Row

PAGE = 3
TERMINAL = ("completed", "failed", "expired", "cancelled")


def invalid(text: str, status: int = 400) -> RefusedError:
    """Return the answer to a body that the API does not take."""
    return RefusedError(status, {"error": {"code": status, "message": text}})


class InlineServer(BatchServer):
    """The server; see the module's docstring."""

    def __init__(
        self,
        *,
        pages: bool = True,
        counts_late: bool = False,
        first_page_only: bool = False,
        **options: Any,
    ) -> None:
        self.pages = pages
        self.counts_late = counts_late
        self.first_page_only = first_page_only
        # The bodies that batches began with, and their results.
        self.asked: dict[str, dict[str, Any]] = {}
        self.results: dict[str, list[Row]] = {}
        super().__init__(**options)

    def respond(self, method: str, path: str, body: bytes, query: Mapping[str, str]) -> Any:
        """Return the value to send, bytes or JSON; None: there is no such thing."""
        if path == "/v1/files":
            return None
        if (method, path) == ("POST", "/v1/batches"):
            with self._lock:
                raise RefusedError(202, self._create(json.loads(body)))
        if found := re.fullmatch("/v1/batches/([^/]+)/results", path):
            with self._lock:
                return self._results(found[1], query)
        return super().respond(method, path, body, query)

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        members = list(asked)
        if not {"endpoint", "model"} <= {*members[: members.index("requests")]}:
            raise invalid("endpoint and model must come before requests")
        model = asked["model"]
        if any(row["body"].get("model", model) != model for row in asked["requests"]):
            raise invalid("the model of a request differs from that of its batch")
        names = [row["custom_id"] for row in asked["requests"]]
        if len({*names}) < len(names):
            raise invalid("a custom_id comes twice", 422)
        name = f"batch-{len(self.batches)}"
        self.asked[name] = asked
        self.sent.update(names)
        total = 0 if self.counts_late else len(names)
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": asked["endpoint"],
            "model": model,
            "completion_window": "24h",
            "status": "validating",
            "created_at": int(time.time()),
            "expires_at": None,
            "finalized_at": None,
            "provider": None,
            "request_counts": {"total": total, "completed": 0, "failed": 0},
            "usage": None,
            "results": None,
            "error": None,
        }
        return self.batches[name]

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        names = list(self.batches)[::-1]
        after = "" if self.first_page_only else query.get("after", "")
        names = names[names.index(after) + 1 :] if after else names
        data = [self.batches[name] for name in names[:PAGE]]
        return {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": self.first_page_only or len(names) > PAGE,
        }

    def _one(self, method: str, path: str) -> Any:
        batch = self.batches.get(path.removeprefix("/v1/batches/"))
        if batch is None or method != "GET":
            raise invalid(f"no {path}", 404)
        self._looked[batch["id"]] += 1
        if batch["status"] not in TERMINAL and self._looked[batch["id"]] >= self.looks:
            self._finish(batch, self.end)
        return {**batch, "results": None if self.gone else self.results.get(batch["id"])}

    def _results(self, name: str, query: Mapping[str, str]) -> dict[str, Any]:
        rows = self.results.get(name)
        if not self.pages or self.gone or rows is None:
            raise invalid("no results", 404)
        start = 0 if self.first_page_only else int(query.get("cursor", "0"))
        end = start + min(PAGE, int(query["limit"]))
        more = end < len(rows)
        return {
            "object": "list",
            "data": rows[start:end],
            "has_more": more,
            "next_cursor": str(end) if more else None,
        }

    def _finish(self, batch: dict[str, Any], state: str) -> None:
        batch["status"] = state
        batch["finalized_at"] = int(time.time())
        asked = self.asked[batch["id"]]["requests"]
        counts = batch["request_counts"] = {"total": len(asked), "completed": 0, "failed": 0}
        if state == "failed":
            batch["error"] = {"code": "invalid", "message": "the requests are not valid"}
            return
        answers, errors = self.rows_of(asked[: len(asked) // 2] if state == "expired" else asked)
        counts |= {"completed": len(answers), "failed": len(errors)}
        self.results[batch["id"]] = answers + errors

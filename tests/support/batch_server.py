"""A provider with batches in OpenAI's shape: a real HTTP server on 127.0.0.1, faults included.

    with BatchServer(answer=lambda body: "text") as server:
        project.serve(server.url)
        ...
        assert server.sent == {custom_id: how often it was in a batch that began}

`Served` says how it is made to misbehave. A batch that ends as ``expired`` or is cancelled has half
of its answers. Its `bill` is what was answered: batches at half the price of direct calls.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Mapping
from typing import Any

from support.provider_server import completion
from support.served import Row, Served

PROMPT_TOKENS, COMPLETION_TOKENS = 100, 10
USAGE = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS}


def failed(row: Row, status: int) -> Row:
    """Return the row of a request that failed with that status."""
    error = {"error": {"message": f"failed with {status}", "type": "test"}}
    return {**row, "response": {"status_code": status, "body": error}}


class BatchServer(Served):
    """The server; see the module's docstring."""

    def bill(self, usd_in: float, usd_out: float) -> float:
        """Return what it charges, with prices per million tokens."""
        each = (PROMPT_TOKENS * usd_in + COMPLETION_TOKENS * usd_out) / 1e6
        return each * (len(self.direct) + self.answered_rows / 2)

    def respond(self, method: str, path: str, body: bytes, query: Mapping[str, str]) -> Any:
        """Return the value to send, bytes or JSON; None: there is no such thing."""
        with self._lock:
            if (method, path) == ("POST", "/v1/chat/completions"):
                asked = json.loads(body)
                self.direct.append(asked)
                return self.scripted() or completion(self.answer(asked), usage=USAGE)
            if (method, path) == ("POST", "/v1/files"):
                name = f"file-{len(self.files)}"
                self.files[name] = _uploaded(body)
                return {"id": name, "object": "file", "purpose": "batch"}
            if (method, path) == ("POST", "/v1/batches"):
                return self._create(json.loads(body))
            if (method, path) == ("GET", "/v1/batches"):
                return self._page(query)
            return self._one(method, path)

    def _one(self, method: str, path: str) -> Any:
        if found := re.fullmatch(r"/v1/files/([^/]+)/content", path):
            return self.files.get(found[1])
        found = re.fullmatch(r"/v1/batches/([^/]+)(/cancel)?", path)
        batch = self.batches.get(found[1]) if found else None
        if batch is None or found is None:
            return None
        if found[2]:
            self._finish(batch, "cancelled")
        elif method == "GET":
            self._looked[batch["id"]] += 1
            if batch["status"] == "in_progress" and self._looked[batch["id"]] >= self.looks:
                self._finish(batch, self.end)
        return batch

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = f"batch-{len(self.batches)}"
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        self.sent.update(line["custom_id"] for line in lines)
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": asked["endpoint"],
            "input_file_id": asked["input_file_id"],
            "completion_window": asked["completion_window"],
            "status": "in_progress",
            "created_at": int(time.time()),
            "expires_at": int(time.time()) + 86_400,
            "metadata": asked.get("metadata"),
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }
        return self.batches[name]

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        names = list(self.batches)[::-1]
        if "after" in query:
            names = names[names.index(query["after"]) + 1 :]
        limit = int(query.get("limit", "20"))
        data = [self.batches[name] for name in names[:limit]]
        return {"object": "list", "data": data, "has_more": len(names) > limit}

    def _finish(self, batch: dict[str, Any], state: str) -> None:
        batch["status"] = state
        if state == "failed":
            error = {"code": "invalid", "message": "the file is not valid", "line": 1}
            batch["errors"] = {"object": "list", "data": [error]}
            return
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        if state in ("expired", "cancelled"):
            lines = lines[: len(lines) // 2]
        answers, errors = self.rows_of(lines)
        for name, found in (("output", answers), ("error", errors)):
            if found:
                file = f"file-{name}-{batch['id']}"
                self.files[file] = b"".join(json.dumps(row).encode() + b"\n" for row in found)
                batch[f"{name}_file_id"] = file
        batch["request_counts"] |= {"completed": len(answers), "failed": len(errors)}

    def rows_of(self, lines: list[Row]) -> tuple[list[Row], list[Row]]:
        """Return the rows with the answers to requests, in any order, and those with errors."""
        answers: list[Row] = []
        errors: list[Row] = []
        for line in lines:
            row: Row = {
                "id": f"row-{line['custom_id']}",
                "custom_id": line["custom_id"],
                "response": {
                    "status_code": 200,
                    "request_id": "r",
                    "body": completion(self.answer(line["body"]), usage=USAGE),
                },
                "error": None,
            }
            made = self.fault(line["custom_id"], row)
            rows = [made] if isinstance(made, dict) else made or []
            good = [each for each in rows if (each["response"] or {}).get("status_code") == 200]
            self.answered_rows += any("choices" in each["response"]["body"] for each in good)
            answers += good
            errors += [each for each in rows if each not in good]
        random.Random(0).shuffle(answers)
        return answers, errors


def _uploaded(body: bytes) -> bytes:
    """Return the file in a form of multipart/form-data."""
    boundary = body.partition(b"\r\n")[0]
    for part in body.split(boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="file"' in head:
            return content.removesuffix(b"\r\n")
    raise ValueError(body[:100])

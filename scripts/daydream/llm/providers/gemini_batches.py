"""Batches in Gemini's shape: a file of requests is uploaded, and a file of responses comes back.

https://ai.google.dev/gemini-api/docs/batch-api describes them. A batch is of one model, and an
operation whose metadata tell its state and name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from daydream.files import parse_json
from daydream.llm.batches import MOST_LISTED, RemoteBatch, not_a_batch
from daydream.llm.failures import CallFailedError
from daydream.llm.providers.gemini import model_path
from daydream.llm.providers.native import JSON, NativeProvider
from daydream.llm.request import Request, error_message
from daydream.llm.rfc3339 import time_of

PAGE = 100
# Google's words for states from which a batch goes no further, and ours. They begin with
# BATCH_STATE_ or JOB_STATE_.
OVER: Mapping[str, str] = {
    "SUCCEEDED": "completed",
    "PARTIALLY_SUCCEEDED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
}
UPLOAD = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
FINISH = {"x-goog-upload-offset": "0", "x-goog-upload-command": "upload, finalize"}


class GeminiBatches:
    """The batches of a `GeminiProvider`, called with its key and connection."""

    cancels = True

    def __init__(self, provider: NativeProvider) -> None:
        self._provider = provider
        self._version = urlsplit(provider.url_of("")).path

    def alike(self, request: Request) -> str:
        """Return the model."""
        return request.model

    def upload(self, path: Path) -> str:
        """Send a file of requests, and return its name and the model that it is for."""
        model, content = _requests(path)
        what = "the file of a batch"
        kind = "application/jsonl"
        headers = {
            **JSON,
            **UPLOAD,
            "x-goog-upload-header-content-length": str(len(content)),
            "x-goog-upload-header-content-type": kind,
        }
        begin = json.dumps({"file": {"displayName": path.parent.name}}).encode()
        asked = f"{self._provider}, {what}"
        with self._provider.asking(asked, None):
            answer = self._provider.send(
                "POST", f"//upload{self._version}/files", content=begin, headers=headers
            )
        url = answer.headers.get("x-goog-upload-url", "")
        if not url.startswith(self._provider.url_of("//")):
            # The key goes with every request.
            raise self._strange(what, f"upload to {url!r}", again=False)
        value = self._provider.ask(
            "POST", url, what=what, content=content, headers={"content-type": kind, **FINISH}
        )
        file = value.get("file")
        name = file.get("name") if isinstance(file, Mapping) else None
        if not (isinstance(name, str) and name):
            raise self._strange(what, value)
        return f"{name} {model}"

    def create(self, name: str, file: str) -> RemoteBatch:
        """Begin the batch of a file."""
        uploaded, _, model = file.partition(" ")
        batch = {"displayName": name, "inputConfig": {"fileName": uploaded}}
        content = json.dumps({"batch": batch}).encode()
        path = f"{model_path(model)}:batchGenerateContent"
        what = f"batch {name}"
        return self._batch(
            self._provider.ask("POST", path, what=what, content=content, headers=JSON), what
        )

    def recent(self) -> Iterator[RemoteBatch]:
        """Yield the batches of the project, the latest first."""
        what = "the list of batches"
        after: dict[str, object] = {}
        for _ in range(MOST_LISTED // PAGE):
            params = {"pageSize": PAGE, **after}
            page = self._provider.ask("GET", "/batches", what=what, params=params)
            listed = page.get("operations")
            for each in listed if isinstance(listed, list) else ():
                if isinstance(each, dict):
                    yield self._batch(each, what)
            token = page.get("nextPageToken")
            if not token:
                return
            after = {"pageToken": token}

    def look(self, remote_id: str) -> RemoteBatch:
        """Return a batch as it is now."""
        what = f"batch {remote_id}"
        return self._batch(self._provider.ask("GET", f"/{quote(remote_id)}", what=what), what)

    def download(self, file: str, path: Path) -> None:
        """Write a file of responses to `path`, durably."""
        url = f"//download{self._version}/{quote(file)}:download?alt=media"
        self._provider.download(url, path, what=f"the answers {file}")

    def cancel(self, remote_id: str) -> RemoteBatch:
        """Ask the provider to end a batch."""
        what = f"batch {remote_id}"
        self._provider.ask("POST", f"/{quote(remote_id)}:cancel", what=what)
        return self.look(remote_id)

    def holds(self, _remote: RemoteBatch, _names: Collection[str]) -> bool | None:
        """Tell that no batch is ours by its requests: ours have a name."""
        return False

    def _strange(self, what: str, value: object, *, again: bool = True) -> CallFailedError:
        found = self._provider.shown(value if isinstance(value, str) else json.dumps(value))
        return not_a_batch(f"{self._provider}, {what}", found, again=again)

    def _batch(self, value: Mapping[str, Any], what: str) -> RemoteBatch:
        """Return what an operation says; parts of it may be missing or of another kind."""
        name, told = value.get("name"), _mapping(value.get("metadata"))
        word = told.get("state")
        if not (isinstance(name, str) and name and isinstance(word, str)):
            raise self._strange(what, value)
        short = word.removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
        counts, error = _mapping(told.get("batchStats")), value.get("error")
        # Of one that is over without a result, only the error says so.
        state = OVER.get(short, "failed" if error and value.get("done") else word)
        response = _mapping(value.get("response"))
        results = response.get("responsesFile") or _mapping(told.get("output")).get("responsesFile")
        config = _mapping(told.get("inputConfig"))
        return RemoteBatch(
            remote_id=name,
            state=state,
            over=state in OVER.values(),
            name=str(told.get("displayName") or ""),
            input_file=f"{config.get('fileName') or ''} {_short(told.get('model'))}".strip(),
            completed=_count(counts.get("successfulRequestCount")),
            failed=_count(counts.get("failedRequestCount")),
            total=_count(counts.get("requestCount")),
            output=results if isinstance(results, str) and results else None,
            problem=(error_message(error) if error else "no reason was given")
            if state == "failed"
            else "",
            created_at=time_of(told.get("createTime")),
        )


def _requests(path: Path) -> tuple[str, bytes]:
    """Return the model of a file of requests, and the file as the API takes it."""
    model, lines = "", []
    with path.open(encoding="utf-8") as file:
        for line in file:
            value = parse_json(line)
            body = dict(value["body"])
            model = str(body.pop("model"))
            lines.append(json.dumps({"key": value["custom_id"], "request": body}).encode())
    return model, b"\n".join([*lines, b""])


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _short(model: object) -> str:
    return str(model or "").removeprefix("models/")


def _count(value: object) -> int:
    """Return a count, which is a text in Google's JSON."""
    try:
        return max(0, int(str(value)))
    except ValueError:
        return 0

"""Batches in OpenAI's shape: a file of requests is uploaded, and two files of answers come back.

https://platform.openai.com/docs/guides/batch describes them. Groq and others have the same shape.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from daydream.llm.batches import MOST_LISTED, RemoteBatch, not_a_batch
from daydream.llm.providers.native import JSON, NativeProvider, as_json
from daydream.llm.request import Request, error_message, one_line

PATH: Final = "/batches"
ENDPOINT: Final = "/v1/chat/completions"
WINDOW: Final = "24h"
# The name of the note in a batch's metadata that says which batch of ours it is.
NOTE = "daydream"
# A state that is not among these is one that the provider may still leave.
OVER = frozenset({"completed", "failed", "expired", "cancelled", "canceled"})
PAGE = 100


def request_line(custom_id: str, body: Mapping[str, object]) -> str:
    """Return the line of a request in the file of a batch."""
    value = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(value, ensure_ascii=False) + "\n"


class OpenAIBatches:
    """The batches of an `OpenAIProvider`, called with its key and connection."""

    cancels = True

    def __init__(self, provider: NativeProvider) -> None:
        self._provider = provider

    def alike(self, _request: Request) -> str:
        """Return nothing: a batch may hold any requests."""
        return ""

    def upload(self, path: Path) -> str:
        """Send a file of requests, and return its id."""
        what = "the file of a batch"
        with path.open("rb") as file:
            parts = {"data": {"purpose": "batch"}, "files": {"file": (path.name, file)}}
            sent = self._provider.ask("POST", "/files", what=what, **parts)
        with self._read(what):
            return _text(sent, "id")

    def create(self, name: str, file: str) -> RemoteBatch:
        """Begin the batch of a file."""
        content = as_json(
            {
                "completion_window": WINDOW,
                "endpoint": ENDPOINT,
                "input_file_id": file,
                "metadata": {NOTE: name},
            }
        )
        return self._asked("POST", PATH, what="a batch", content=content, headers=JSON)

    def recent(self) -> Iterator[RemoteBatch]:
        """Yield the batches of the account, the latest first."""
        what = "the list of batches"
        after: dict[str, object] = {}
        seen: set[str] = set()
        for _ in range(MOST_LISTED // PAGE):
            page = self._provider.ask("GET", PATH, what=what, params={"limit": PAGE, **after})
            with self._read(what):
                # If it is no list, it is not known what has begun.
                found = [self._described(each) for each in _list(page) if isinstance(each, dict)]
            new = [each for each in found if each.remote_id not in seen]
            yield from new
            # Some servers answer with the first page, whichever is asked for.
            if not new or not page.get("has_more"):
                return
            seen.update(each.remote_id for each in new)
            after = {"after": found[-1].remote_id}

    def look(self, remote_id: str) -> RemoteBatch:
        """Return a batch as it is now."""
        return self._asked("GET", f"{PATH}/{remote_id}", what=f"batch {remote_id}")

    def download(self, file: str, path: Path) -> None:
        """Write a file of answers to `path`, durably."""
        self._provider.download(f"/files/{file}/content", path, what=f"the answers {file}")

    def cancel(self, remote_id: str) -> RemoteBatch:
        """Ask the provider to end a batch."""
        return self._asked("POST", f"{PATH}/{remote_id}/cancel", what=f"batch {remote_id}")

    def holds(self, _remote: RemoteBatch, _names: Collection[str]) -> bool | None:
        """Tell that no batch is ours by its requests: ours have a name."""
        return False

    def _asked(
        self,
        method: str,
        path: str,
        *,
        what: str,
        **options: Any,  # noqa: ANN401
    ) -> RemoteBatch:
        answer = self._provider.ask(method, path, what=what, **options)
        with self._read(what):
            return self._described(answer)

    def _described(self, value: Mapping[str, Any]) -> RemoteBatch:
        """Return what a batch object says; parts of it may be missing or of another kind."""
        return described(value)

    @contextmanager
    def _read(self, what: str) -> Iterator[None]:
        """Name `what` was asked for if the answer is not what it should be."""
        try:
            yield
        except ValueError as error:
            asked = f"{self._provider}, {what}"
            raise not_a_batch(asked, self._provider.shown(error)) from error


def described(value: Mapping[str, Any]) -> RemoteBatch:
    """Return what a batch object says; parts of it may be missing or of another kind."""
    state = _text(value, "status")
    counts = value.get("request_counts")
    metadata = value.get("metadata")
    numbers = counts if isinstance(counts, Mapping) else {}
    notes = metadata if isinstance(metadata, Mapping) else {}
    return RemoteBatch(
        remote_id=_text(value, "id"),
        state=state,
        over=state in OVER,
        name=str(notes.get(NOTE) or ""),
        input_file=str(value.get("input_file_id") or ""),
        completed=_count(numbers.get("completed")),
        failed=_count(numbers.get("failed")),
        total=_count(numbers.get("total")),
        output=_name(value.get("output_file_id")),
        errors=_name(value.get("error_file_id")),
        problem=_problem(value.get("errors")) if state == "failed" else "",
        created_at=_time(value.get("created_at")),
        expires_at=_time(value.get("expires_at")),
    )


def _list(page: Mapping[str, Any]) -> list[object]:
    found = page.get("data")
    if not isinstance(found, list):
        raise ValueError(f"it has no data: {one_line(json.dumps(page))}")  # noqa: TRY004
    return found


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not (isinstance(found, str) and found):
        raise ValueError(f"it has no {name}: {one_line(json.dumps(value))}")
    return found


def _problem(errors: object) -> str:
    listed = errors.get("data") if isinstance(errors, Mapping) else errors
    if isinstance(listed, list):
        listed = listed[0] if listed else None
    return error_message(listed) if listed else "no reason was given"


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None

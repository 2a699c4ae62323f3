"""Batches in Anthropic's shape: requests are sent in one body, and a file of results comes back.

https://platform.claude.com/docs/en/build-with-claude/batch-processing describes them. They have no
name and no note. So a batch that may have begun is known again by its size and time, and for
certain by the custom_ids of its results, once there are any.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from daydream.llm.batches import (
    GONE,
    MOST_LISTED,
    RemoteBatch,
    inline_body,
    is_ours,
    not_a_batch,
)
from daydream.llm.failures import CallFailedError
from daydream.llm.providers.native import JSON, NativeProvider, lines
from daydream.llm.request import Request
from daydream.llm.rfc3339 import time_of

PATH = "/messages/batches"
PAGE = 100
# The kinds of results that are no answer.
UNANSWERED = ("errored", "canceled", "expired")


class AnthropicBatches:
    """The batches of an `AnthropicProvider`, called with its key and connection."""

    cancels = True

    def __init__(self, provider: NativeProvider) -> None:
        self._provider = provider

    def alike(self, _request: Request) -> str:
        """Return nothing: a batch may hold any requests."""
        return ""

    def upload(self, path: Path) -> str:
        """Return the file itself: requests are sent with their batch."""
        return str(path)

    def create(self, name: str, file: str) -> RemoteBatch:
        """Begin the batch of a file; the API does not take its `name`."""
        content = inline_body({}, Path(file), "params")
        what = f"batch {name}"
        return self._batch(
            self._provider.ask("POST", PATH, what=what, content=content, headers=JSON), what
        )

    def recent(self) -> Iterator[RemoteBatch]:
        """Yield the batches of the workspace, the latest first."""
        what = "the list of batches"
        after: dict[str, object] = {}
        for _ in range(MOST_LISTED // PAGE):
            params = {"limit": PAGE, **after}
            page = self._provider.ask("GET", PATH, what=what, params=params)
            listed = page.get("data")
            if not isinstance(listed, list):
                # It is not known then what has begun.
                raise not_a_batch(f"{self._provider}, {what}", self._provider.shown(page))
            found = [self._batch(each, what) for each in listed if isinstance(each, dict)]
            yield from found
            if not found or not page.get("has_more"):
                return
            after = {"after_id": found[-1].remote_id}

    def look(self, remote_id: str) -> RemoteBatch:
        """Return a batch as it is now."""
        what = f"batch {remote_id}"
        return self._batch(self._provider.ask("GET", f"{PATH}/{remote_id}", what=what), what)

    def download(self, file: str, path: Path) -> None:
        """Write the results of a batch, whose id is `file`, to `path`, durably."""
        # Not the URL that the batch names: the key goes to base_url alone.
        self._provider.download(_results(file), path, what=f"the results of {file}")

    def cancel(self, remote_id: str) -> RemoteBatch:
        """Ask the provider to end a batch."""
        what = f"batch {remote_id}"
        return self._batch(
            self._provider.ask("POST", f"{PATH}/{remote_id}/cancel", what=what), what
        )

    def holds(self, remote: RemoteBatch, names: Collection[str]) -> bool | None:
        """Tell by the first result of a batch whose it is; None while it has none."""
        if not remote.over:
            return None
        what = f"the results of {remote.remote_id}"
        try:
            with self._provider.opened(_results(remote.remote_id), what=what) as chunks:
                return is_ours(remote, lines(chunks), names)
        except CallFailedError as failure:
            if failure.status not in GONE:
                raise
            return False

    def _batch(self, value: Mapping[str, Any], what: str) -> RemoteBatch:
        """Return what a batch object says; parts of it may be missing or of another kind."""
        name, state = value.get("id"), value.get("processing_status")
        if not (isinstance(name, str) and name and isinstance(state, str)):
            raise not_a_batch(f"{self._provider}, {what}", self._provider.shown(json.dumps(value)))
        counts = value.get("request_counts")
        numbers = {
            kind: count
            for kind, count in (counts.items() if isinstance(counts, Mapping) else ())
            if isinstance(count, int) and count >= 0
        }
        over = state == "ended"
        if over:
            cancelled = bool(value.get("cancel_initiated_at"))
            expired = bool(numbers.get("expired"))
            state = "canceled" if cancelled else "expired" if expired else "completed"
        return RemoteBatch(
            remote_id=name,
            state=state,
            over=over,
            nameless=True,
            completed=numbers.get("succeeded", 0),
            failed=sum(numbers.get(kind, 0) for kind in UNANSWERED),
            total=sum(numbers.values()),
            output=name if over else None,
            created_at=time_of(value.get("created_at")),
            expires_at=time_of(value.get("expires_at")),
        )


def _results(remote_id: str) -> str:
    return f"{PATH}/{remote_id}/results"

"""Batches in OpenRouter's shape: OpenAI's, with requests and results in the batch object itself.

https://openrouter.ai/docs/guides/features/batch-api describes them. A batch is of one model, and
cannot be cancelled. It has no name and no note, so one that may have begun is known again as one of
Anthropic's is: by its size and time, and for certain by the custom_ids of its results.

Results come in pages, or where the API has none, all of them in the batch object. So that is read
as it comes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from daydream.files import parse_json
from daydream.llm.batches import GONE, RemoteBatch, inline_body, is_ours
from daydream.llm.failures import CallFailedError
from daydream.llm.listed import Listed
from daydream.llm.providers.native import JSON
from daydream.llm.providers.openai_batches import (
    ENDPOINT,
    PATH,
    WINDOW,
    OpenAIBatches,
    described,
)
from daydream.llm.request import Request, error_message

# The members of a batch object that tell what it has come to if it has results.
TELLING = frozenset({"id", "status", "request_counts"})
# How many results a page may have.
RESULTS = 1000
# The statuses of an API that has no pages of results.
NO_PAGES = (*GONE, 405)


class InlineBatches(OpenAIBatches):
    """The batches of an `OpenAIProvider` whose API takes their requests inline."""

    cancels = False

    def alike(self, request: Request) -> str:
        """Return the model, who is to serve it, and the format of answers.

        Google's models take one format per batch.
        """
        body = request.body()
        alike = [body.get(name) for name in ("model", "provider", "response_format")]
        return json.dumps(alike, sort_keys=True)

    def upload(self, path: Path) -> str:
        """Return the file itself: requests are sent with their batch."""
        return str(path)

    def create(self, name: str, file: str) -> RemoteBatch:
        """Begin the batch of a file; the API does not take its `name`."""
        path = Path(file)
        with path.open(encoding="utf-8") as lines:
            first = parse_json(lines.readline())["body"]
        head = {"endpoint": ENDPOINT, "model": first["model"], "completion_window": WINDOW}
        if "provider" in first:
            # A batch is served by one, and it is the batch that says by whom.
            head["provider"] = first["provider"]
        # The requests come last: the API reads them as they come, and has to know for what.
        content = inline_body(head, path, "body")
        return self._asked("POST", PATH, what=f"batch {name}", content=content, headers=JSON)

    def look(self, remote_id: str) -> RemoteBatch:
        """Return a batch as it is now."""
        with self._listed(f"{PATH}/{remote_id}", "results", f"batch {remote_id}") as results:
            for _ in results:
                # The rest would be fetched twice.
                if results.rest.keys() >= TELLING:
                    break
            return self._described(results.rest)

    def download(self, file: str, path: Path) -> None:
        """Write the results of a batch, whose id is `file`, to `path`, durably."""
        rows = (f"{row}\n".encode() for row in self._results(file))
        self._provider.write(rows, path)

    def cancel(self, remote_id: str) -> RemoteBatch:
        """Return the batch as it is: the API cannot end it, and deleting it loses its results."""
        return self.look(remote_id)

    def holds(self, remote: RemoteBatch, names: Collection[str]) -> bool | None:
        """Tell by the first result of a batch whose it is; None while it has none.

        One that was refused as a whole does not have to be found again: it cost nothing.
        """
        if not remote.over:
            return None
        if remote.output is None:
            return False
        try:
            with closing(self._results(remote.remote_id)) as rows:
                return is_ours(remote, rows, names)
        except CallFailedError as failure:
            if failure.status not in GONE:
                raise
            return False

    def _results(self, remote_id: str) -> Generator[str]:
        """Yield the results of a batch, each as a line of JSON."""
        what = f"the results of {remote_id}"
        try:
            yield from self._pages(remote_id, what)
        except CallFailedError as failure:
            if failure.status not in NO_PAGES:
                raise
        else:
            return
        with self._listed(f"{PATH}/{remote_id}", "results", what) as results:
            yield from results
        if not results.found:
            raise CallFailedError(f"{self._provider}, {what}: it has none", status=404, again=False)

    def _pages(self, remote_id: str, what: str) -> Iterator[str]:
        cursors = [""]
        while True:
            asked = {"cursor": cursors[-1]} if cursors[-1] else {}
            path = f"{PATH}/{remote_id}/results"
            with self._listed(path, "data", what, limit=RESULTS, **asked) as page:
                yield from page
                if not page.found:
                    raise ValueError(f"it has no data: {json.dumps(page.rest)}")
            cursor = page.rest.get("next_cursor")
            # A page that was there already would come again and again.
            if not (page.rest.get("has_more") and isinstance(cursor, str)) or cursor in cursors:
                return
            cursors.append(cursor)

    @contextmanager
    def _listed(self, path: str, name: str, what: str, **params: str | int) -> Iterator[Listed]:
        """Give the object that a path answers, with the list `name` in it, as it comes."""
        with self._provider.opened(path, what=what, params=params) as chunks, self._read(what):
            yield Listed(chunks, name)

    def _described(self, value: Mapping[str, Any]) -> RemoteBatch:
        remote = described(value)
        failed = remote.state == "failed"
        error = value.get("error")
        return replace(
            remote,
            nameless=True,
            # What was answered before a batch failed is there, and paid for.
            output=remote.remote_id if remote.over and (remote.completed or not failed) else None,
            errors=None,
            problem=error_message(error) if failed and error else remote.problem,
        )

"""Batches in OpenAI's shape: a file of requests is uploaded, and two files of answers come back.

https://platform.openai.com/docs/guides/batch describes them. Groq and others have the same shape.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daydream.files import parse_json, replacing
from daydream.llm.batches import MOST_LISTED, RemoteBatch, not_a_batch
from daydream.llm.failures import CallFailedError
from daydream.llm.providers.openai import OpenAIProvider
from daydream.llm.request import error_message, one_line

if TYPE_CHECKING:
    import httpx2

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

    def __init__(self, provider: OpenAIProvider) -> None:
        self._provider = provider

    def upload(self, path: Path) -> str:
        """Send a file of requests, and return its id."""
        client = self._provider.connect()
        with self._failures("the file of a batch"), path.open("rb") as file:
            answer = client.files.with_raw_response.create(file=file, purpose="batch")
            return _text(_json(answer.http_response), "id")

    def create(self, name: str, file: str) -> RemoteBatch:
        """Begin the batch of a file."""
        client = self._provider.connect()
        with self._failures("a batch"):
            answer = client.batches.with_raw_response.create(
                completion_window=WINDOW,
                endpoint=ENDPOINT,
                input_file_id=file,
                metadata={NOTE: name},
            )
            return _batch(_json(answer.http_response))

    def recent(self) -> Iterator[RemoteBatch]:
        """Yield the batches of the account, the latest first."""
        after: dict[str, object] = {}
        for _ in range(MOST_LISTED // PAGE):
            with self._failures("the list of batches"):
                page = self._get("/batches", {"limit": PAGE, **after})
                found = [_batch(each) for each in page.get("data") or [] if isinstance(each, dict)]
            yield from found
            if not found or not page.get("has_more"):
                return
            after = {"after": found[-1].remote_id}

    def look(self, remote_id: str) -> RemoteBatch:
        """Return a batch as it is now."""
        with self._failures(f"batch {remote_id}"):
            return _batch(self._get(f"/batches/{remote_id}", {}))

    def download(self, file: str, path: Path) -> None:
        """Write a file of answers to `path`, durably."""
        client = self._provider.connect()
        with (
            self._failures(f"the answers {file}"),
            client.files.with_streaming_response.content(file) as answer,
            replacing(path, durable=True) as target,
        ):
            for chunk in answer.http_response.iter_bytes():
                target.write(chunk)

    def cancel(self, remote_id: str) -> RemoteBatch:
        """Ask the provider to end a batch."""
        client = self._provider.connect()
        with self._failures(f"batch {remote_id}"):
            answer = client.batches.with_raw_response.cancel(remote_id)
            return _batch(_json(answer.http_response))

    def holds(self, _remote: RemoteBatch, _names: Collection[str]) -> bool | None:
        """Tell that no batch is ours by its requests: ours have a name."""
        return False

    def _get(self, path: str, params: Mapping[str, object]) -> dict[str, Any]:
        import httpx2  # noqa: PLC0415 - the SDK's HTTP library, slow to import

        client = self._provider.connect()
        return _json(client.get(path, cast_to=httpx2.Response, options={"params": params}))

    @contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        """Turn errors of the SDK into `CallFailedError`s that name `what` was asked for."""
        import httpx2  # noqa: PLC0415 - as above
        import openai  # noqa: PLC0415

        asked = f"{self._provider}, {what}"
        try:
            yield
        except openai.APIStatusError as error:
            raise self._provider.refused(error, asked) from error
        except openai.APIConnectionError as error:
            raise self._provider.unreachable(error, asked, None) from error
        except httpx2.HTTPError as error:
            raise CallFailedError(
                f"{asked}: the answer broke off ({one_line(error)}); run snakemake again",
                again=True,
            ) from error
        except ValueError as error:
            raise not_a_batch(asked, self._provider.shown(error)) from error


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        value = parse_json(answer.content)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValueError(answer.content[:200].decode(errors="replace"))  # noqa: TRY004 - what is handled above
    return value


def _batch(value: Mapping[str, Any]) -> RemoteBatch:
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

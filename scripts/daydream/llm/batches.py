"""Batches of calls as data: what a provider says of one, and what each provider must offer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daydream.files import parse_json
from daydream.llm.failures import CallFailedError
from daydream.llm.request import Request, one_line

# The statuses that say that something is not there any more.
GONE = (404, 410)
# How many of an account's batches are looked through for one that may be ours.
MOST_LISTED = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteBatch:
    """A batch as its provider describes it.

    `state` is the provider's own word for it. `over`: nothing more will come of it. `output` and
    `errors` are the ids of the files with its answers, None if there is none. `problem` says why
    the whole batch was refused. `nameless`: the API takes no name for it; `guessed`: it is taken
    for ours by its size and time alone. A `total` of 0 is not told yet. Times are Unix times in
    seconds, None if they are not told.
    """

    remote_id: str
    state: str
    over: bool
    name: str = ""
    input_file: str = ""
    completed: int = 0
    failed: int = 0
    total: int = 0
    output: str | None = None
    errors: str | None = None
    problem: str = ""
    created_at: float | None = None
    expires_at: float | None = None
    nameless: bool = False
    guessed: bool = False


def not_a_batch(asked: str, found: object, *, again: bool = True) -> CallFailedError:
    """Return the failure of a question that was answered with something else than a batch.

    It may be a page of a proxy's, and says nothing of the batch: that goes on.
    """
    return CallFailedError(
        f"{asked}: answered what is not a batch ({one_line(found)}); check base_url, or set batch "
        "to null for this provider",
        again=again,
    )


def inline_body(head: Mapping[str, object], path: Path, member: str) -> bytes:
    """Return the body of a batch: what `head` says of it, and then the requests in a file.

    `member` is the API's name for what is asked in a request.
    """
    parts = [json.dumps({**head, "requests": []})[:-2].encode()]
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            value = parse_json(line)
            request = {"custom_id": value["custom_id"], member: value["body"]}
            parts += [b", " if number else b"", json.dumps(request, ensure_ascii=False).encode()]
    return b"".join([*parts, b"]}"])


def is_ours(
    remote: RemoteBatch, rows: Iterable[str | bytes], names: Collection[str]
) -> bool | None:
    """Tell by the first row of a batch that is over whether its requests are those of `names`.

    None: it has no row although it should have some.
    """
    for row in rows:
        with suppress(ValueError):
            value = parse_json(row)
            return isinstance(value, Mapping) and value.get("custom_id") in names
    return None if remote.completed + remote.failed else False


class BatchProvider(Protocol):
    """A provider that answers batches. Every method raises `CallFailedError` if it cannot.

    `cancels` tells whether its API can end a batch.
    """

    cancels: bool

    def alike(self, request: Request) -> str:
        """Return what the requests of one batch must have in common with this one."""

    def upload(self, path: Path) -> str:
        """Send a file of requests, and return its id. A file alone costs nothing."""

    def create(self, name: str, file: str) -> RemoteBatch:
        """Begin the batch of a file; its description will hold `name`."""

    def recent(self) -> Iterator[RemoteBatch]:
        """Yield the batches of the account, the latest first."""

    def look(self, remote_id: str) -> RemoteBatch:
        """Return a batch as it is now."""

    def download(self, file: str, path: Path) -> None:
        """Write a file of answers to `path`, durably."""

    def cancel(self, remote_id: str) -> RemoteBatch:
        """Ask the provider to end a batch; what is answered by then is kept and paid for.

        If its API cannot do that, return the batch as it is.
        """

    def holds(self, remote: RemoteBatch, names: Collection[str]) -> bool | None:
        """Tell whether a nameless batch has requests of these custom_ids; None: not known yet."""

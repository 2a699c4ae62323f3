"""Batches of calls as data: what a provider says of one, and what each provider must offer."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daydream.llm.failures import CallFailedError
from daydream.llm.request import one_line

# How many of an account's batches are looked through for one that may be ours.
MOST_LISTED = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteBatch:
    """A batch as its provider describes it.

    `state` is the provider's own word for it. `over`: nothing more will come of it. `output` and
    `errors` are the ids of the files with its answers, None if there is none. `problem` says why
    the whole batch was refused. `nameless`: the API takes no name for it. Times are Unix times in
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


def not_a_batch(asked: str, found: object, *, again: bool = True) -> CallFailedError:
    """Return the failure of a question that was answered with something else than a batch.

    It may be a page of a proxy's, and says nothing of the batch: that goes on.
    """
    return CallFailedError(
        f"{asked}: answered what is not a batch ({one_line(found)}); check base_url, or set batch "
        "to null for this provider",
        again=again,
    )


class BatchProvider(Protocol):
    """A provider that answers batches. Every method raises `CallFailedError` if it cannot."""

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
        """Ask the provider to end a batch; what is answered by then is kept and paid for."""

    def holds(self, remote: RemoteBatch, names: Collection[str]) -> bool | None:
        """Tell whether a nameless batch has requests of these custom_ids; None: not known yet."""

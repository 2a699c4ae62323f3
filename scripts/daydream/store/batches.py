"""The records of batches, `data/batches/<batch_id>/`.

manifest.json    what the batch is, how far it is, and whose requests it holds
requests.jsonl   the requests, as they are sent
output.jsonl, errors.jsonl   what came back, as it came

The manifest is on the disk before anything is sent, so that a run that goes on after a crash knows
what may have been sent, and asks the provider instead of sending it again.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO
from uuid import uuid4

from daydream.errors import StoreError
from daydream.files import held, parse_json, read_text, write_text
from daydream.llm.request import Request
from daydream.store.layout import read_json

BATCHES = Path("data/batches")
MANIFEST, REQUESTS, OUTPUT, ERRORS = (
    "manifest.json",
    "requests.jsonl",
    "output.jsonl",
    "errors.jsonl",
)
# intended: about to be sent; submitted: the provider has it; ended: its files are here; collected:
# its answers are in the journal; refused: the provider did not take it; lost: its answers are gone.
State = Literal["intended", "submitted", "ended", "collected", "refused", "lost"]
OPEN = ("intended", "submitted", "ended")
CANCELLED = ("cancelled", "canceled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """Whose answer a request of a batch is."""

    stage: str
    gen_id: str
    cohort_id: str
    llm_model_id: str
    sample: int
    request_sha256: str


@dataclass(kw_only=True, slots=True)
class BatchRecord:
    """What is known of a batch.

    `size` is the number of its requests. `members` are these by custom_id; once it is collected,
    those without an answer, of which `refused` are those that the provider will never answer. `run`
    is the run that sent it. `file` and `remote_id` are the provider's names, empty if it has none
    yet; `remote_state` is its word for how far it is, with the counts of requests. Of `unexplained`
    requests nothing came back, and nothing says why. `guessed`: the provider's batch is taken for
    this one by its size and time, until it has results. `collected_by` is the run that collected
    it, `usd` what its answers cost as far as that is known, and `reasons` why requests have none.
    """

    batch_id: str
    provider: str
    run: str
    created_at: str
    size: int
    members: dict[str, Member]
    state: State = "intended"
    file: str = ""
    remote_id: str = ""
    remote_state: str = ""
    completed: int = 0
    failed: int = 0
    expires_at: float | None = None
    cancelled: bool = False
    problem: str = ""
    answered: int = 0
    unexplained: int = 0
    guessed: bool = False
    refused: list[str] = field(default_factory=list)
    collected_by: str = ""
    usd: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return BATCHES / self.batch_id

    @property
    def is_open(self) -> bool:
        """Whether answers may still come of it."""
        return self.state in OPEN

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has ended it: a command of ours, or the user at the provider."""
        return self.cancelled or self.remote_state in CANCELLED

    @property
    def age_s(self) -> float:
        """Seconds since it was made."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.created_at)).total_seconds()

    def save(self) -> None:
        """Write the manifest, durably."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"
        write_text(self.directory / MANIFEST, text, durable=True)

    def refresh(self) -> None:
        """Take over what other threads and processes have written of it.

        If it is gone, nothing of it was sent.
        """
        now = _read_record(self.directory / MANIFEST)
        if now is None:
            self.state, self.members = "refused", {}
            return
        for each in fields(self):
            setattr(self, each.name, getattr(now, each.name))

    def requests(self) -> dict[str, Request]:
        """Return the requests by custom_id.

        Raises:
            StoreError: the file is missing or damaged.
        """
        path = self.directory / REQUESTS
        found = {}
        for line in read_text(path).split("\n"):
            if not line:
                continue
            try:
                value = parse_json(line)
                name = value["custom_id"]
                sample = self.members[name].sample
                found[name] = Request.of_body(value["body"], provider=self.provider, sample=sample)
            except (KeyError, TypeError, ValueError) as error:
                raise StoreError(f"{path}: is damaged ({error}); restore it") from error
        return found


def new_record(provider: str, run: str, members: Mapping[str, Member]) -> BatchRecord:
    """Return the record of a new batch, which is not written yet."""
    now = datetime.now(UTC)
    return BatchRecord(
        batch_id=f"{now:%Y%m%dT%H%M%S}-{uuid4().hex[:8]}",
        provider=provider,
        run=run,
        created_at=now.isoformat(timespec="milliseconds"),
        size=len(members),
        members=dict(members),
    )


def read_records() -> list[BatchRecord]:
    """Return the records of all batches, the oldest first.

    Raises:
        StoreError: one of them is damaged.
    """
    found = map(_read_record, BATCHES.glob(f"*/{MANIFEST}"))
    records = [record for record in found if record is not None]
    # Not by their names, which begin with the second only.
    return sorted(records, key=lambda record: record.created_at)


def open_records() -> list[BatchRecord]:
    """Return the records of the batches that are under way, the oldest first."""
    return [record for record in read_records() if record.is_open]


def open_members() -> dict[str, Member]:
    """Return whose requests are in batches that are under way, by custom_id."""
    return {name: member for record in open_records() for name, member in record.members.items()}


def announce() -> None:
    """Have other processes see a batch whose manifest is there now (`OpenRequests`)."""
    # Finer than the system's own clock of files, by which two may be of one time.
    now = time.time_ns()
    os.utime(BATCHES, ns=(now, now))


class OpenRequests:
    """Which batch holds a request and may still answer it; threads may share it.

    Batches that other processes send are seen by the time of their directory (`announce`).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen_ns = 0
        self._batches: dict[str, Path] = {}

    def holder(self, gen_id: str, request: Request) -> BatchRecord | None:
        """Return the batch that a request is under way in."""
        try:
            changed_ns = os.stat(BATCHES).st_mtime_ns  # noqa: PTH116 - at each call
        except FileNotFoundError:
            return None
        with self._lock:
            if changed_ns != self._seen_ns:
                self._batches = {
                    name: record.directory / MANIFEST
                    for record in open_records()
                    for name in record.members
                }
                self._seen_ns = changed_ns
            path = self._batches.get(name := custom_id(gen_id, request))
        record = None if path is None else _read_record(path)
        if record is None or not record.is_open or name not in record.members:
            return None
        return record


def _read_record(path: Path) -> BatchRecord | None:
    """Return the record in a manifest; None if it is gone, as nothing of the batch was sent.

    Raises:
        StoreError: it is damaged.
    """
    try:
        value: dict[str, Any] = read_json(path)
    except StoreError:
        if path.exists():
            raise
        return None
    try:
        members = {name: Member(**member) for name, member in value.pop("members").items()}
        return BatchRecord(**value, members=members)
    except (AttributeError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: is not the manifest of a batch ({error}); restore it") from error


def custom_id(gen_id: str, request: Request) -> str:
    """Return the name of a generation's request in a batch: at most 64 letters, digits, - and _."""
    return f"{gen_id}-{request.sha256[:32]}"


def sending() -> AbstractContextManager[TextIO]:
    """Exclude all other threads and processes that send batches."""
    return held(BATCHES / ".lock")

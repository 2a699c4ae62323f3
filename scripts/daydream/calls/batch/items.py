"""What the parts of the lane share: a request as an item, names and entries of a batch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from daydream.calls.ledger import Ledger
from daydream.calls.parts import parts
from daydream.calls.stop import Stop
from daydream.catalog.records import Model
from daydream.files import write_text
from daydream.generations.row import Generation
from daydream.llm import Providers
from daydream.llm.batches import RemoteBatch
from daydream.llm.providers.openai_batches import request_line
from daydream.llm.request import Request
from daydream.settings import BatchLimits, Settings
from daydream.store.batches import REQUESTS, BatchRecord, custom_id
from daydream.store.journal import is_claimed, is_journaled
from daydream.store.layout import generation_file

BYTES_PER_TOKEN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a run, whose name is `run`, asks in batches with."""

    settings: Settings
    models: Mapping[str, Model]
    providers: Providers
    ledger: Ledger
    stop: Stop
    run: str


class Item(NamedTuple):
    """A request that is to be asked for a generation."""

    generation: Generation
    request: Request

    @property
    def name(self) -> str:
        """Its custom_id."""
        return custom_id(self.generation.gen_id, self.request)

    @property
    def directory(self) -> Path:
        """Where the generation's files are."""
        return Path(generation_file(self.generation.stage, self.generation.gen_id, ""))

    @property
    def is_claimed(self) -> bool:
        """Whether it is being asked for directly now."""
        return is_claimed(self.directory, self.request)

    @property
    def is_asked(self) -> bool:
        """Whether that is so, or the journal has its answer."""
        # In this order: who gives up the claim has written the answer.
        return self.is_claimed or is_journaled(self.directory, self.request)


def chunks(items: Iterable[Item], limits: BatchLimits, room: int | None) -> Iterator[list[Item]]:
    """Yield the items in parts that a batch may hold; what `room` does not take waits."""
    return parts(
        items if room is None else _fitting(items, room),
        size=_bytes_of,
        most=limits.requests,
        total=limits.bytes,
    )


def _fitting(items: Iterable[Item], room: int) -> Iterator[Item]:
    """Yield the first of the items, as long as their prompts have no more tokens than `room`."""
    for item in items:
        room -= _bytes_of(item) // BYTES_PER_TOKEN
        if room < 0:
            return
        yield item


def _bytes_of(item: Item) -> int:
    return len(request_line(item.name, item.request.body()).encode())


def under_way(records: Sequence[BatchRecord]) -> str:
    """Return how far batches are, in words."""
    done = sum(record.completed + record.failed for record in records)
    total = sum(record.size for record in records)
    hours = max(record.age_s for record in records) / 3600
    age = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
    what = "1 batch is" if len(records) == 1 else f"{len(records)} batches are"
    return f"{what} under way: {done:,} of {total:,} requests done, submitted {age} ago"


def call_name(record: BatchRecord, name: str) -> str:
    """Return the name of a request's attempt in the ledger."""
    return f"{record.batch_id}/{name}"


def note(record: BatchRecord, remote: RemoteBatch) -> None:
    """Take over what the provider says of a batch."""
    record.remote_state = remote.state
    record.completed, record.failed = remote.completed, remote.failed
    record.expires_at = remote.expires_at


def write_requests(record: BatchRecord, requests: Mapping[str, Request]) -> None:
    """Write the file of a batch's requests, durably."""
    lines = (request_line(name, request.body()) for name, request in requests.items())
    write_text(record.directory / REQUESTS, "".join(lines), durable=True)


def give_up(
    ledger: Ledger,
    record: BatchRecord,
    state: Literal["refused", "lost"],
    event: str,
    reason: str,
) -> None:
    """Enter that nothing will come of a batch; `event` is the ledger's word for its requests."""
    for name, member in record.members.items():
        ledger.close(
            call_name(record, name), event, cohort=member.cohort_id, reason=reason, run=record.run
        )
    record.state, record.problem = state, reason
    record.save()


def tell(line: str) -> None:
    """Say something about batches to whoever watches the run."""
    print(f"{line}.", file=sys.stderr, flush=True)

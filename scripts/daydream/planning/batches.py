"""The command `batches`: which batches there are, how far they are, and how to end one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from daydream.errors import Problems, nearest
from daydream.experiment.experiment import Experiment
from daydream.settings.batch import ALL
from daydream.store.batches import BATCHES, BatchRecord, open_records, read_records
from daydream.text import table

HEADER = ("batch", "provider", "state", "requests", "done", "failed", "submitted", "expires")


def batches(experiment: Experiment, *, cancel: str | None = None) -> str:
    """Ask how far all batches are, collect those that have ended, and return them as a table.

    `cancel` is the id of a batch to end first, or ``all``.

    Raises:
        InputError: there is no such batch under way.
    """
    lines = []
    if cancel is not None:
        for record in _chosen(open_records(), cancel):
            lines.append(f"{experiment.batching.cancel(record)}.")
    lines += experiment.batching.collect_ended()
    records = read_records()
    if not records:
        return "There are no batches."
    rows = [list(HEADER), *map(_row, records)]
    return "\n".join([*lines, table(rows, left=(0, 1, 2, 6, 7)), f"Their files are in {BATCHES}/."])


def _chosen(under_way: Sequence[BatchRecord], cancel: str) -> list[BatchRecord]:
    chosen = [record for record in under_way if cancel in (ALL, record.batch_id)]
    if not chosen and cancel != ALL:
        problems = Problems("batch")
        known = [record.batch_id for record in under_way]
        hint = nearest(cancel, known) if known else "no batch is under way"
        problems.add("cancel", f"found {cancel!r}, which is not a batch under way", hint)
        problems.check()
    return chosen


def _row(record: BatchRecord) -> list[str]:
    expires = record.expires_at if record.is_open else None
    state = record.remote_state if record.state == "submitted" else record.state
    if record.state == "collected" and record.remote_state != "completed":
        state = f"{state}, {record.remote_state}"
    return [
        record.batch_id,
        record.provider,
        state,
        f"{record.size:,}",
        f"{record.answered or record.completed:,}",
        f"{record.failed:,}",
        record.created_at[:16].replace("T", " "),
        "" if expires is None else f"{datetime.fromtimestamp(expires, UTC):%Y-%m-%d %H:%M}",
    ]

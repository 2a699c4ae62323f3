"""What there is to say of batches that are over: at once, and at the end of the run."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from daydream.store.batches import CANCELLED, BatchRecord, read_records
from daydream.text import plural

# How many reasons of a batch, and how many batches, are named.
REASONS, NAMED = 3, 5


def outcome(record: BatchRecord) -> str:
    """Return in words what came of a batch that was collected."""
    how = ""
    if record.remote_state in CANCELLED:
        how = " was cancelled"
    elif record.remote_state == "expired":
        how = " has expired"
    text = f"Batch {record.batch_id}{how}: {plural(record.answered, 'answer')}"
    text += f", {record.usd:.4f} USD"
    missing = record.size - record.answered
    if not missing:
        return text
    ordered = sorted(record.reasons.items(), key=lambda item: -item[1])
    shown = [f"{count:,} × {reason}" for reason, count in ordered[:REASONS]]
    if len(ordered) > REASONS:
        shown.append("…")
    return f"{text}; {missing:,} without one ({', '.join(shown)})"


def names(batch_ids: Collection[str]) -> str:
    """Return which batches are meant, in words."""
    shown = [*batch_ids][:NAMED]
    more = len(batch_ids) - len(shown)
    listed = ", ".join(shown) + (f" and {more:,} more" if more else "")
    return f"batch {listed}" if len(batch_ids) == 1 else f"batches {listed}"


def facts(run: str) -> Iterator[str]:
    """Yield what the summary of a run says of the batches that it has collected."""
    mine = [record for record in read_records() if record.collected_by == run]
    others = [record for record in mine if record.run != run]
    if others:
        answers = sum(record.answered for record in others)
        usd = sum(record.usd for record in others)
        yield (
            f"Of batches that other runs sent: {plural(answers, 'answer')}, {usd:.4f} USD, which "
            "the ledger has for those runs"
        )
    lacking = [record for record in mine if record.answered < record.size]
    yield from map(outcome, lacking[:NAMED])
    if len(lacking) > NAMED:
        yield f"… and {len(lacking) - NAMED:,} more batches with requests that were not answered"

"""Batches that cannot be asked for at present: said once, asked again later, for so long.

A batch takes up to a day, goes on without anybody who looks, and is paid for. So whatever is
answered to the question how far it is, it is asked again, after pauses that double. A refusal, such
as that of a key, ends the run after an hour. What may be the network's fault, such as an error of
the server or a page in place of an answer, ends it after a day. The batch is open then, and a later
run collects it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from daydream.calls.batch.items import tell
from daydream.errors import BatchError
from daydream.llm.failures import CallFailedError
from daydream.store.batches import BatchRecord

# For how many seconds a run bears that a provider refuses to tell of a batch, and that it does not
# tell for other reasons.
REFUSED_S, SILENT_S = 3600.0, 86_400.0
# The longest pause between two questions to a provider that cannot be asked, in seconds.
LONGEST_PAUSE_S = 300.0


class MissingError(CallFailedError):
    """Something of a batch is not where the provider says it is; who raises it counts how often."""

    def __init__(self, message: str) -> None:
        super().__init__(message, again=True)


@dataclass(slots=True)
class _Trouble:
    since: float
    times: int = 0


class Troubles:
    """Which batches of a run cannot be asked for."""

    def __init__(self) -> None:
        self._of: dict[str, _Trouble] = {}

    def note(self, record: BatchRecord, failure: CallFailedError, *, poll: float) -> float:
        """Note that a batch could not be asked for; return the seconds until it is asked again.

        Raises:
            BatchError: it has lasted too long.
        """
        trouble = self._of.setdefault(record.batch_id, _Trouble(time.monotonic()))
        trouble.times += 1
        lasted = time.monotonic() - trouble.since
        longest = SILENT_S if failure.again else REFUSED_S
        said = failure.args[0]
        if lasted >= longest:
            raise BatchError(
                f"batch {record.batch_id} could not be asked for in {_words(lasted)}: {said}; the "
                "batch is kept and goes on without this run: correct that, and run the same "
                "command again to collect it, which asks nothing twice"
            ) from failure
        if isinstance(failure, MissingError):
            if trouble.times == 1:
                tell(f"Batch {record.batch_id}: {said}")
        elif trouble.times == 1:
            tell(
                f"Batch {record.batch_id} cannot be asked for now: {said}. It goes on, and is "
                f"asked for again, for {_words(longest)} at most"
            )
        doubled: float = poll * 2 ** min(trouble.times, 8)
        return min(max(doubled, failure.retry_after or 0.0), LONGEST_PAUSE_S)

    def over(self, record: BatchRecord) -> None:
        """Note that a batch has been asked for."""
        if self._of.pop(record.batch_id, None):
            tell(f"Batch {record.batch_id} can be asked for again")


def _words(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"

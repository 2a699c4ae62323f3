"""Collecting a batch: what came back goes into the journal and the ledger, each answer once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daydream.calls.batch import closing
from daydream.calls.batch.items import Means, call_name, give_up, note, tell
from daydream.calls.batch.outcomes import Outcome, is_of_others, read_outcomes, requests_with_rows
from daydream.calls.batch.troubles import MissingError
from daydream.calls.clients import client_of
from daydream.calls.prices import Cost, cost_of
from daydream.errors import BatchError
from daydream.llm.batches import GONE, RemoteBatch
from daydream.llm.failures import CallFailedError
from daydream.llm.request import Request
from daydream.store.batches import ERRORS, OUTPUT, BatchRecord
from daydream.store.journal import CLAIM_PAUSE_S, claim_entry, find_response, record_response
from daydream.store.layout import generation_file
from daydream.text import plural

# How often in a run a batch may miss what should be there.
PATIENCE = 4
# How many answers are journaled at once.
AT_ONCE = 16


class Collector:
    """Collects the batches of any run."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._providers = means.providers
        self._ledger = means.ledger
        # How often a batch missed what should be there.
        self._missed: Counter[str] = Counter()

    def collect(self, record: BatchRecord) -> bool:
        """Journal a batch's answers if it has ended, and tell whether it has.

        Another process may have collected it meanwhile, or be about to send it.

        Raises:
            BatchError: it was refused as a whole, was cancelled, or answers of it are gone.
            CallFailedError: the provider cannot be asked.
        """
        record.refresh()
        if record.state == "intended":
            return False
        if record.state == "submitted":
            remote = self._ask(record)
            note(record, remote)
            if not remote.over:
                record.save()
                return False
            refused = remote.state == "failed" and remote.output is None
            if not refused:
                self._fetch(record, remote)
            if record.guessed and is_of_others(record, remote):
                _give_back(record)
                return False
            if refused:
                give_up(self._ledger, record, "refused", "reject", remote.problem)
                raise BatchError(
                    f"batch {record.batch_id} was refused as a whole: {remote.problem}; correct "
                    "that and run snakemake again"
                )
            self._check_whole(record, remote)
            record.state = "ended"
            record.save()
        if record.state == "ended":
            self._take_in(record)
        if record.unexplained:
            raise BatchError(
                f"batch {record.batch_id}: {plural(record.size, 'request')} were sent, and of "
                f"{record.unexplained:,} nothing came back; what these may have cost stays "
                "charged; run the same command again to ask for them, which may be paid twice"
            )
        if record.is_cancelled:
            missing = record.size - record.answered
            raise BatchError(
                f"batch {record.batch_id} was cancelled; {record.answered:,} of its answers are "
                f"kept, {missing:,} are missing; run snakemake again to ask for these"
            )
        return True

    def _fetch(self, record: BatchRecord, remote: RemoteBatch) -> None:
        provider = self._providers.batches(record.provider)
        for file, name in ((remote.output, OUTPUT), (remote.errors, ERRORS)):
            if file is None:
                continue
            try:
                provider.download(file, record.directory / name)
            except CallFailedError as failure:
                self._check_there(record, failure, "its answers are gone")
                raise

    def _ask(self, record: BatchRecord) -> RemoteBatch:
        try:
            return self._providers.batches(record.provider).look(record.remote_id)
        except CallFailedError as failure:
            self._check_there(record, failure, "the provider does not know it any more")
            raise

    def _check_there(self, record: BatchRecord, failure: CallFailedError, found: str) -> None:
        """Give a batch up that is gone, once the provider has said so several times.

        Raises:
            MissingError: it is to be asked again.
            BatchError: the batch is lost.
        """
        if failure.status not in GONE:
            return
        left = self._patience(record)
        if not left and record.guessed:
            # Its owner may have deleted it.
            _give_back(record)
            raise MissingError(f"{found}, and it may not be ours: ours is looked for") from failure
        if not left:
            give_up(self._ledger, record, "lost", "lose", found)
            raise BatchError(
                f"batch {record.batch_id} is lost: {found} (most providers keep answers for about "
                f"30 days); what it may have cost stays charged, and the same command asks for "
                f"{plural(record.size, 'answer')} again, which is paid again"
            ) from failure
        # The failure's own remedy is for calls: it speaks of models.
        raise MissingError(
            f"the provider says ({failure.status}) that {found}; after {plural(left, 'more time')} "
            "it is given up"
        ) from failure

    def _check_whole(self, record: BatchRecord, remote: RemoteBatch) -> None:
        """Do not take a file for whole that has fewer rows than the provider says are done.

        If the provider itself counts fewer than were sent, note how many nothing explains: they
        may have been answered and charged. Only of a batch that was ended early, it says itself
        how many were left.

        Raises:
            MissingError: it is to be fetched again.
            BatchError: it was fetched several times.
        """
        done = remote.completed + remote.failed
        rows = requests_with_rows(record)
        total = remote.total or record.size
        left = 0 if remote.state == "completed" else max(0, total - done)
        record.unexplained = max(0, record.size - rows - left)
        if record.cancelled or rows >= done or done > record.size:
            return
        line = f"{plural(done, 'request')} are done, but the files have answers of {rows:,}"
        if self._patience(record):
            raise MissingError(f"{line}; they are fetched again")
        raise BatchError(
            f"batch {record.batch_id}: {line}; run snakemake later to fetch them again, or take "
            f"what there is with: snakemake -c1 batches --config cancel={record.batch_id}"
        )

    def _patience(self, record: BatchRecord) -> int:
        """Return how often a batch may be asked for again what should be there and is not."""
        self._missed[record.batch_id] += 1
        return max(0, PATIENCE - self._missed[record.batch_id])

    def _take_in(self, record: BatchRecord) -> None:
        """Journal what came back, and enter what each request took."""
        requests = record.requests()
        unfinished = record.remote_state != "completed" and not record.unexplained
        outcomes = read_outcomes(record, unfinished=unfinished)
        # Each waits for the disk most of the time.
        with ThreadPoolExecutor(AT_ONCE) as threads:
            entered = [
                threads.submit(self._enter, record, name, requests[name], outcomes[name])
                for name in record.members
            ]
            record.usd = sum(each.result() for each in entered)
        record.answered = sum(outcome.response is not None for outcome in outcomes.values())
        record.reasons = dict(Counter(each.reason for each in outcomes.values() if each.reason))
        record.collected_by = self._means.run
        record.refused = [name for name, outcome in outcomes.items() if outcome.for_good]
        # Whoever reads all manifests at a start needs no more of them.
        record.members = {
            name: member
            for name, member in record.members.items()
            if outcomes[name].response is None
        }
        record.state = "collected"
        record.save()
        tell(closing.outcome(record))

    def _enter(self, record: BatchRecord, name: str, request: Request, outcome: Outcome) -> float:
        """Journal and enter what came of a request; return its USD, as far as they are known."""
        member, call = record.members[name], call_name(record, name)
        if outcome.response is None:
            self._ledger.close(
                call, outcome.event, cohort=member.cohort_id, reason=outcome.reason, run=record.run
            )
            return 0.0
        directory = Path(generation_file(member.stage, member.gen_id, ""))
        with claim_entry(directory, request, wait=self._wait_for_other) as file:
            if find_response(directory, request) is None:
                kind = self._means.settings.providers[record.provider].type
                record_response(file, request, outcome.response, client=client_of(kind))
        usage = outcome.response.counted
        model = self._means.models.get(member.llm_model_id)
        cost = cost_of(usage, model, self._means.settings, batch=True) if model else Cost()
        self._ledger.end(
            call, cohort=member.cohort_id, cost=cost, usage=usage, attempts=1, run=record.run
        )
        return cost.usd or 0.0

    def _wait_for_other(self) -> None:
        self._means.stop.event.wait(CLAIM_PAUSE_S)

    def cancel(self, record: BatchRecord) -> str:
        """Ask the provider to end a batch, and return what comes of that, in words.

        Raises:
            CallError: it cannot be asked.
        """
        record.refresh()
        if record.state == "submitted":
            try:
                left = self._end(record)
            except CallFailedError as failure:
                if failure.status not in GONE:
                    raise
                left = ""
                give_up(self._ledger, record, "lost", "lose", "the provider does not know it")
            if left:
                record.save()
                return f"Batch {record.batch_id} cannot be cancelled: {left}"
        elif record.state == "intended":
            give_up(self._ledger, record, "refused", "fail", "cancelled before it was sent")
        record.cancelled = True
        record.save()
        return f"Batch {record.batch_id} is cancelled"

    def _end(self, record: BatchRecord) -> str:
        """Ask the provider to end a batch; return why it goes on, empty if it does not."""
        provider = self._providers.batches(record.provider)
        ask = provider.look if record.guessed else provider.cancel
        remote = ask(record.remote_id)
        note(record, remote)
        if remote.over:
            return ""
        if not provider.cancels:
            return (
                f"the API of {record.provider!r} cannot do that. It goes on and is paid for, and "
                "a later run collects it"
            )
        if record.guessed:
            return (
                f"before it has results, nobody knows whether {record.remote_id} is ours. If it "
                "is, cancel it at the provider"
            )
        return ""


def _give_back(record: BatchRecord) -> None:
    """Note that a batch was taken for ours by its size alone: the search for ours begins again."""
    (record.directory / OUTPUT).unlink(missing_ok=True)
    record.remote_id, record.state, record.guessed = "", "intended", False
    # Whoever cancelled it meant ours, which a later run may find.
    record.cancelled = False
    record.save()

"""Sending a batch, once: written down, within the budget, entered, uploaded, begun."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence

from daydream.calls.batch.items import Item, call_name, counted, give_up, note, tell, write_requests
from daydream.calls.bound import most_usage
from daydream.calls.ledger import Ledger
from daydream.calls.prices import most_of
from daydream.calls.spent import Reservation
from daydream.calls.stop import Stop
from daydream.catalog.records import Model
from daydream.errors import BudgetError, StoppedError
from daydream.llm import Providers
from daydream.llm.batches import RemoteBatch
from daydream.llm.failures import CallFailedError
from daydream.settings import Settings
from daydream.store.batches import REQUESTS, BatchRecord, Member, new_record

# Seconds after which what a provider may have begun must be in its list of batches.
SETTLE_S = 2.0
# How often a batch is begun, or its file uploaded, before a run gives up.
ATTEMPTS = 3
# Batches that began so much before ours, in seconds, are not looked through for it.
MARGIN_S = 3600.0


class Sender:
    """Sends the batches of one run, whose name is `run`."""

    def __init__(
        self,
        settings: Settings,
        models: Mapping[str, Model],
        providers: Providers,
        ledger: Ledger,
        stop: Stop,
        *,
        run: str,
    ) -> None:
        self._settings = settings
        self._models = models
        self._providers = providers
        self._ledger = ledger
        self._stop = stop
        self._run = run

    def begin(self, provider: str, items: Sequence[Item]) -> None:
        """Send items as a new batch.

        Raises:
            BudgetError: the budget allows none of them. Those that it does not allow are left out.
            CallError: the provider does not take the batch.
        """
        members = {
            item.name: Member(
                stage=item.generation.stage,
                gen_id=item.generation.gen_id,
                cohort_id=item.generation.cohort_id,
                llm_model_id=item.generation.llm_model_id,
                sample=item.request.sample,
                request_sha256=item.request.sha256,
            )
            for item in items
        }
        record = new_record(provider, self._run, members)
        record.directory.mkdir(parents=True)
        write_requests(record, {item.name: item.request for item in items})
        record.save()
        self.send(record, adopt=False)

    def send(self, record: BatchRecord, *, adopt: bool) -> None:
        """Send a batch that is intended; with `adopt`, look first whether an earlier run has.

        Raises:
            CallError: the provider does not take it.
        """
        remote = self._of_ours(record) if adopt else None
        if remote is None:
            self._reserve(record)
            try:
                remote = self._create(record)
            except CallFailedError as failure:
                if not failure.again:
                    give_up(self._ledger, record, "refused", "fail", str(failure.args[0]))
                raise
        record.remote_id, record.state = remote.remote_id, "submitted"
        note(record, remote)
        record.save()
        tell(f"Batch {record.batch_id}: submitted {counted(len(record.members), 'request')}")

    def _reserve(self, record: BatchRecord) -> None:
        """Enter all requests in the ledger; those that the budget does not allow are taken out.

        Raises:
            BudgetError: it allows none.
        """
        requests = record.requests()
        for name, member in list(record.members.items()):
            request, model = requests[name], self._models[member.llm_model_id]
            usage = most_usage(request)
            most = Reservation(most_of(usage, model, self._settings, batch=True), usage.tokens or 0)
            try:
                self._ledger.begin(
                    cohort=member.cohort_id,
                    most=most,
                    call=call_name(record, name),
                    stage=member.stage,
                    gen_id=member.gen_id,
                    request_sha256=member.request_sha256,
                    provider=record.provider,
                    model=request.model,
                    batch=record.batch_id,
                )
            except BudgetError:
                names = list(record.members)
                kept = names[: names.index(name)]
                record.members = {each: record.members[each] for each in kept}
                if not kept:
                    # Nothing of it was sent, so nothing needs to be known of it.
                    shutil.rmtree(record.directory)
                    raise
                write_requests(record, {each: requests[each] for each in kept})
                record.save()
                return

    def _create(self, record: BatchRecord) -> RemoteBatch:
        """Have the provider begin a batch, once, whatever is lost on the way.

        Raises:
            CallFailedError: it did not; `again` tells whether a later run may try.
        """
        provider = self._providers.batches(record.provider)
        if not record.file:
            record.file = self._patiently(
                lambda: provider.upload(record.directory / REQUESTS), record
            )
            record.save()
        attempts = ATTEMPTS
        while True:
            try:
                return provider.create(record.batch_id, record.file)
            except CallFailedError as failure:
                attempts -= 1
                if not failure.again:
                    raise
                # It may have begun, and only the answer was lost.
                self._pause(failure.retry_after or SETTLE_S)
                remote = self._of_ours(record)
                if remote is not None:
                    return remote
                if not attempts:
                    raise

    def _patiently(self, ask: Callable[[], str], record: BatchRecord) -> str:
        """Ask for what costs nothing again, some times, if that may help."""
        for attempt in range(ATTEMPTS):
            try:
                return ask()
            except CallFailedError as failure:
                if not failure.again or attempt == ATTEMPTS - 1:
                    raise
                self._pause(failure.retry_after or SETTLE_S)
        raise AssertionError(record)

    def _of_ours(self, record: BatchRecord) -> RemoteBatch | None:
        """Return the provider's batch of a record; None if there is none."""
        provider = self._providers.batches(record.provider)
        for remote in provider.recent():
            if remote.name == record.batch_id or (record.file and remote.input_file == record.file):
                return remote
            begun = remote.created_at
            if begun is not None and time.time() - begun > record.age_s + MARGIN_S:
                return None
        return None

    def _pause(self, seconds: float) -> None:
        if self._stop.event.wait(seconds):
            raise StoppedError("the batch was waiting to be sent when the run ended")

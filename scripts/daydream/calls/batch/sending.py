"""Sending a batch, once: written down, within the budget, entered, uploaded, begun."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from daydream.calls.batch.items import Item, Means, call_name, give_up, note, tell, write_requests
from daydream.calls.bound import most_usage
from daydream.calls.prices import most_of
from daydream.calls.spent import Reservation
from daydream.errors import BudgetError, StoppedError
from daydream.llm.batches import BatchProvider, RemoteBatch
from daydream.llm.failures import CallFailedError
from daydream.store.batches import (
    REQUESTS,
    BatchRecord,
    Member,
    announce,
    new_record,
    read_records,
)
from daydream.text import plural

# Seconds after which what a provider may have begun must be in its list of batches.
SETTLE_S = 2.0
# How often a batch is begun, or its file uploaded, before a run gives up.
ATTEMPTS = 3
# Batches that began so much before ours, in seconds, are not looked through for it.
MARGIN_S = 3600.0
# How far the clocks of this machine and of a provider may be apart, in seconds.
SKEW_S = 300.0

Answer = TypeVar("Answer")


class Sender:
    """Sends the batches of one run."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._providers = means.providers

    def begin(self, provider: str, items: Sequence[Item]) -> None:
        """Send items as a new batch, without those that other runs ask for directly.

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
        record = new_record(provider, self._means.run, members)
        record.directory.mkdir(parents=True)
        write_requests(record, {item.name: item.request for item in items})
        record.save()
        announce()
        # Only now, when calls that begin see the batch: those in flight are what has begun before.
        taken = {item.name for item in items if item.is_asked}
        if taken:
            self._keep(record, [name for name in members if name not in taken])
        if record.members:
            self.send(record, adopt=False)

    def _keep(self, record: BatchRecord, names: Sequence[str]) -> None:
        """Leave all other requests out of a batch that is not sent yet."""
        if not names:
            # Nothing of it was sent, so nothing needs to be known of it.
            shutil.rmtree(record.directory)
            record.members = {}
            return
        requests = record.requests()
        record.members = {name: record.members[name] for name in names}
        record.size = len(names)
        write_requests(record, {name: requests[name] for name in names})
        record.save()

    def send(self, record: BatchRecord, *, adopt: bool) -> None:
        """Send a batch that is intended; with `adopt`, look first whether an earlier run has.

        Raises:
            CallError: the provider does not take it.
        """
        if adopt and self.adopt(record):
            return
        self._reserve(record)
        try:
            remote = self._create(record)
        except CallFailedError as failure:
            if not failure.again:
                give_up(self._means.ledger, record, "refused", "fail", str(failure.args[0]))
            raise
        self._submitted(record, remote)

    def adopt(self, record: BatchRecord) -> bool:
        """Tell whether the provider has begun a batch that is intended, and if so, note it.

        Raises:
            CallError: the provider cannot be asked.
        """
        remote = self._begun(record)
        if remote is not None:
            self._submitted(record, remote)
        return remote is not None

    def _submitted(self, record: BatchRecord, remote: RemoteBatch) -> None:
        record.remote_id, record.state = remote.remote_id, "submitted"
        record.guessed = remote.guessed
        note(record, remote)
        record.save()
        tell(f"Batch {record.batch_id}: submitted {plural(record.size, 'request')}")

    def _reserve(self, record: BatchRecord) -> None:
        """Enter all requests in the ledger; those that the budget does not allow are taken out.

        Raises:
            BudgetError: it allows none.
        """
        requests = record.requests()
        for name, member in list(record.members.items()):
            request, model = requests[name], self._means.models[member.llm_model_id]
            usage = most_usage(request)
            most = Reservation(
                most_of(usage, model, self._means.settings, batch=True), usage.tokens or 0
            )
            try:
                self._means.ledger.begin(
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
                self._keep(record, names[: names.index(name)])
                if not record.members:
                    raise
                return

    def _create(self, record: BatchRecord) -> RemoteBatch:
        """Have the provider begin a batch, once, whatever is lost on the way.

        Raises:
            CallFailedError: it did not; `again` tells whether a later run may try.
        """
        provider = self._providers.batches(record.provider)
        if not record.file:
            record.file = self._patiently(lambda: provider.upload(record.directory / REQUESTS))
            record.save()
        return self._patiently(
            lambda: provider.create(record.batch_id, record.file),
            # It may have begun, and only the answer was lost.
            otherwise=lambda: self._begun(record),
        )

    def _patiently(
        self, ask: Callable[[], Answer], otherwise: Callable[[], Answer | None] = lambda: None
    ) -> Answer:
        """Return what `ask` returns, some attempts long, or what `otherwise` finds after one."""
        for left in reversed(range(ATTEMPTS)):
            try:
                return ask()
            except CallFailedError as failure:
                if not failure.again and left == ATTEMPTS - 1:
                    raise
                self._pause(failure.retry_after or SETTLE_S)
                # Also of one that is refused now: an attempt before may have begun it.
                try:
                    found = otherwise()
                except CallFailedError as unknown:
                    # So it is not given up, and a later run looks for it.
                    unknown.again = True
                    raise
                if found is not None:
                    return found
                if not (left and failure.again):
                    raise
        raise AssertionError

    def _begun(self, record: BatchRecord) -> RemoteBatch | None:
        """Return what the provider has begun of a record; None if it has not."""
        provider = self._providers.batches(record.provider)
        others = {each.remote_id for each in read_records() if each.batch_id != record.batch_id}
        for remote in provider.recent():
            if remote.name == record.batch_id or (record.file and remote.input_file == record.file):
                return remote
            ours = remote.remote_id not in others and _is_ours(remote, record, provider)
            if ours is not False:
                return replace(remote, guessed=ours is None)
            since = remote.created_at
            if since is not None and time.time() - since > record.age_s + MARGIN_S:
                return None
        return None

    def _pause(self, seconds: float) -> None:
        if self._means.stop.event.wait(seconds):
            raise StoppedError("the batch was waiting to be sent when the run ended")


def _is_ours(remote: RemoteBatch, record: BatchRecord, provider: BatchProvider) -> bool | None:
    """Tell whether a batch without a name is that of a record; None: it may be.

    It has as many requests, and began after the record was made. Until it has results, that is all
    that can be known, and not to send it again costs a wait at most.
    """
    # Nothing of a record without a file was sent.
    if not (remote.nameless and record.file) or remote.total not in (0, record.size):
        return False
    if remote.created_at is not None:
        older_s = time.time() - record.age_s - remote.created_at
        if older_s > SKEW_S:
            return False
    return provider.holds(remote, record.members)

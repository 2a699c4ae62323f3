"""Asking in batches: at about half the price, with answers within a day.

    open requests  ->  requests.jsonl, manifest.json (intended)  ->  ledger: begin  ->  upload
        ->  create (submitted)  ->  look, look, …  ->  output.jsonl, errors.jsonl (ended)
        ->  journal  ->  ledger: end, reject or lose  ->  manifest.json (collected)

A batch fills the journal, and the rules then find their answers there. Each step can be repeated: a
run that goes on after a crash asks the provider for its batches before it sends one again, and an
answer is journaled and entered once.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from daydream.calls.batch import closing
from daydream.calls.batch.collecting import Collector
from daydream.calls.batch.items import BYTES_PER_TOKEN, Item, Means, chunks, tell, under_way
from daydream.calls.batch.sending import Sender
from daydream.calls.batch.troubles import Troubles
from daydream.calls.bound import most_usage
from daydream.calls.prices import most_of
from daydream.errors import BatchError, BudgetError, CallError, StoppedError, UnderWayError
from daydream.llm.failures import CallFailedError
from daydream.llm.request import Request
from daydream.settings import BatchApi
from daydream.store.batches import REQUESTS, BatchRecord, open_records, read_records, sending
from daydream.store.journal import is_journaled
from daydream.text import plural

# Seconds between two reports of how far batches are.
REPORT_S = 60.0
# Seconds between two looks at what other runs ask for directly.
LOOK_S = 1.0


class Batching:
    """The batches of one run; threads share it."""

    def __init__(self, means: Means) -> None:
        self._settings = means.settings
        self._models = means.models
        self._providers = means.providers
        self._stop = means.stop
        self._sender = Sender(means)
        self._collector = Collector(means)
        self._troubles = Troubles()
        # What the summary of the run says of requests that went from batches to calls.
        self.moved: list[str] = []
        self._told_at = 0.0

    def api(self, llm_model_id: str) -> BatchApi | None:
        """Return the batches of a model's provider; None if it has none."""
        model = self._models.get(llm_model_id)
        if model is None:
            return None
        return self._settings.batch_api(self._settings.provider_of(model.provider))

    def answer(self, find: Callable[[], list[Item]], *, wait: bool) -> None:
        """Have all requests that `find` gives answered in batches, as far as that is possible.

        `find` leaves out what the journal has. What a provider refuses for good, or has failed to
        answer several times, is left to be asked for directly.

        Raises:
            UnderWayError: batches are under way, and the run is not to wait for them.
            BatchError: one of them was cancelled, refused as a whole, or its answers are gone.
            StoppedError: the run is to end.
            CallError: the provider takes no batch.
        """
        wrong = self._collect_ended()
        asked: dict[str, Item] = {}
        in_vain = 0
        while True:
            found = find()
            asked.update({item.name: item for item in found})
            items = self._worth_it(found)
            if items:
                self.submit(items)
            waited = _waited_for({item.name for item in items})
            for batch_id, line in wrong.items():
                # What is waited for is told while it is.
                if batch_id not in {record.batch_id for record in waited}:
                    tell(line)
            wrong = {}
            if not items:
                self._tell_of_calls(asked)
                return
            if waited:
                self._wait_for_one(waited, wait=wait)
            elif self._wait_for_calls(items, wait=wait):
                in_vain = 0
            else:
                # Once, another run may just have got its answers.
                in_vain += 1
                if in_vain > 1:
                    raise BatchError(
                        f"{plural(len(items), 'request')} fit in no batch: the first has more "
                        "tokens than the setting `tokens` of its provider's `batch` allows; raise "
                        "that, or leave the stage out of batch"
                    )

    def _wait_for_calls(self, items: Sequence[Item], *, wait: bool) -> bool:
        """Wait while other runs ask for items directly, which no batch has; tell whether they do.

        Raises:
            UnderWayError: the run is not to wait.
            StoppedError: it is to end.
        """
        claimed = 0
        while now := sum(item.is_claimed for item in items):
            claimed = now
            text = f"{plural(claimed, 'request')} of this stage are asked for by another run"
            if not wait:
                raise UnderWayError(f"{text}; run the same command again to go on")
            self._report(text)
            self._stop.check()
            self._stop.event.wait(LOOK_S)
        return claimed > 0

    def _tell_of_calls(self, asked: Mapping[str, Item]) -> None:
        """Say which requests have been in batches, and are asked for directly now."""
        batches: dict[str, str] = {}
        for record in read_records():
            if not record.is_open:
                names = asked.keys() & record.members.keys()
                batches.update(dict.fromkeys(names, record.batch_id))
        # Another batch may have answered them since.
        left = {
            name: batch_id
            for name, batch_id in batches.items()
            if not is_journaled(asked[name].directory, asked[name].request)
        }
        if not left:
            return
        more = [self._more(asked[name]) for name in left]
        usd = sum(each for each in more if each is not None)
        price = f"at most {usd:.4f} USD more" if None not in more else "which is not known"
        named = closing.names([*dict.fromkeys(left.values())])
        line = (
            f"{plural(len(left), 'request')} without an answer from {named} are asked for "
            f"directly, at the full price ({price})"
        )
        tell(line)
        self.moved.append(line)

    def _more(self, item: Item) -> float | None:
        """Return the USD that a request may cost more as a call; None without a price."""
        model, usage = self._models[item.generation.llm_model_id], most_usage(item.request)
        direct, batch = (
            most_of(usage, model, self._settings, batch=batch) for batch in (False, True)
        )
        return None if direct is None or batch is None else direct - batch

    def submit(self, items: Iterable[Item]) -> None:
        """Send what is in no batch yet, in as many batches as the limits ask for.

        Raises:
            StoppedError: the budget allows nothing of it.
            CallError: the provider does not take a batch.
        """
        with sending():
            worth = self._worth_it(items)
            try:
                self._send_missing(worth)
            except BudgetError as error:
                # What is under way for them may cost less than was set aside for it.
                if not _waited_for({item.name for item in worth}):
                    self._stop.request(str(error.args[0]))
                    raise StoppedError(str(error.args[0])) from error

    def _send_missing(self, items: Iterable[Item]) -> None:
        """Send the batches that earlier runs were about to send, and then what is in none.

        Raises:
            BudgetError: the budget does not allow all of it.
        """
        records = open_records()
        for record in records:
            if record.state == "intended":
                self._sender.send(record, adopt=True)
        there = {name for record in records for name in record.members}
        groups: dict[tuple[str, str], dict[str, Item]] = defaultdict(dict)
        for item in items:
            if item.name not in there:
                groups[self._group(item.request)][item.name] = item
        for (provider, _), group in groups.items():
            mine = [record for record in records if record.provider == provider]
            self._send_all(provider, list(group.values()), mine)

    def _group(self, request: Request) -> tuple[str, str]:
        """Return what the requests of a batch have in common: a provider, and what that asks."""
        return request.provider, self._providers.batches(request.provider).alike(request)

    def _send_all(
        self, provider: str, items: Sequence[Item], others: Sequence[BatchRecord]
    ) -> None:
        """Send items in as many batches as the limits ask for, beside the `others` under way.

        Raises:
            BudgetError: the budget does not allow all of it.
        """
        api = self._settings.batch_api(provider) or BatchApi()
        limits = self._settings.batch_limits(provider)
        for chunk in chunks(items, limits, self._room(others, api)):
            self._stop.check()
            self._sender.begin(provider, chunk)

    def _worth_it(self, items: Iterable[Item]) -> list[Item]:
        """Return the items that another batch may answer."""
        tries: dict[str, int] = defaultdict(int)
        refused = set()
        for record in read_records():
            refused.update(record.refused)
            for name in record.members:
                tries[name] += not record.is_open
        worth = []
        for item in items:
            api = self.api(item.generation.llm_model_id)
            if api is not None and item.name not in refused and tries[item.name] < api.attempts:
                worth.append(item)
        return worth

    def _room(self, records: Iterable[BatchRecord], api: BatchApi) -> int | None:
        """Return the tokens of prompts that may still be put in batches; None: any number."""
        if api.tokens is None:
            return None
        sizes = [(record.directory / REQUESTS).stat().st_size for record in records]
        return api.tokens - sum(size // BYTES_PER_TOKEN for size in sizes)

    def _wait_for_one(self, records: list[BatchRecord], *, wait: bool) -> None:
        """Wait until one of the batches has ended, and collect all that have.

        Raises:
            BatchError, StoppedError, CallError: as in `answer`.
        """
        due = {record.batch_id: 0.0 for record in records}
        while records:
            ended = False
            for record in records:
                if due[record.batch_id] > time.monotonic():
                    continue
                pause = self._poll(record)
                try:
                    ended = self._collect(record) or ended
                    self._troubles.over(record)
                except CallFailedError as failure:
                    if not record.is_open:
                        raise
                    pause = self._troubles.note(record, failure, poll=pause)
                due[record.batch_id] = time.monotonic() + pause
            if ended:
                return
            if not wait:
                raise UnderWayError(
                    f"{under_way(records)}; run the same command again to collect them"
                )
            self._report(under_way(records))
            if self._stop.event.wait(max(0.0, min(due.values()) - time.monotonic())):
                line = f"{under_way(records)} and go on without this run; run it again to collect "
                if any(self._providers.batches(record.provider).cancels for record in records):
                    line += "them, or cancel them with: snakemake -c1 batches --config cancel=all"
                else:
                    line += "them (they cannot be cancelled)"
                raise UnderWayError(line)

    def cancel(self, record: BatchRecord) -> str:
        """Ask the provider to end a batch, and return what comes of that, in words.

        Raises:
            CallError: it cannot be asked.
        """
        with sending():
            record.refresh()
            if record.state == "intended" and record.file:
                # It may have begun, and is paid for then.
                self._sender.adopt(record)
        return self._collector.cancel(record)

    def _poll(self, record: BatchRecord) -> float:
        return (self._settings.batch_api(record.provider) or BatchApi()).poll

    def _report(self, text: str) -> None:
        if time.monotonic() - self._told_at > REPORT_S:
            self._told_at = time.monotonic()
            tell(text)

    def collect_ended(self) -> list[str]:
        """Collect all batches that have ended, and send none; return what is wrong with some."""
        return [*self._collect_ended().values()]

    def _collect_ended(self) -> dict[str, str]:
        """Do the same; return what is wrong by the ids of the batches."""
        wrong = {}
        for record in open_records():
            try:
                self._collector.collect(record)
            except (BatchError, CallError) as error:
                wrong[record.batch_id] = str(error)
        return wrong

    def _collect(self, record: BatchRecord) -> bool:
        """Journal a batch's answers if it has ended, and tell whether it has."""
        if record.state == "intended":
            # If nobody is about to send it, whoever was has been killed.
            with sending():
                record.refresh()
                if record.state == "intended":
                    self._sender.send(record, adopt=True)
        return self._collector.collect(record)


def _waited_for(names: Set[str]) -> list[BatchRecord]:
    """Return the batches under way that may answer any of these requests."""
    return [record for record in open_records() if not names.isdisjoint(record.members)]

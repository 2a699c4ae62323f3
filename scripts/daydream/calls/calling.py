"""Making a model call: within the budget, with room for its answer, entered in the ledger.

    claim (room on the disk)  ->  in the journal?  ->  stop?  ->  each attempt: ledger: begin
        ->  provider  ->  journal  ->  ledger: end

Everything that can refuse the call does so before it is sent. Its answer is in the journal before
it is used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from daydream.calls.bound import most_usage
from daydream.calls.clients import client_of
from daydream.calls.ledger import LEDGER, Ledger
from daydream.calls.meter import Meter
from daydream.calls.prices import cost_of, most_of
from daydream.calls.spent import Reservation
from daydream.calls.stop import Stop
from daydream.catalog.records import Model
from daydream.errors import StoreError, UnderWayError
from daydream.files import NO_FILES, ReservedFile, remedy_of
from daydream.generations.row import Generation
from daydream.llm import Providers
from daydream.llm.request import Request, Response
from daydream.settings import Settings
from daydream.store.batches import OpenRequests
from daydream.store.journal import CLAIM_PAUSE_S, claim_entry, find_response, record_response
from daydream.store.layout import generation_file

# The most seconds that pass from the manifest of a batch until it leaves out what is claimed.
BEGINS_S = 30.0


class Calls:
    """Makes the calls of one run; threads share it."""

    def __init__(
        self, settings: Settings, models: Mapping[str, Model], providers: Providers, stop: Stop
    ) -> None:
        self._settings = settings
        self._models = models
        self.providers = providers
        self._stop = stop
        self._open = OpenRequests()
        # Processes that a run starts, such as its shards, are part of it.
        self.run = os.environ.setdefault("DAYDREAM_RUN", f"{time.time_ns():x}-{os.getpid()}")
        self.ledger = Ledger(
            LEDGER, run=self.run, budget=settings.budget, cohort_budget=settings.cohort_budget
        )

    @property
    def started_ns(self) -> int:
        """When the run began, in nanoseconds since the epoch; its name begins with it."""
        return int(self.run.partition("-")[0], 16)

    def ask(self, generation: Generation, request: Request) -> tuple[Response, bool]:
        """Make a call and journal its answer; return whether another process had made the call.

        Raises:
            CallError: the provider gave no answer.
            StoppedError: the run is to end, or the budget is used up, which ends it.
            StoreError: the answer could not be kept; what is missing is noticed before the call.
        """
        directory = Path(generation_file(generation.stage, generation.gen_id, ""))
        with self._claim(directory, request) as file:
            # Another process may have asked in the meantime: its answer counts.
            known = find_response(directory, request)
            if known is not None:
                return known, True
            if batch := self._sent_in(generation, request):
                line = (
                    f"{generation.stage} {generation.gen_id}: its answer is under way in batch "
                    f"{batch}, which another run has sent; make it with the other texts of its "
                    "stage, which collects it"
                )
                if self.providers.batches(request.provider).cancels:
                    line += ", or cancel that batch with: snakemake -c1 batches --config cancel="
                    line += batch
                raise UnderWayError(line)
            with self._stop.call():
                try:
                    return self._ask(generation, request, file), False
                except StoreError as error:
                    # If answers cannot be kept or entered, no more of them should be paid for.
                    self._stop.request(str(error.args[0]))
                    raise

    def batch_of(self, generation: Generation, request: Request) -> str:
        """Return the id of the batch that a request is under way in; empty if there is none."""
        record = self._open.holder(generation.gen_id, request)
        return "" if record is None else record.batch_id

    def _sent_in(self, generation: Generation, request: Request) -> str:
        """Return the same, for who has the claim: a batch that begins now leaves the request out.

        One that has not begun for long is that of a run that was killed.
        """
        while record := self._open.holder(generation.gen_id, request):
            if record.state != "intended" or record.age_s > BEGINS_S:
                return record.batch_id
            self._wait_for_other()
        return ""

    def _claim(self, directory: Path, request: Request) -> ReservedFile:
        try:
            return claim_entry(directory, request, wait=self._wait_for_other)
        except OSError as error:
            lacks = "no file can be opened" if error.errno in NO_FILES else "there is no room"
            reason = f"{directory}: {lacks} for an answer ({error.strerror})"
            self._stop.request(reason)
            remedy = remedy_of(error, "make room")
            raise StoreError(f"{reason}; {remedy} and run snakemake again") from error

    def _wait_for_other(self) -> None:
        """Wait a little for another thread or process that asks for the same answer."""
        self._stop.check()
        self._stop.event.wait(CLAIM_PAUSE_S)

    def _ask(self, generation: Generation, request: Request, file: ReservedFile) -> Response:
        model = self._models[generation.llm_model_id]
        kind = self._settings.providers[request.provider].type
        # Asked before the call: it reads files, which must not fail once an answer is there.
        client = client_of(kind)
        if kind == "local":
            response = self.providers.complete(request, pool=model.pool)
            record_response(file, request, response, client=client)
            return response
        meter = Meter(
            self.ledger,
            self._stop,
            cohort=generation.cohort_id,
            most=self._most(request, model),
            details={
                "stage": generation.stage,
                "gen_id": generation.gen_id,
                "request_sha256": request.sha256,
                "provider": request.provider,
                "model": request.model,
            },
        )
        response = self.providers.complete(request, pool=model.pool, metered=meter.attempt)
        try:
            record_response(file, request, response, client=client)
        finally:
            tier = request.tier_of(response)
            cost = cost_of(response.counted, model, self._settings, tier=tier)
            meter.end(response.counted, response.attempts, cost)
        return response

    def _most(self, request: Request, model: Model) -> Reservation:
        usage = most_usage(request)
        return Reservation(most_of(usage, model, self._settings), usage.tokens or 0)

"""Making a model call: within the budget, with room for its answer, entered in the ledger.

    claim (room on the disk)  ->  in the journal?  ->  stop?  ->  ledger: begin  ->  provider
        ->  journal  ->  ledger: end

Whatever can refuse the call does so before it is sent; what comes back is in the journal before
anybody hears of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from daydream.calls.ledger import LEDGER, Ledger
from daydream.calls.stop import Stop
from daydream.catalog.records import Model
from daydream.errors import BudgetError, StoppedError, StoreError
from daydream.files import ReservedFile
from daydream.generations.row import Generation
from daydream.llm import Providers
from daydream.llm.request import Request, Response
from daydream.settings import Settings
from daydream.store.journal import CLAIM_PAUSE_S, claim_entry, find_response, record_response
from daydream.store.layout import generation_file

# The packages that make the calls of a type of provider.
_CLIENTS = {"openai": "openai", "local": "xllamacpp"}
# Characters a token, at the least: a budget is kept by what a call can take at the most.
CHARACTERS_PER_TOKEN = 3
DEFAULT_MAX_TOKENS = 4096


class Calls:
    """Makes the calls of one run; threads share it."""

    def __init__(
        self, settings: Settings, models: Mapping[str, Model], providers: Providers, stop: Stop
    ) -> None:
        self._settings = settings
        self._models = models
        self.providers = providers
        self._stop = stop
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
        """Make a call and journal its answer; with it, whether another process had made the call.

        Raises:
            CallError: the provider gave no answer.
            StoppedError: the run is to end, or the budget is used up, which ends it.
            StoreError: the answer could not be kept; what is missing is noticed before the call.
        """
        directory = Path(generation_file(generation.stage, generation.gen_id, ""))
        with self._claim(directory, request) as file:
            # Another process may have asked since this one looked: its answer is the answer.
            known = find_response(directory, request)
            if known is not None:
                return known, True
            with self._stop.call():
                try:
                    return self._ask(generation, request, file), False
                except StoreError as error:
                    # What cannot be kept or entered must not be paid for again and again.
                    self._stop.request(str(error.args[0]))
                    raise

    def _claim(self, directory: Path, request: Request) -> ReservedFile:
        try:
            return claim_entry(directory, request, wait=self._wait_for_other)
        except OSError as error:
            reason = f"{directory}: there is no room for an answer ({error.strerror})"
            self._stop.request(reason)
            raise StoreError(f"{reason}; make room and run snakemake again") from error

    def _wait_for_other(self) -> None:
        """Wait a little for another thread or process that asks for the same answer."""
        self._stop.check()
        self._stop.event.wait(CLAIM_PAUSE_S)

    def _ask(self, generation: Generation, request: Request, file: ReservedFile) -> Response:
        model = self._models[generation.llm_model_id]
        kind = self._settings.providers[request.provider].type
        call = self._begin(generation, request, model) if kind != "local" else None
        try:
            response = self.providers.complete(request, pool=model.pool)
        except BaseException as error:
            if call is not None:
                reason = type(error).__name__
                self.ledger.fail(call, cohort=generation.cohort_id, reason=reason)
            raise
        try:
            record_response(file, request, response, client=_client(kind))
        finally:
            if call is not None:
                self.ledger.end(
                    call,
                    cohort=generation.cohort_id,
                    usd=cost_usd(response.usage, model),
                    usage=response.usage,
                    attempts=response.attempts,
                )
        return response

    def _begin(self, generation: Generation, request: Request, model: Model) -> str:
        usage = most_tokens(request)
        try:
            return self.ledger.begin(
                cohort=generation.cohort_id,
                usd=cost_usd(usage, model),
                tokens=sum(usage.values()),
                stage=generation.stage,
                gen_id=generation.gen_id,
                request_sha256=request.sha256,
                provider=request.provider,
                model=request.model,
            )
        except BudgetError as error:
            self._stop.request(error.args[0])
            raise StoppedError(error.args[0]) from error


@cache
def _client(kind: str) -> str:
    package = _CLIENTS.get(kind)
    return f"{package} {version(package)}" if package else kind


def most_tokens(request: Request) -> dict[str, int]:
    """Return the usage of a call, at the most, in the form of a provider's `usage`."""
    tokens = request.sampling.get("max_tokens")
    prompt = sum(len(message["content"]) for message in request.messages)
    return {
        "prompt_tokens": prompt // CHARACTERS_PER_TOKEN + 1,
        "completion_tokens": tokens if isinstance(tokens, int) else DEFAULT_MAX_TOKENS,
    }


def cost_usd(usage: Mapping[str, Any], model: Model) -> float | None:
    """Return the price of a call in USD, or None if the catalog or the provider does not tell."""
    paid, counted = model.usd_per_mtok_in, usage.get("prompt_tokens")
    paid_out, counted_out = model.usd_per_mtok_out, usage.get("completion_tokens")
    if paid is None or paid_out is None or counted is None or counted_out is None:
        return None
    return (paid * float(counted) + paid_out * float(counted_out)) / 1e6

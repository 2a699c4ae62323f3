"""Asking for embeddings: several texts per request, each text once, within the budget.

    lock of the model  ->  which are missing?  ->  stop?  ->  room on the disk  ->  each attempt:
        ledger: begin  ->  provider  ->  data/embeddings  ->  ledger: end

One thread or process at a time asks for a model's embeddings, with some requests in flight: what
another one has asked for in the meantime is not asked for again.

A provider refuses a whole request because of one text, such as one that is too long. So a refused
request is divided until the text is found; the others get their embeddings.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from daydream.calls.clients import client_of
from daydream.calls.ledger import Ledger
from daydream.calls.meter import Meter
from daydream.calls.parts import parts
from daydream.calls.prices import embedding_cost
from daydream.calls.spent import Reservation
from daydream.calls.stop import Stop
from daydream.errors import CallError, InputError, Problem, StoppedError, StoreError
from daydream.files import read_text, text_sha256
from daydream.llm import Providers
from daydream.llm.embeddings import Embedded, EmbeddingRequest
from daydream.llm.failures import CallFailedError
from daydream.llm.usage import Usage
from daydream.settings import Embeddings, Settings
from daydream.store.embeddings import Space, alone, record_embedding, room
from daydream.text import plural

# Requests in flight at once; the limits of the provider's pool hold besides.
AT_ONCE = 8
# A token per three bytes bounds a request; a token per byte, and those around a text, the budget.
BYTES_PER_TOKEN = 3
TOKENS_PER_TEXT = 16
# The statuses that refuse what is asked, and not who asks.
REFUSED = frozenset({400, 413, 422})
# So many refused texts, and none answered: it is not because of the texts.
HOPELESS = 2


class Text(NamedTuple):
    """A text that is to have an embedding: its file, its digest, and its length in bytes."""

    file: str
    sha256: str
    size: int


class Embedding:
    """Asks for the embeddings of one run; threads share it."""

    def __init__(
        self, settings: Settings, providers: Providers, ledger: Ledger, stop: Stop
    ) -> None:
        self._all = settings
        self._providers = providers
        self._ledger = ledger
        self._stop = stop

    @property
    def settings(self) -> Embeddings:
        """What the configuration says of embeddings.

        Raises:
            InputError: it names no model.
        """
        if self._all.embeddings is None:
            found = "found no model of embeddings"
            remedy = "add embeddings: {model: …, provider: …} (config/README.md describes it)"
            raise InputError("config", [Problem(file="embeddings", found=found, remedy=remedy)])
        return self._all.embeddings

    @property
    def space(self) -> Space:
        """The model, as its embeddings are kept."""
        settings = self.settings
        return Space(settings.provider, settings.model, settings.dimensions)

    def missing(self, texts: Iterable[Text]) -> list[Text]:
        """Return the texts that have no embedding yet, each content once."""
        space = self.space
        found = {text.sha256: text for text in texts}
        return [text for text in found.values() if not space.file(text.sha256).exists()]

    def most(self, texts: Sequence[Text]) -> Reservation:
        """Return the most that a request for some texts can take."""
        tokens = sum(text.size for text in texts) + TOKENS_PER_TEXT * len(texts)
        return Reservation(embedding_cost(Usage(tokens, 0), self._all).usd, tokens)

    def embed(self, texts: Iterable[Text], *, cohort: str) -> None:
        """Get the embedding of each text that has none, and keep it.

        Raises:
            CallError: the provider gave none for some of them.
            StoppedError: the run is to end, or the budget is used up, which ends it.
            StoreError: embeddings could not be kept.
        """
        wanted = list(texts)
        if not self.missing(wanted):
            return
        with alone(self.space, wait=self._wait_for_other):
            requests = parts(
                self.missing(wanted),
                size=lambda text: -(-text.size // BYTES_PER_TOKEN),
                most=self.settings.texts,
                total=self.settings.tokens,
            )
            job = _Job(self, cohort)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                futures = [pool.submit(job.ask, part) for part in requests]
                wait(futures, return_when=FIRST_EXCEPTION)
                for future in futures:
                    future.cancel()
            _raise_first(futures)
            job.check()

    def _wait_for_other(self, seconds: float) -> None:
        self._stop.check()
        self._stop.event.wait(seconds)

    def request(self, part: Sequence[Text], cohort: str) -> Embedded:
        """Send one request, and keep what comes.

        Raises:
            DaydreamError: as `embed`.
        """
        with self._stop.call():
            try:
                return self._request(part, cohort)
            except StoreError as error:
                # If embeddings cannot be kept or entered, no more of them should be paid for.
                self._stop.request(str(error.args[0]))
                raise

    def _request(self, part: Sequence[Text], cohort: str) -> Embedded:
        request = EmbeddingRequest(
            provider=self.settings.provider,
            model=self.settings.model,
            texts=tuple(map(_content, part)),
            dimensions=self.settings.dimensions,
        )
        meter = Meter(
            self._ledger,
            self._stop,
            cohort=cohort,
            most=self.most(part),
            details={
                "embeddings": len(part),
                "request_sha256": request.sha256,
                "provider": request.provider,
                "model": request.model,
            },
        )
        with room(self.space, f"{threading.get_ident()}", len(part)):
            answer = self._providers.embed(request, metered=meter.attempt)
        try:
            for number, vector in answer.vectors.items():
                sha256 = part[number].sha256
                record_embedding(self.space, sha256, vector, answer, client=client_of("openai"))
        finally:
            cost = embedding_cost(answer.counted, self._all)
            meter.end(answer.counted, answer.attempts, cost)
        return answer


class _Job:
    """What comes of some texts of a cohort."""

    def __init__(self, embedding: Embedding, cohort: str) -> None:
        self._embedding = embedding
        self._cohort = cohort
        self._answered = False
        self._refused: list[tuple[Text, str]] = []

    def ask(self, part: Sequence[Text]) -> None:
        """Ask until each text has its embedding, or was refused by itself."""
        while part:
            try:
                answer = self._embedding.request(part, self._cohort)
            except CallError as error:
                if not _is_refused(error):
                    raise
                self._divide(part, error)
                return
            self._answered = True
            # At least one of them came.
            part = [text for number, text in enumerate(part) if number not in answer.vectors]

    def _divide(self, part: Sequence[Text], error: CallError) -> None:
        if len(part) == 1:
            self._refused.append((part[0], str(error.args[0])))
            if not self._answered and len(self._refused) >= HOPELESS:
                self.check()
            return
        half = len(part) // 2
        self.ask(part[:half])
        self.ask(part[half:])

    def check(self) -> None:
        """Raise if texts were refused.

        Raises:
            CallError: one line names the first of them.
        """
        if not self._refused:
            return
        text, reason = self._refused[0]
        found, _, remedy = reason.rpartition("; ")
        count = len(self._refused)
        others = f", as of {plural(count - 1, 'other text')}" if count > 1 else ""
        raise CallError(
            f"{text.file}: has no embedding{others}: {found}; {remedy}, shorten the text, or leave "
            f"it out with `exclude`"
        )


def _is_refused(error: CallError) -> bool:
    cause = error.__cause__
    return isinstance(cause, CallFailedError) and cause.status in REFUSED


def _raise_first(futures: Iterable[Future[None]]) -> None:
    """Raise the first error; that the run ends is only one if there is no other."""
    done = (future for future in futures if not future.cancelled())
    errors = [error for future in done if (error := future.exception()) is not None]
    errors.sort(key=lambda error: isinstance(error, StoppedError))
    if errors:
        raise errors[0]


def _content(text: Text) -> str:
    """Return the content of a text.

    Raises:
        StoreError: it is another one by now.
    """
    content = read_text(text.file)
    if text_sha256(content) != text.sha256:
        raise StoreError(f"{text.file}: was changed during this run; run snakemake again")
    return content

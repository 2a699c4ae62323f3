"""What generations ask in batches: the requests that their prompts make, and the journal lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from daydream.calls.batch.items import Item
from daydream.experiment import recipes
from daydream.experiment.answers import build_request, find_answer
from daydream.experiment.experiment import Experiment
from daydream.files import read_text
from daydream.generations.row import Generation
from daydream.llm.request import Request, Response
from daydream.store.batches import open_members
from daydream.store.layout import generation_file


class _AskedError(Exception):
    """The search for an answer has come to a request that the journal lacks."""

    def __init__(self, request: Request) -> None:
        self.request = request


def batched(experiment: Experiment, rows: Iterable[Generation]) -> list[Generation]:
    """Return the generations, of those that need an answer, that get it in a batch.

    Their stage asks in batches, or their request is in one that is under way.
    """
    under_way = {member.gen_id for member in open_members().values()}
    return [
        row
        for row in rows
        if not recipes.is_copy(experiment, row)
        and experiment.batching.api(row.llm_model_id) is not None
        and (experiment.settings.batch.covers(row.stage) or row.gen_id in under_way)
    ]


def submit_batches(experiment: Experiment, rows: Iterable[Generation]) -> None:
    """Send what these generations ask, and neither the journal nor a batch has.

    Raises:
        DaydreamError: as in `Batching.submit`.
    """
    covers = experiment.settings.batch.covers
    own = [row for row in rows if covers(row.stage)]
    experiment.batching.submit(_open_items(experiment, own))


def collect_batches(experiment: Experiment, rows: Iterable[Generation]) -> None:
    """Wait for the answers of these generations, and journal them.

    Raises:
        DaydreamError: as in `Batching.answer`.
    """
    asked = list(rows)
    covers = experiment.settings.batch.covers

    def find() -> list[Item]:
        names = open_members().keys()
        found = _open_items(experiment, asked)
        return [item for item in found if covers(item.generation.stage) or item.name in names]

    experiment.batching.answer(find, wait=experiment.settings.batch_wait)


def _open_items(experiment: Experiment, rows: Iterable[Generation]) -> Iterator[Item]:
    """Yield the first request of each generation, if the journal does not have its answer.

    What is asked because an answer was refused or cut is asked directly.
    """
    for row in rows:
        prompt = read_text(generation_file(row.stage, row.gen_id, "prompt.txt"))
        request = _lacking(experiment, row, prompt)
        sample = experiment.choices.of(row.gen_id).sample
        if request == build_request(experiment, row, prompt, sample=sample):
            yield Item(row, request)


def _lacking(experiment: Experiment, row: Generation, prompt: str) -> Request | None:
    def ask(_: Generation, request: Request) -> tuple[Response, bool]:
        raise _AskedError(request)

    directory = Path(generation_file(row.stage, row.gen_id, ""))
    try:
        find_answer(experiment, row, prompt, directory, ask=ask)
    except _AskedError as asked:
        return asked.request
    return None

"""Restoring an older answer, so that it counts again without a call."""

from __future__ import annotations

from pathlib import Path

from daydream.errors import StoreError, nearest
from daydream.experiment.answers import build_request, restored_answer
from daydream.experiment.experiment import Experiment
from daydream.files import read_text
from daydream.store.choices import Choice, choose
from daydream.store.journal import journaled
from daydream.store.layout import generation_file


def restore(experiment: Experiment, *, gen_id: object, request: object) -> str:
    """Let a journaled answer of a generation count from now on, and return what to do next.

    `request` is the hash of its request, or the beginning of the hash. Both may be numbers, if they
    look like numbers in YAML.

    Raises:
        StoreError: there is no such answer, or it answers another prompt than today's.
        UnknownGenerationError: no configured cohort has the generation.
    """
    if gen_id is None or request is None:
        raise StoreError("found no gen_id or no request; give --config gen_id=… request=…")
    gen_id, request = str(gen_id), str(request)
    generation = experiment.generation_of(gen_id)
    directory = Path(generation_file(generation.stage, gen_id, ""))
    entries = journaled(directory)
    matching = [name for name in entries if name.startswith(request)]
    if len(matching) != 1:
        many = "more than one answer" if matching else "no answer"
        raise StoreError(
            f"{directory}: found {request!r}, which names {many} of the journal; "
            f"{nearest(request, entries)}"
        )
    current = build_request(experiment, generation, read_text(directory / "prompt.txt"))
    if restored_answer(directory, matching[0], current) is None:
        raise StoreError(
            f"{directory}: {matching[0]} answers another prompt than that of prompt.txt; restore "
            f"what the prompt is made of instead"
        )
    choose(gen_id, Choice(request=matching[0]))
    return f"{gen_id}: the answer to {matching[0]} counts again; run snakemake to take it."

"""Restoring an older answer, so that it counts again without a call; and listing what there is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from daydream.errors import CallError, StoreError, nearest
from daydream.experiment.answers import build_request, restored_answer
from daydream.experiment.experiment import Experiment
from daydream.files import read_text
from daydream.generations.row import Generation
from daydream.llm.request import Response
from daydream.store.choices import Choice, choose
from daydream.store.journal import journaled, read_entry
from daydream.store.layout import generation_file, read_json
from daydream.text import clipped, table

# How many characters of a request's hash and of an answer are shown.
SHOWN, WIDTH = 12, 60


def restore(experiment: Experiment, *, gen_id: object, request: object) -> str:
    """Let a journaled answer of a generation count from now on, and return what to do next.

    `request` is the hash of its request, or the beginning of the hash. Both may be numbers, if they
    look like numbers in YAML. Without `request`, the answers are listed, and nothing changes.

    Raises:
        StoreError: there is no such answer, or it answers another prompt than today's.
        UnknownGenerationError: no configured cohort has the generation.
    """
    if gen_id is None:
        raise StoreError("found no gen_id; give --config gen_id=…, and request=… to restore one")
    gen_id = str(gen_id)
    generation = experiment.generation_of(gen_id)
    directory = Path(generation_file(generation.stage, gen_id, ""))
    entries = journaled(directory)
    if request is None:
        return _listed(experiment, generation, directory, entries)
    request = str(request)
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


def _listed(
    experiment: Experiment, generation: Generation, directory: Path, entries: Sequence[str]
) -> str:
    """Return the answers of a generation's journal as a table, the oldest first."""
    if not entries:
        return f"{directory} has no answer in its journal."
    path = directory / "metadata.json"
    counted = read_json(path).get("request_sha256") if path.exists() else None
    found = sorted(
        (
            (sha256, *entry)
            for sha256 in entries
            if (entry := read_entry(directory, sha256)) is not None
        ),
        key=lambda each: each[2].started_at,
    )
    prompt = directory / "prompt.txt"
    current = build_request(experiment, generation, read_text(prompt)) if prompt.exists() else None
    usable = [sha256 for sha256, request, _ in found if current and request.asked == current.asked]
    rows = [["request", "", "asked", "model", "sample", "max_tokens", "answer"]]
    for sha256, request, response in found:
        other = "" if sha256 in usable else "other prompt"
        rows.append(
            [
                sha256[:SHOWN],
                "counts" if sha256 == counted else other,
                response.started_at[:19],
                request.model,
                str(request.sample),
                str(request.max_tokens or ""),
                _beginning(response),
            ]
        )
    listed = table(rows, left=(0, 1, 2, 3, 6))
    if not usable:
        return f"{listed}\n\nNone answers today's prompt, so none can count."
    return (
        f"{listed}\n\n"
        f"To let one count from now on:\n"
        f"  snakemake -c1 restore{experiment.settings.sources.option} --config "
        f"gen_id={generation.gen_id} request={usable[0][:SHOWN]}"
    )


def _beginning(response: Response) -> str:
    """Return the first words of an answer, or why it has none."""
    try:
        return clipped(" ".join(response.text.split()), WIDTH) or "(blank)"
    except CallError as error:
        return f"({clipped(str(error.args[0]).partition(';')[0], WIDTH)})"

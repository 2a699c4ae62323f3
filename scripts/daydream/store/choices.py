"""Which answer of a generation counts, if it is not the first one: `data/choices.json`.

    {"<gen_id>": {"sample": 2, "run": "…"}}     the answer of the third sample, of a refresh
    {"<gen_id>": {"request": "<sha256>"}}       a journaled answer, restored

A refresh and a restoration are entries here, not edits of the store. Each entry is part of what an
answer is made of, so the next run makes the files again, from the journal or by a call. `run` is
the run that asked for the sample. Its other processes and its second attempts follow its decision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daydream.errors import StoreError
from daydream.files import held, parse_json, write_text

CHOICES = Path("data/choices.json")
LOCK = Path("data/choices.lock")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The number of the first sample to ask for, or the request whose answer is used."""

    sample: int = 0
    request: str = ""
    run: str = ""


FIRST = Choice()


def read_choices() -> dict[str, Choice]:
    """Return the choices by gen_id. A generation without an entry uses its first sample.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        entries = parse_json(CHOICES.read_bytes())
        return {gen_id: _choice(entry) for gen_id, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{CHOICES}: cannot be read ({error}); restore or delete it") from error


def _choice(entry: Mapping[str, Any]) -> Choice:
    choice = Choice(**entry)
    if not (isinstance(choice.request, str) and isinstance(choice.run, str)):
        raise TypeError("request and run are texts")
    if type(choice.sample) is not int or choice.sample < 0:
        raise ValueError(f"sample is a number from 0, not {choice.sample!r}")
    return choice


def choose(gen_id: str, choice: Choice) -> None:
    """Enter a choice."""
    with held(LOCK):
        _write({**read_choices(), gen_id: choice})


def commit_refresh(samples: Mapping[str, Iterable[int]], *, run: str) -> dict[str, Choice]:
    """Enter a new sample for each generation of `samples` that this run has not chosen one for.

    Returns:
        The choices of these generations, by gen_id.
    """
    with held(LOCK):
        choices = read_choices()
        chosen = refreshed(choices, samples, run=run)
        if chosen != choices:
            _write(chosen)
    return {gen_id: chosen[gen_id] for gen_id in samples if gen_id in chosen}


def refreshed(
    choices: Mapping[str, Choice], samples: Mapping[str, Iterable[int]], *, run: str
) -> dict[str, Choice]:
    """Return the choices with a new sample for each generation of `samples`.

    `samples` are the numbers of the answered samples by gen_id. A generation keeps its choice if
    that was never answered, as after an interrupted refresh, or if this run has chosen it.
    """
    result = dict(choices)
    for gen_id, answered in samples.items():
        known = list(answered)
        current = result.get(gen_id, FIRST)
        if current.run != run and (current.request or current.sample in known):
            result[gen_id] = Choice(sample=max(known, default=-1) + 1, run=run)
    return result


def _write(choices: Mapping[str, Choice]) -> None:
    """Write the choices, one generation per line."""
    lines = [f"{json.dumps(name)}: {json.dumps(_entry(choices[name]))}" for name in sorted(choices)]
    write_text(CHOICES, "{\n" + ",\n".join(lines) + "\n}\n", durable=True)


def _entry(choice: Choice) -> dict[str, Any]:
    if choice.request:
        return {"request": choice.request}
    return {"sample": choice.sample, **({"run": choice.run} if choice.run else {})}

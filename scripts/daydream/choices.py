"""Which answer of a generation counts, where that is not the first: `data/choices.json`.

    {"<gen_id>": {"sample": 2}}                 the answer of the third sample, asked for anew
    {"<gen_id>": {"request": "<sha256>"}}       a journaled answer, restored

A refresh and a restoration are entries here, not edits of the store: each becomes a param of the
generation's job, so that the next run makes the files anew, from the journal or by a call.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daydream.errors import StoreError
from daydream.files import write_text

CHOICES = Path("data/choices.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The number of the sample that is asked for first, or the request whose answer is taken."""

    sample: int = 0
    request: str = ""


FIRST = Choice()


def read_choices() -> dict[str, Choice]:
    """Return the choices by gen_id; a generation that is not there has its first sample.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        entries = json.loads(CHOICES.read_bytes())
        return {gen_id: Choice(**entry) for gen_id, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{CHOICES}: cannot be read ({error}); restore or delete it") from error


def write_choices(choices: Mapping[str, Choice]) -> None:
    """Write the choices, one generation a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(_entry(choices[name]))}" for name in sorted(choices)]
    write_text(CHOICES, "{\n" + ",\n".join(lines) + "\n}\n", durable=True)


def _entry(choice: Choice) -> dict[str, Any]:
    return {"request": choice.request} if choice.request else {"sample": choice.sample}


def refreshed(
    choices: Mapping[str, Choice], samples: Mapping[str, Iterable[int]]
) -> dict[str, Choice]:
    """Return the choices with a new sample for each generation of `samples`.

    `samples` are the numbers of the samples that were answered, by gen_id. A generation whose
    choice was never answered, as after an interrupted refresh, keeps it.
    """
    result = dict(choices)
    for gen_id, answered in samples.items():
        known = list(answered)
        if result.get(gen_id, FIRST).request or result.get(gen_id, FIRST).sample in known:
            result[gen_id] = Choice(sample=max(known, default=-1) + 1)
    return result

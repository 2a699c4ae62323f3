"""What the answers took, as a table: one row for every generation of a cohort.

Columns, those of metadata.json:

    stage, gen_id, template_id, llm_model_id
    mode                 llm, or copy for a text taken from its parent; empty: not answered yet
    prompt_tokens, completion_tokens   as the provider counted them
    cost_usd             price of the call; empty if unknown
    duration_s           seconds that the call took
    attempts             times it was sent until it was answered
    reused               true if the answer was in the journal already, else false
    slice                `where` and `exclude` of the run, if the table is not the whole cohort

They are of the answer that counts: others, asked for before or after it, are in the journal.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from daydream.experiment import Experiment
from daydream.files import write_text
from daydream.membership import Generation
from daydream.store import generation_file, read_json

COLUMNS = (
    "stage",
    "gen_id",
    "template_id",
    "llm_model_id",
    "mode",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "duration_s",
    "attempts",
    "reused",
    "slice",
)


def listed(experiment: Experiment, cohort: str) -> list[Generation]:
    """Return the selected generations of a cohort, in membership order."""
    return [row for row in experiment.memberships[cohort] if row.gen_id in experiment.selected]


def metadata_files(experiment: Experiment, cohort: str) -> list[str]:
    """Return the metadata.json of every expanded generation of a cohort."""
    rows = listed(experiment, cohort)
    return [_metadata_file(row) for row in rows if row.gen_id in experiment.expanded]


def write_calls(experiment: Experiment, cohort: str, path: str) -> None:
    """Write the table of a cohort.

    Raises:
        StoreError: a metadata.json is damaged.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for generation in listed(experiment, cohort):
        writer.writerow({**_call(generation), "slice": experiment.slice})
    write_text(path, text.getvalue())


def _call(generation: Generation) -> dict[str, Any]:
    path = Path(_metadata_file(generation))
    metadata = read_json(path) if path.exists() else {}
    reused = metadata.get("reused")
    return {
        **metadata,
        **(metadata.get("usage") or {}),
        **generation._asdict(),
        "reused": "" if reused is None else str(reused).lower(),
    }


def _metadata_file(generation: Generation) -> str:
    return generation_file(generation.stage, generation.gen_id, "metadata.json")

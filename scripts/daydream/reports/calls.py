"""What the answers took, as a table: one row for every generation of a cohort.

Columns, those of metadata.json:

    stage, gen_id, template_id, llm_model_id
    mode                 llm, or copy for a text taken from its parent; empty: not answered yet
    prompt_tokens, completion_tokens   as the provider counted them
    cost_usd             price of the call by the catalog of today; empty if unknown
    duration_s           seconds that the call took
    attempts             times it was sent until it was answered
    reused               true if the answer was in the journal already, else false
    edited               the texts changed by hand (prompt, raw, parsed), with spaces between
    slice                `where` and `exclude` of the run, if the table is not the whole cohort

They are of the answer that counts: others, asked for before or after it, are in the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daydream.calls.calling import cost_usd
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.files import write_text
from daydream.generations.row import Generation
from daydream.reports.report import covered
from daydream.store.layout import generation_file, read_json
from daydream.tables import csv_text

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
    "edited",
    "slice",
)


def write_calls(
    experiment: Experiment, cohort: str, accounts: Mapping[str, Account], path: str
) -> None:
    """Write the table of a cohort.

    Raises:
        StoreError: a metadata.json is damaged.
    """
    found = (_row(experiment, row, accounts[row.gen_id]) for row in covered(experiment, cohort))
    write_text(path, csv_text(COLUMNS, ([row.get(name) for name in COLUMNS] for row in found)))


def _row(experiment: Experiment, generation: Generation, account: Account) -> dict[str, Any]:
    call = _call(experiment, generation) if account.raw.kind == "current" else {}
    own = {"edited": " ".join(account.edited_phases), "slice": experiment.slice}
    return {**call, **generation._asdict(), **own}


def _call(experiment: Experiment, generation: Generation) -> dict[str, Any]:
    metadata = read_json(generation_file(generation.stage, generation.gen_id, "metadata.json"))
    usage = metadata.get("usage") or {}
    model = experiment.catalog.models.get(generation.llm_model_id)
    reused = metadata.get("reused")
    return {
        **metadata,
        **usage,
        "cost_usd": None if model is None else cost_usd(usage, model),
        "reused": "" if reused is None else str(reused).lower(),
    }

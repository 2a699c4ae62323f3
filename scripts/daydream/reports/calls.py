"""What the answers used, as a table: one row per generation of a cohort.

Columns, those of metadata.json:

    stage, gen_id, template_id, llm_model_id
    state                complete, or what the generation is instead (`experiment.provenance`)
    mode                 llm, or copy for a text taken from its parent; empty: not answered yet
    prompt_tokens, completion_tokens   as the provider counted them
    cached_tokens, cache_write_tokens  of the prompt: read from the provider's cache, written to it
    reasoning_tokens     of the answer: what went into reasoning
    cost_usd             price of the call, by today's catalog if the provider did not tell; empty
                         if it is not known
    price_source         whose price that is: provider, llm_models.csv or genai-prices
    duration_s           seconds that the call took; empty if it was in a batch
    attempts             times it was sent until it was answered
    reused               true if the answer was in the journal already, else false
    edited               the texts changed by hand (prompt, raw, parsed), with spaces between
    slice                `where` and `exclude` of the run, if the table is not the whole cohort

They describe the answer in use, also if its parser rejected it. Other answers, from before or after
it, are in the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daydream.calls.prices import recorded_cost
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.files import write_text
from daydream.generations.row import Generation
from daydream.llm.usage import read_usage
from daydream.reports.report import covered
from daydream.store.layout import generation_file, read_json
from daydream.tables import csv_text

COLUMNS = (
    "stage",
    "gen_id",
    "template_id",
    "llm_model_id",
    "state",
    "mode",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "price_source",
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
    own = {
        "state": account.standing,
        "edited": " ".join(account.edited_phases),
        "slice": experiment.slice,
    }
    return {**call, **generation._asdict(), **own}


def _call(experiment: Experiment, generation: Generation) -> dict[str, Any]:
    metadata = read_json(generation_file(generation.stage, generation.gen_id, "metadata.json"))
    usage = read_usage(metadata.get("usage"))
    model = experiment.catalog.models.get(generation.llm_model_id)
    reused = metadata.get("reused")
    batch = bool(metadata.get("batch"))
    cost = recorded_cost(metadata, model, experiment.settings)
    return {
        **metadata,
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "cached_tokens": usage.cached,
        "cache_write_tokens": usage.cache_write,
        "reasoning_tokens": usage.reasoning,
        "cost_usd": cost.usd,
        "price_source": cost.source,
        "duration_s": "" if batch else metadata.get("duration_s"),
        "reused": "" if reused is None else str(reused).lower(),
    }

"""Scores as a table: one row per scored generation of a cohort.

Columns: ``gen_id, parent_gen_id, cohort_id, combo_id``, then for each ancestor stage, in chain
order, ``<stage>_gen_id, <stage>_template, <stage>_llm, <stage>_replicate`` and its further
dimensions, with ``<stage>_mode`` (llm or copy) from the second stage on, then the same for the
scored stage itself (whose id is `gen_id`), then

    score                  number between score_min and score_max; empty if there is none
    score_min, score_max   the scale of the evaluation's template
    parent_chars           the number of characters of what was judged; empty if it has no text
    parent_usd             what the calls that made it cost in USD; empty if one is not known
    error                  why there is no score; empty if there is one
    edited                 the stages of which a text was changed by hand, with spaces between
    usd                    price of this evaluation's own call in USD; empty if unknown
    prompt_tokens, completion_tokens   as the provider counted them for that call
    expected_score         the mean score by the judge's probabilities (`reports.expected`)
    answer.<path>          what else the judge says, if its template has a schema (`reports.said`)
    repaired               yes if the parser `json_lenient` had to repair the answer
    slice                  `where` and `exclude` of the run, if the table is not the whole cohort

The last three are there only if a judge of the table can have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from daydream.calls.prices import recorded_cost
from daydream.errors import ParseError
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.files import read_text, write_text
from daydream.generations.row import Generation
from daydream.llm.usage import read_usage
from daydream.reports.expected import EXPECTED, expected_score, is_told
from daydream.reports.report import scored
from daydream.reports.said import said, said_columns, templates_of
from daydream.settings import chain
from daydream.store.layout import generation_file, read_json
from daydream.tables import csv_text, read_records

OUTCOME = (
    "score",
    "score_min",
    "score_max",
    "parent_chars",
    "parent_usd",
    "error",
    "edited",
    "usd",
    "prompt_tokens",
    "completion_tokens",
)
SLICE = "slice"


def score_columns(experiment: Experiment, stage: str) -> list[str]:
    """Return the columns that the score table of a scored stage may have."""
    templates = experiment.catalog.templates[stage].values()
    said_here = said_columns(experiment, templates)
    return [*_fixed_columns(experiment, stage), EXPECTED, *said_here, SLICE]


def _fixed_columns(experiment: Experiment, stage: str) -> list[str]:
    names = ["gen_id", "parent_gen_id", "cohort_id", "combo_id"]
    for link in chain(experiment.settings.stages, stage):
        own = [f"{link.name}_{name}" for name in ("template", "llm", "replicate", *link.dimensions)]
        if link.name != stage:
            own.insert(0, f"{link.name}_gen_id")
            if link.parent is not None:
                own.append(f"{link.name}_mode")
        names += own
    return [*names, *OUTCOME]


def score_row(
    experiment: Experiment, generation: Generation, accounts: Mapping[str, Account]
) -> dict[str, object]:
    """Return the row of one scored generation, by column; `error` says why a score is missing."""
    lineage = experiment.lineage(generation)
    row: dict[str, object] = {
        "gen_id": generation.gen_id,
        "parent_gen_id": generation.parent_gen_id,
        "cohort_id": generation.cohort_id,
        "combo_id": generation.combo_id,
    }
    for link in lineage:
        row[f"{link.stage}_gen_id"] = link.gen_id
        row[f"{link.stage}_template"] = link.template_id
        row[f"{link.stage}_llm"] = link.llm_model_id
        row[f"{link.stage}_replicate"] = link.replicate
        row[f"{link.stage}_mode"] = "copy" if recipes.is_copy(experiment, link) else "llm"
        for name, value in recipes.dimensions(experiment, link).items():
            row[f"{link.stage}_{name}"] = value
    template = recipes.template_of(experiment, generation)
    row["score_min"], row["score_max"] = template.score_min, template.score_max
    if accounts[generation.gen_id].raw.kind == "current":
        row.update(_cost(experiment, generation))
    row["edited"] = " ".join(link.stage for link in lineage if accounts[link.gen_id].edited)
    row.update(_outcome(experiment, lineage, accounts))
    if "score" in row and is_told(experiment, generation):
        row[EXPECTED] = expected_score(experiment, generation, float(str(row["score"])))
    if "score" in row:
        row.update(said(experiment, generation, read_text(_file(generation, "raw.txt"))))
    return row


def _of_parent(
    experiment: Experiment, lineage: list[Generation], accounts: Mapping[str, Account]
) -> dict[str, object]:
    """Return the columns about what was judged, the last of the lineage; none if it is not made."""
    if not lineage or not accounts[lineage[-1].gen_id].complete:
        return {}
    text = read_text(_file(lineage[-1], "parsed.txt"))
    return {"parent_chars": len(text), "parent_usd": _usd(experiment, lineage)}


def _usd(experiment: Experiment, lineage: list[Generation]) -> float | None:
    """Return what the calls of a text's lineage cost; None if the cost of one is not known."""
    calls = [link for link in lineage if not recipes.is_copy(experiment, link)]
    costs = [_cost(experiment, link)["usd"] for link in calls]
    known = [cost for cost in costs if isinstance(cost, (int, float))]
    return sum(known) if len(known) == len(costs) else None


def _cost(experiment: Experiment, generation: Generation) -> dict[str, object]:
    told = read_json(_file(generation, "metadata.json"))
    usage = read_usage(told.get("usage"))
    model = experiment.catalog.models.get(generation.llm_model_id)
    cost = recorded_cost(told, model, experiment.settings)
    return {
        "usd": cost.usd,
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
    }


def _outcome(
    experiment: Experiment, lineage: list[Generation], accounts: Mapping[str, Account]
) -> dict[str, object]:
    for link in lineage:
        if not accounts[link.gen_id].complete:
            return {"error": lack(link, accounts[link.gen_id], of=lineage[-1])}
    try:
        return {"score": read_score(experiment, lineage[-1])}
    except ParseError as error:
        if accounts[lineage[-1].gen_id].parsed.edited:
            remedy = "edited by hand: correct it, or delete the file"
        else:
            remedy = "delete it: its answer is parsed again"
        return {"error": f"{error.args[0]}; {remedy}"}


def read_score(experiment: Experiment, generation: Generation) -> float:
    """Return the score in the parsed text of a complete generation.

    Raises:
        ParseError: it is not a number on the template's scale; the text may be edited by hand.
    """
    path = _file(generation, "parsed.txt")
    template = recipes.template_of(experiment, generation)
    try:
        score = float(read_text(path))
    except ValueError:
        raise ParseError(f"{path} does not hold a number") from None
    if not template.score_min <= score <= template.score_max:
        scale = f"{template.score_min:.15g} to {template.score_max:.15g}"
        raise ParseError(f"{path} holds {score:.15g}, which is outside the scale from {scale}")
    return score


def lack(generation: Generation, account: Account, *, of: Generation) -> str:
    """Return why `of` lacks its text or score: `generation`, it or its ancestor, is not complete.

    Who waits for an ancestor that failed has not failed itself, so the ancestor is named.
    """
    if account.failure:
        own = generation.gen_id == of.gen_id
        where = "" if own else f"failed {generation.stage} {generation.gen_id}: "
        return where + account.failure
    if account.prompt.kind == "missing":
        return f"missing {generation.stage}"
    if any(state.kind == "stale" for state in account):
        return f"stale {generation.stage} {generation.gen_id}: {account.reason}"
    return f"missing {generation.stage}: {account.reason}"


def _file(generation: Generation, name: str) -> Path:
    return Path(generation_file(generation.stage, generation.gen_id, name))


def write_scores(
    experiment: Experiment, cohort: str, accounts: Mapping[str, Account], path: str
) -> None:
    """Write the scores of a cohort, in membership order."""
    generations = scored(experiment, cohort)
    stages = [stage for stage in experiment.settings.stages.values() if stage.scored]
    header = list(
        dict.fromkeys(n for stage in stages for n in _fixed_columns(experiment, stage.name))
    )
    if any(is_told(experiment, generation) for generation in generations):
        header.append(EXPECTED)
    header += [*said_columns(experiment, templates_of(experiment, generations)), SLICE]
    judged: dict[str, dict[str, object]] = {}
    rows = []
    for generation in generations:
        parent = generation.parent_gen_id
        if parent not in judged:
            lineage = experiment.lineage(generation)[:-1]
            judged[parent] = _of_parent(experiment, lineage, accounts)
        row = score_row(experiment, generation, accounts)
        rows.append({**row, **judged[parent], SLICE: experiment.slice})
    write_text(path, csv_text(header, ([row.get(name) for name in header] for row in rows)))


def count_without_score(path: Path) -> int:
    """Return how many rows of a table of scores have none."""
    _, rows = read_records(path)
    return sum(not row["score"] for row in rows)

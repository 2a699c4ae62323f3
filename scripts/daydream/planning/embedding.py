"""What the embeddings of a run may cost, and what would keep a run from getting them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from daydream.calls.prices import embedding_cost
from daydream.errors import CallError, Problems
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.files import text_sha256
from daydream.generations.row import Generation
from daydream.llm.request import CHARACTERS_PER_TOKEN
from daydream.llm.usage import Usage
from daydream.reports.embeddings import text_of
from daydream.store.layout import generation_file
from daydream.text import plural


class Expected(NamedTuple):
    """A text that a run is to have: the text itself, or about how many tokens it will have."""

    text: str | None
    tokens: float


class Embeddings(NamedTuple):
    """What is to be asked for: texts, their tokens, and their price (None: not known)."""

    texts: int = 0
    tokens: int = 0
    usd: float | None = 0.0


def embeddings_to_come(experiment: Experiment, texts: Iterable[Expected]) -> Embeddings:
    """Return what the embeddings of some texts may take, each content once."""
    if experiment.settings.embeddings is None:
        return Embeddings()
    space = experiment.embedding.space
    seen: set[str] = set()
    count, tokens = 0, 0.0
    for expected in texts:
        if expected.text is not None:
            digest = text_sha256(expected.text)
            kept = digest in seen or space.file(digest).exists()
            seen.add(digest)
            if kept or not expected.text.strip():
                continue
            tokens += len(expected.text) / CHARACTERS_PER_TOKEN
        else:
            tokens += expected.tokens
        count += 1
    usage = Usage(prompt=round(tokens), completion=0)
    return Embeddings(count, round(tokens), embedding_cost(usage, experiment.settings).usd)


def line_of(experiment: Experiment, found: Embeddings) -> str:
    """Return what is to be asked for in one line; empty if it is nothing."""
    settings = experiment.settings.embeddings
    if settings is None or not found.texts:
        return ""
    price = "?: no embeddings.usd_per_mtok" if found.usd is None else f"{found.usd:.4f} USD"
    texts = plural(found.texts, "text")
    return f"Embeddings of {texts} by {settings.model}: {found.tokens:,} tokens, {price}."


def is_embedded(experiment: Experiment, row: Generation) -> bool:
    """Tell whether the text of a generation gets an embedding of its own: no score, no copy."""
    scored = experiment.settings.stages[row.stage].scored
    return not scored and not recipes.is_copy(experiment, row)


def check_embeddings(
    experiment: Experiment, rows: Mapping[str, Generation], accounts: Mapping[str, Account]
) -> None:
    """Refuse a run that would ask for embeddings which nobody could give, or no budget allow.

    Raises:
        InputError: the provider has no key, or no server listens; or there is a budget in USD, and
            the model has no price.
    """
    settings = experiment.settings.embeddings
    if settings is None or experiment.settings.partial:
        return
    if not any(_is_missing(experiment, row, accounts) for row in rows.values()):
        return
    problems = Problems("call")
    try:
        experiment.calls.providers[settings.provider].check()
    except CallError as error:
        found, _, remedy = str(error.args[0]).rpartition("; ")
        problems.add("embeddings", found, remedy)
    problems.check()
    budgets = experiment.settings.budget, experiment.settings.cohort_budget
    problems = Problems("budget")
    price = embedding_cost(Usage(1, 0), experiment.settings).usd
    if price is None and any(budget.usd is not None for budget in budgets):
        found = f"model {settings.model!r} has no price, so that no budget in USD can be kept"
        problems.add("embeddings", found, "set embeddings.usd_per_mtok")
    problems.check()


def _is_missing(experiment: Experiment, row: Generation, accounts: Mapping[str, Account]) -> bool:
    if not is_embedded(experiment, row):
        return False
    if not accounts[row.gen_id].complete:
        return True
    text = text_of(generation_file(row.stage, row.gen_id, "parsed.txt"))
    return text is not None and bool(experiment.embedding.missing([text]))

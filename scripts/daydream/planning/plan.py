"""What a run would ask and what that may cost, before anything is spent.

What is current stays (`experiment.provenance`). Any other generation is followed as far as its
texts are known: its prompt is rendered, its request is looked up in the journal, and a journaled
answer is parsed for its children. Nothing is written. So the count is exact wherever the parent's
text is known or follows from the journal:

    done       nothing is to be made
    journal    its answer exists or is in the journal: it is made without a call
    call       a run calls the model
    waiting    its parent is called first; then it is too, unless the journal has its answer
    copy       it takes its parent's text, without a call
    refused    its answer exists, and its parser rejects it: there is no call
    blocked    its prompt cannot be made: its parent is rejected, or its template is wrong

The tokens of a call are the mean of some finished calls of its template and model. Without these,
they are a token per four characters of the prompt, and max_tokens for the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from daydream.calls.bound import DEFAULT_MAX_TOKENS, answer_limit
from daydream.calls.prices import cost_of
from daydream.errors import CallError, DaydreamError, ParseError
from daydream.experiment import recipes
from daydream.experiment.answers import find_answer, parsed_text
from daydream.experiment.experiment import Experiment
from daydream.experiment.phases import is_edited, prompt_of
from daydream.experiment.provenance import Account, accounts
from daydream.files import read_text, text_sha256, write_text
from daydream.generations.row import Generation
from daydream.llm.usage import Usage, read_usage
from daydream.store.layout import generation_file, read_json
from daydream.tables import csv_text
from daydream.text import table

CHARACTERS_PER_TOKEN = 4
# A mean is taken of at most so many finished calls.
SAMPLE = 20
UNKNOWN = Usage()
STATES = ("done", "journal", "call", "waiting", "copy", "refused", "blocked")
FINISHED, LENGTH = "finished calls", "prompt length and max_tokens"


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a run would do for a generation; `text` is the parsed text that it would get."""

    generation: Generation
    state: str
    text: str | None = None
    prompt: str | None = None
    usage: Usage = UNKNOWN

    def parsed(self) -> str | None:
        """Return the generation's parsed text, if it is known."""
        if self.state != "done":
            return self.text
        row = self.generation
        return read_text(generation_file(row.stage, row.gen_id, "parsed.txt"))


def forecasts(
    experiment: Experiment,
    known: Mapping[str, Account],
    generations: Iterable[Generation] | None = None,
) -> dict[str, Forecast]:
    """Return the forecast of each of the generations, or of all selected ones, by id.

    `known` are the accounts of all of them. In `generations`, parents come before children.
    """
    found: dict[str, Forecast] = {}
    for generation in experiment.selected.values() if generations is None else generations:
        account = known[generation.gen_id]
        found[generation.gen_id] = _forecast(experiment, generation, account, found)
    return found


def _forecast(
    experiment: Experiment, generation: Generation, account: Account, known: Mapping[str, Forecast]
) -> Forecast:
    if account.complete:
        return Forecast(generation=generation, state="done")
    if account.raw.kind == "current":
        return _parsed(experiment, generation)
    ancestors = [known[row.gen_id] for row in experiment.lineage(generation)[:-1]]
    copies = recipes.is_copy(experiment, generation)
    if ancestors and ancestors[-1].state in ("refused", "blocked"):
        return Forecast(generation=generation, state="blocked")
    if ancestors and ancestors[-1].parsed() is None:
        return Forecast(generation=generation, state="copy" if copies else "waiting")
    if copies:
        return Forecast(generation=generation, state="copy", text=ancestors[-1].parsed())
    return _made(experiment, generation, account, ancestors)


def _made(
    experiment: Experiment, generation: Generation, account: Account, ancestors: list[Forecast]
) -> Forecast:
    """Return the forecast of a generation that needs an answer."""
    try:
        prompt = _prompt(experiment, generation, account, ancestors)
    except DaydreamError:
        return Forecast(generation=generation, state="blocked")
    directory = Path(generation_file(generation.stage, generation.gen_id, ""))
    answer = find_answer(experiment, generation, prompt, directory, ask=None)
    if answer is None:
        return Forecast(generation=generation, state="call", prompt=prompt)
    response = answer.response
    told = {"mode": "llm", "truncated": response.truncated, "sampling": answer.request.sampling}
    try:
        raw = response.text
    except CallError:
        return Forecast(generation=generation, state="refused", prompt=prompt)
    return _parse(experiment, generation, raw, told, prompt=prompt, usage=response.counted)


def _parsed(experiment: Experiment, generation: Generation) -> Forecast:
    """Return the forecast of a generation whose answer stays and only has to be parsed."""
    directory = Path(generation_file(generation.stage, generation.gen_id, ""))
    raw, metadata = read_text(directory / "raw.txt"), read_json(directory / "metadata.json")
    edited = is_edited(directory, "raw", text_sha256(raw))
    return _parse(experiment, generation, raw, metadata, edited=edited)


def _parse(
    experiment: Experiment,
    generation: Generation,
    raw: str,
    metadata: Mapping[str, Any],
    *,
    edited: bool = False,
    prompt: str | None = None,
    usage: Usage = UNKNOWN,
) -> Forecast:
    try:
        text = parsed_text(experiment, generation, raw, metadata, edited=edited)
    except (CallError, ParseError):
        return Forecast(generation=generation, state="refused", prompt=prompt)
    return Forecast(generation=generation, state="journal", text=text, prompt=prompt, usage=usage)


def _prompt(
    experiment: Experiment, generation: Generation, account: Account, ancestors: list[Forecast]
) -> str:
    """Return the prompt that a run sends: the present one if it stays, edited or not."""
    if account.prompt.kind == "current":
        return read_text(generation_file(generation.stage, generation.gen_id, "prompt.txt"))
    named = {row.gen_id for row in recipes.named_ancestors(experiment, generation)}
    texts = {
        ancestor.generation.stage: ancestor.parsed() or ""
        for ancestor in ancestors
        if ancestor.generation.gen_id in named
    }
    return prompt_of(experiment, generation, texts)


class Row(NamedTuple):
    """What a run would do for the generations of one stage and model."""

    stage: str
    llm_model_id: str
    generations: int
    done: int
    journal: int
    call: int
    waiting: int
    copy: int
    refused: int
    blocked: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    estimated_from: str


def plan(
    experiment: Experiment,
    known: Mapping[str, Account],
    generations: Iterable[Generation] | None = None,
) -> list[Row]:
    """Return a row per stage and model; tokens and USD are of the calls to come.

    `known` and `generations` are those of `forecasts`.
    """
    found = forecasts(experiment, known, generations)
    means = _means(found.values())
    groups: dict[tuple[str, str], list[Forecast]] = defaultdict(list)
    for forecast in found.values():
        generation = forecast.generation
        groups[generation.stage, generation.llm_model_id].append(forecast)
    return [_row(experiment, *names, group, means) for names, group in groups.items()]


Means = Mapping[tuple[str, str, str], tuple[float, float]]


def _means(found: Iterable[Forecast]) -> Means:
    """Return the mean tokens of prompt and answer of finished calls by stage, template, model."""
    usages: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
    for forecast in found:
        counts = usages[recipe(forecast.generation)]
        usage = _usage(forecast) if len(counts) < SAMPLE else UNKNOWN
        if usage.prompt is not None and usage.completion is not None:
            counts.append((usage.prompt, usage.completion))
    return {
        calls: (
            sum(prompt for prompt, _ in counts) / len(counts),
            sum(completion for _, completion in counts) / len(counts),
        )
        for calls, counts in usages.items()
        if counts
    }


def _usage(forecast: Forecast) -> Usage:
    if forecast.state != "done":
        return forecast.usage
    row = forecast.generation
    metadata = read_json(generation_file(row.stage, row.gen_id, "metadata.json"))
    return read_usage(metadata.get("usage"))


def recipe(generation: Generation) -> tuple[str, str, str]:
    """Return what calls of about the same size have in common."""
    return generation.stage, generation.template_id, generation.llm_model_id


def _row(
    experiment: Experiment, stage: str, model_id: str, group: list[Forecast], means: Means
) -> Row:
    counts = {state: sum(forecast.state == state for forecast in group) for state in STATES}
    prompt_tokens = completion_tokens = 0.0
    sources = set()
    for forecast in group:
        if forecast.state in ("call", "waiting"):
            prompt, completion, source = call_tokens(experiment, forecast, means)
            prompt_tokens += prompt
            completion_tokens += completion
            sources.add(source)
    usage = Usage(prompt=round(prompt_tokens), completion=round(completion_tokens))
    model = experiment.catalog.models.get(model_id)
    usd = 0.0 if not sources else None
    if sources and model is not None:
        usd = cost_of(usage, model, experiment.settings).usd
    return Row(
        stage=stage,
        llm_model_id=model_id,
        generations=len(group),
        **counts,
        prompt_tokens=usage.prompt or 0,
        completion_tokens=usage.completion or 0,
        usd=usd,
        estimated_from=" and ".join(sorted(sources)),
    )


def call_tokens(
    experiment: Experiment, forecast: Forecast, means: Means
) -> tuple[float, float, str]:
    """Return the tokens of a call's prompt and answer, and what they are estimated from."""
    generation = forecast.generation
    mean = means.get(recipe(generation))
    if mean is not None:
        return (*mean, FINISHED)
    limit = _longest_answer(experiment, generation)
    if forecast.prompt is not None:
        return len(forecast.prompt) / CHARACTERS_PER_TOKEN, limit, LENGTH
    template = len(recipes.template_text(experiment, generation))
    parent = experiment.generations[generation.parent_gen_id]
    answer = _longest_answer(experiment, parent)
    return template / CHARACTERS_PER_TOKEN + answer, limit, LENGTH


def _longest_answer(experiment: Experiment, generation: Generation) -> int:
    return answer_limit(recipes.body_settings(experiment, generation)) or DEFAULT_MAX_TOKENS


def report(experiment: Experiment, csv_path: str) -> str:
    """Write the plan as CSV, and return it as a table to be read."""
    rows = plan(experiment, accounts(experiment, experiment.selected.values()))
    Path(csv_path).parent.mkdir(parents=True, exist_ok=True)
    write_text(csv_path, csv_text(Row._fields, rows))
    return "\n".join(_lines(rows, csv_path))


def _lines(rows: list[Row], csv_path: str) -> Iterator[str]:
    names = ["stage", "model", "generations", *STATES, "tokens in", "tokens out", "USD"]
    shown = [names]
    for row in rows:
        numbers = [f"{number:,}" for number in row[2:12]]
        shown.append([row.stage, row.llm_model_id or "-", *numbers, _usd(row.usd)])
    sums = [f"{sum(column):,}" for column in zip(*(row[2:12] for row in rows), strict=True)]
    unpriced = any(row.usd is None for row in rows)
    usd = sum(row.usd or 0.0 for row in rows)
    shown.append(["all", "", *sums, f"{usd:.4f}{' + ?' if unpriced else ''}"])
    yield table(shown, left=(0, 1))
    yield ""
    calls = sum(row.call for row in rows)
    waiting = sum(row.waiting for row in rows)
    yield f"A run makes {calls:,} calls, and {waiting:,} more when their parents are answered."
    sources = sorted({row.estimated_from for row in rows} - {""})
    if sources:
        yield f"Tokens are estimated from {'; '.join(sources)}."
    if unpriced:
        yield "?: no usd_per_mtok_in and usd_per_mtok_out in llm_models.csv."
    yield f"The same as a table: {csv_path}"


def _usd(usd: float | None) -> str:
    return "?" if usd is None else f"{usd:.4f}"

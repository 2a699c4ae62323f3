"""What a run would ask and what that may cost, before anything is spent.

What is current stays (`experiment.provenance`). Any other generation is followed as far as its
texts are known: its prompt is rendered, its request is looked up in the journal, and a journaled
answer is parsed for its children. Nothing is written. So the count is exact wherever the parent's
text is known or follows from the journal:

    done       nothing is to be made
    journal    its answer exists or is in the journal: it is made without a call
    call       a run calls the model
    batch      its answer is under way in a batch, which a run collects
    waiting    its parent is called first; then it is too, unless the journal has its answer
    copy       it takes its parent's text, without a call
    refused    its answer exists, and its parser rejects it: there is no call
    blocked    its prompt cannot be made: its parent is rejected, or its template is wrong

`daydream.planning.estimate` says what the calls may take.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from daydream.errors import CallError, DaydreamError, ParseError
from daydream.experiment import recipes
from daydream.experiment.answers import build_request, find_answer, parsed_text, told_of
from daydream.experiment.experiment import Experiment
from daydream.experiment.phases import is_edited, prompt_of
from daydream.experiment.provenance import Account, accounts
from daydream.files import read_text, text_sha256, write_text
from daydream.generations.row import Generation
from daydream.llm.usage import Usage
from daydream.planning.embedding import (
    Expected,
    embeddings_to_come,
    is_embedded,
    line_of,
)
from daydream.planning.estimate import (
    UNKNOWN,
    Means,
    call_tokens,
    calls_at_most,
    mean_tokens,
    usd_of,
)
from daydream.reports.ratings import ratings_told
from daydream.store.layout import generation_file, read_json
from daydream.tables import csv_text
from daydream.text import table

STATES = ("done", "journal", "call", "batch", "waiting", "copy", "refused", "blocked")


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a run would do for a generation; `text` is the parsed text that it would get."""

    generation: Generation
    state: str
    text: str | None = None
    prompt: str | None = None
    usage: Usage = UNKNOWN

    @property
    def asks(self) -> bool:
        """Whether a run asks the model; for certain, unless it waits for its parent."""
        return self.state in ("call", "waiting")

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
        sample = experiment.choices.of(generation.gen_id).sample
        request = build_request(experiment, generation, prompt, sample=sample)
        state = "batch" if experiment.calls.batch_of(generation, request) else "call"
        return Forecast(generation=generation, state=state, prompt=prompt)
    response = answer.response
    told = told_of(answer.request, response)
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
    return prompt_of(experiment, generation, texts).text


class Row(NamedTuple):
    """What a run would do for the generations of one stage and model."""

    stage: str
    llm_model_id: str
    generations: int
    done: int
    journal: int
    call: int
    batch: int
    waiting: int
    copy: int
    refused: int
    blocked: int
    calls_at_most: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    usd_direct: float | None
    usd_batch: float | None
    estimated_from: str


class Plan(NamedTuple):
    """What a run would do, by stage and model, and what it would ask of embeddings, in a line."""

    rows: list[Row]
    embeddings: str = ""


def plan(
    experiment: Experiment,
    known: Mapping[str, Account],
    generations: Iterable[Generation] | None = None,
) -> Plan:
    """Return a row per stage and model; tokens and USD are of the calls to come.

    `known` and `generations` are those of `forecasts`.
    """
    found = forecasts(experiment, known, generations)
    told = {name: forecast.usage for name, forecast in found.items()}
    means = mean_tokens((forecast.generation for forecast in found.values()), told)
    groups: dict[tuple[str, str], list[Forecast]] = defaultdict(list)
    for forecast in found.values():
        generation = forecast.generation
        groups[generation.stage, generation.llm_model_id].append(forecast)
    rows = [_row(experiment, *names, group, means) for names, group in groups.items()]
    return Plan(rows, _embeddings(experiment, found.values(), means))


def _embeddings(experiment: Experiment, found: Iterable[Forecast], means: Means) -> str:
    if experiment.settings.embeddings is None:
        return ""
    texts = [
        Expected(each.parsed(), _answer_tokens(experiment, each, means))
        for each in found
        if is_embedded(experiment, each.generation) and each.state not in ("refused", "blocked")
    ]
    return line_of(experiment, embeddings_to_come(experiment, texts))


def _answer_tokens(experiment: Experiment, forecast: Forecast, means: Means) -> float:
    if not forecast.asks:
        return 0.0
    return call_tokens(experiment, forecast.generation, forecast.prompt, means).completion


def _row(
    experiment: Experiment, stage: str, model_id: str, group: list[Forecast], means: Means
) -> Row:
    counts = {state: sum(forecast.state == state for forecast in group) for state in STATES}
    asked = [forecast for forecast in group if forecast.asks]
    tokens = [call_tokens(experiment, each.generation, each.prompt, means) for each in asked]
    usage = Usage(
        prompt=round(sum(each.prompt for each in tokens)),
        completion=round(sum(each.completion for each in tokens)),
    )
    prices = _prices(experiment, stage, model_id, usage) if asked else Prices(0.0, 0.0, 0.0)
    return Row(
        stage=stage,
        llm_model_id=model_id,
        generations=len(group),
        **counts,
        calls_at_most=sum(calls_at_most(experiment, each.generation) for each in asked),
        prompt_tokens=usage.prompt or 0,
        completion_tokens=usage.completion or 0,
        usd=prices.usd,
        usd_direct=prices.direct,
        usd_batch=prices.batch,
        estimated_from=" and ".join(sorted({each.source for each in tokens})),
    )


class Prices(NamedTuple):
    """The price of calls as the settings ask them, directly, and in batches; None: not known."""

    usd: float | None
    direct: float | None
    batch: float | None


def _prices(experiment: Experiment, stage: str, model_id: str, usage: Usage) -> Prices:
    usd, direct, batch = (
        usd_of(experiment, stage, model_id, usage, batch=way) for way in (None, False, True)
    )
    return Prices(usd, direct, None if experiment.batching.api(model_id) is None else batch)


def report(experiment: Experiment, csv_path: str) -> str:
    """Write the plan as CSV, and return it as a table to be read."""
    known = accounts(experiment, experiment.selected.values())
    rows, embeddings = plan(experiment, known)
    Path(csv_path).parent.mkdir(parents=True, exist_ok=True)
    write_text(csv_path, csv_text(Row._fields, rows))
    return "\n".join([*_lines(rows, embeddings, csv_path), *ratings_told(experiment, known)])


def _lines(rows: list[Row], embeddings: str, csv_path: str) -> Iterator[str]:
    names = ["stage", "model", "generations", *STATES, "tokens in", "tokens out", "USD"]
    counts = [_counts(row) for row in rows]
    shown = [names]
    for row, numbers in zip(rows, counts, strict=True):
        cells = [f"{number:,}" for number in numbers]
        shown.append([row.stage, row.llm_model_id or "-", *cells, _usd(row.usd)])
    sums = [f"{sum(column):,}" for column in zip(*counts, strict=True)]
    unpriced = any(row.usd is None for row in rows)
    usd = sum(row.usd or 0.0 for row in rows)
    shown.append(["all", "", *sums, f"{usd:.4f}{' + ?' if unpriced else ''}"])
    yield table(shown, left=(0, 1))
    yield ""
    yield _calls(rows)
    yield from _other_price(rows)
    if embeddings:
        yield embeddings
    sources = sorted({row.estimated_from for row in rows} - {""})
    if sources:
        yield f"Tokens are estimated from {'; '.join(sources)}."
    if unpriced:
        yield "?: no usd_per_mtok_in and usd_per_mtok_out in llm_models.csv."
    yield f"The same as a table: {csv_path}"


def _counts(row: Row) -> list[int]:
    """Return the numbers of a row that are shown: generations, their states, and tokens."""
    states = [getattr(row, state) for state in STATES]
    return [row.generations, *states, row.prompt_tokens, row.completion_tokens]


def _calls(rows: list[Row]) -> str:
    calls, waiting = sum(row.call for row in rows), sum(row.waiting for row in rows)
    most = sum(row.calls_at_most for row in rows)
    text = f"A run makes {calls:,} calls, and {waiting:,} more when their parents are answered"
    if most > calls + waiting:
        text += f"; {most:,} at most, if answers are refused or cut (resample, on_truncation)"
    return f"{text}."


def _other_price(rows: list[Row]) -> Iterator[str]:
    """Say what the calls would cost the other way: in batches, or without them."""
    saved = [row for row in rows if row.usd_batch is not None and row.usd_direct]
    if not saved:
        return
    now = sum(row.usd or 0.0 for row in rows)
    direct = sum(row.usd_direct or 0.0 for row in rows)
    if now < direct:
        yield f"Without batches: {direct:.4f} USD."
    else:
        batch = sum(
            (row.usd_direct if row.usd_batch is None else row.usd_batch) or 0.0 for row in rows
        )
        yield f"In batches, within a day (--config batch=true): {batch:.4f} USD."


def _usd(usd: float | None) -> str:
    return "?" if usd is None else f"{usd:.4f}"

"""From a prompt to the answer that counts: the request, the journal, the parser's verdict."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, overload

from daydream.calls.prices import cost_of
from daydream.errors import ANSWER_KEPT, OTHER_ANSWERS, CallError, ParseError, StoreError
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.generations.row import Generation
from daydream.llm.bodies import most_tokens_in
from daydream.llm.dialects import write
from daydream.llm.endings import unfinished
from daydream.llm.request import Request, Response, derive_seed
from daydream.settings.stages import Stage
from daydream.store.journal import find_response, journaled, read_entry
from daydream.store.layout import RESPONSES, generation_file


def build_request(
    experiment: Experiment, generation: Generation, prompt: str, *, sample: int = 0
) -> Request:
    """Return the model call that a prompt makes under the experiment's settings."""
    model = experiment.catalog.models[generation.llm_model_id]
    provider = experiment.settings.provider_of(model.provider)
    question = recipes.question_of(experiment, generation, prompt)
    if question.sampling.get("seed", _default_seed(experiment, provider)) == "gen_id":
        seed = derive_seed(generation.gen_id, sample)
        question = replace(question, sampling={**question.sampling, "seed": seed})
    settings = experiment.settings.providers[provider]
    return write(question, settings, provider=provider, model=model.model, sample=sample)


def _default_seed(experiment: Experiment, provider: str) -> str | None:
    """Return the default seed: one per generation for the bundled model, none for paid ones."""
    return "gen_id" if experiment.settings.providers[provider].type == "local" else None


class Refusal(NamedTuple):
    """A journaled answer that the parser rejected, and why."""

    request_sha256: str
    reason: str


class Answer(NamedTuple):
    """The answer that counts, and the rejected ones before it; `reused`: it cost no call."""

    request: Request
    response: Response
    reused: bool
    refused: tuple[Refusal, ...]


# Answers a request, and tells whether this cost no call.
Ask = Callable[[Generation, Request], tuple[Response, bool]]


@overload
def find_answer(
    experiment: Experiment, generation: Generation, prompt: str, directory: Path, *, ask: Ask
) -> Answer: ...


@overload
def find_answer(
    experiment: Experiment, generation: Generation, prompt: str, directory: Path, *, ask: None
) -> Answer | None: ...


def find_answer(
    experiment: Experiment, generation: Generation, prompt: str, directory: Path, *, ask: Ask | None
) -> Answer | None:
    """Return the answer to a prompt: from the journal if it has it, otherwise by `ask`.

    Without `ask`, the result is None if the journal does not have the answer.

    If an answer is truncated, too short, or rejected by the parser, another one is asked for, as
    the stage's `on_truncation` and `resample` say. Each is journaled under its own request. If all
    are rejected, the last one is returned, and `parse_response` says why.

    Raises:
        CallError: there is no answer, or the last one holds no text.
    """
    choice = experiment.choices.of(generation.gen_id)
    request = build_request(experiment, generation, prompt, sample=choice.sample)
    if choice.request:
        restored = restored_answer(directory, choice.request, request)
        if restored is not None:
            return Answer(*restored, reused=True, refused=())
    stage = recipes.stage_of(experiment, generation)
    refused: list[Refusal] = []
    samples = stage.resample
    while True:
        response = find_response(directory, request)
        reused = response is not None
        if response is None:
            if ask is None:
                return None
            response, reused = ask(generation, request)
        grown = None
        if stage.on_truncation == "grow" and response.truncated:
            grown = larger(request, stage.max_tokens_limit)
        can_go_on = samples > 0 or grown is not None
        reason = refusal(experiment, generation, request, response) if can_go_on else ""
        if not reason:
            return Answer(request, response, reused, tuple(refused))
        refused.append(Refusal(request.sha256, reason))
        if grown is not None:
            request = grown
        else:
            samples -= 1
            sample = request.sample + 1
            request = build_request(experiment, generation, prompt, sample=sample)


def larger(request: Request, limit: int | None) -> Request | None:
    """Return the request with twice the max_tokens, up to the limit; None at the limit."""
    tokens = request.max_tokens
    if tokens is None or limit is None or tokens >= limit:
        return None
    return request.with_max_tokens(min(2 * tokens, limit))


def told_of(request: Request, response: Response) -> dict[str, object]:
    """Return what metadata.json says of an answer, as far as parsing needs it."""
    return {
        "mode": "llm",
        "finish_reason": response.finish_reason,
        "truncated": response.truncated,
        "sampling": request.settings,
    }


def refusal(
    experiment: Experiment, generation: Generation, request: Request, response: Response
) -> str:
    """Return why an answer is rejected; empty if it is accepted."""
    try:
        parsed_text(experiment, generation, response.text, told_of(request, response))
    except (CallError, ParseError) as error:
        return str(error)
    return ""


def text_of(experiment: Experiment, generation: Generation, answer: Answer) -> str:
    """Return the text of an answer.

    Raises:
        CallError: it holds none; the line says where it is kept.
    """
    try:
        return answer.response.text
    except CallError as error:
        found, _, remedy = str(error.args[0]).rpartition("; ")
        if answer.response.truncated:
            stage = recipes.stage_of(experiment, generation)
            remedy = _remedy_for_cuts(stage, most_tokens_in(answer.request.settings))
        sha256 = answer.request.sha256
        kept = generation_file(generation.stage, generation.gen_id, f"{RESPONSES}/{sha256}.json")
        tried = [refused.request_sha256 for refused in answer.refused]
        others = other_answers(generation, answer.request, but=[sha256, *tried])
        raise CallError(f"{found}{ANSWER_KEPT}{kept}; {remedy}{others}") from error


def other_answers(generation: Generation, request: Request, *, but: Collection[str]) -> str:
    """Return what to say of answers in a generation's journal that a user may take instead.

    These answer the same messages as `request`. The text is empty if there is none besides those of
    the requests in `but`.
    """
    directory = Path(generation_file(generation.stage, generation.gen_id, ""))
    names = [name for name in journaled(directory) if name not in but]
    others = sum(_is_restorable(directory, name, request) for name in names)
    if not others:
        return ""
    answers = "another answer" if others == 1 else f"{others} other answers"
    command = f"snakemake -c1 restore --config gen_id={generation.gen_id}"
    return f"{OTHER_ANSWERS}{answers}, which `{command}` lists"


def _is_restorable(directory: Path, sha256: str, current: Request) -> bool:
    try:
        return restored_answer(directory, sha256, current) is not None
    except StoreError:
        return False


def restored_answer(
    directory: Path, sha256: str, current: Request
) -> tuple[Request, Response] | None:
    """Return a journaled answer by its request's hash, if it answers the current prompt."""
    entry = read_entry(directory, sha256)
    if entry is None or entry[0].asked != current.asked:
        return None
    return entry


def call_record(
    experiment: Experiment, generation: Generation, answer: Answer
) -> dict[str, object]:
    """Return the part of metadata.json that says what was asked, and how the answer came."""
    request, response, reused, refused = answer
    model = experiment.catalog.models[generation.llm_model_id]
    batch = bool(response.batch)
    tier = request.tier_of(response)
    cost = cost_of(response.counted, model, experiment.settings, batch=batch, tier=tier)
    return {
        "request_sha256": request.sha256,
        "provider": request.provider,
        "model": request.model,
        "model_reported": response.model,
        **told_of(request, response),
        "usage": response.usage,
        "cost_usd": cost.usd,
        "price_source": cost.source,
        "attempts": response.attempts,
        "started_at": response.started_at,
        "duration_s": response.duration_s,
        "slurm_job_id": os.environ.get("SLURM_JOB_ID"),
        "sample": request.sample,
        **({"batch": response.batch} if batch else {}),
        **({"service_tier": tier} if tier else {}),
        "reused": reused,
        "refused": [each._asdict() for each in refused],
    }


def parsed_text(
    experiment: Experiment,
    generation: Generation,
    raw: str,
    metadata: Mapping[str, Any],
    *,
    edited: bool = False,
) -> str:
    """Return what the generation's parser makes of an answer; a copy is left as it is.

    An answer `edited` by hand no longer counts as truncated.

    Raises:
        ParseError: as in `parse_response`; the line names the generation.
    """
    if metadata["mode"] == "copy":
        return raw
    where = f"{generation.stage} {generation.gen_id}"
    stage = recipes.stage_of(experiment, generation)
    if metadata["truncated"] and not edited:
        limit = most_tokens_in(metadata["sampling"])
        place = f"max_tokens={limit}" if limit else "the limit of the model or its provider"
        raise ParseError(
            f"{where}: the answer was cut at {place}; {_remedy_for_cuts(stage, limit)}"
        )
    early = unfinished(metadata.get("finish_reason"), metadata.get("sampling") or {})
    if early and not edited:
        raise ParseError(
            f"{where}: the model {early}; let it be asked again with stages.{stage.name}.resample"
        )
    lines = sum(1 for line in raw.splitlines() if line.strip())
    if not lines:
        raise ParseError(
            f"{where}: the answer is blank; change the template, or let it be asked for again with "
            f"stages.{stage.name}.resample"
        )
    if lines < stage.min_lines:
        raise ParseError(
            f"{where}: the answer has {lines} line{'s' * (lines > 1)} of text, and "
            f"stages.{stage.name}.min_lines is {stage.min_lines}; change that, or the template"
        )
    try:
        return _parser(experiment, generation)(raw)
    except ParseError as error:
        raise ParseError(f"{where}: {error.args[0]}") from error


def _remedy_for_cuts(stage: Stage, limit: int | None) -> str:
    """Return what to do about answers of a stage that are cut at `limit`, their max_tokens."""
    if limit and stage.on_truncation == "grow":
        return f"they may grow no further: raise stages.{stage.name}.max_tokens_limit"
    if not limit:
        return (
            f"ask for a shorter one in the template, or set stages.{stage.name}.sampling.max_tokens"
        )
    return (
        f"set stages.{stage.name}.on_truncation: grow and max_tokens_limit, which asks again only "
        "for what was cut; a larger sampling.max_tokens asks the whole stage again"
    )


def _parser(experiment: Experiment, generation: Generation) -> Callable[[str], str]:
    template = recipes.template_of(experiment, generation)
    return experiment.parsers.get(
        template.parser,
        score_min=template.score_min,
        score_max=template.score_max,
        shape=recipes.shape_of(experiment, template),
    )

"""What calls to come may take: their number, their tokens, and what they may cost.

The tokens of a call are the mean of some finished calls of its stage, template and model. Without
these, they are a token per four characters of the prompt, and max_tokens for the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from daydream.calls.bound import DEFAULT_MAX_TOKENS, answer_limit
from daydream.calls.prices import cost_of
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.generations.row import Generation
from daydream.llm.request import CHARACTERS_PER_TOKEN
from daydream.llm.usage import Usage, read_usage
from daydream.store.layout import generation_file, read_json

# A mean is taken of at most so many finished calls.
SAMPLE = 20
UNKNOWN = Usage()
FINISHED, LENGTH = "finished calls", "prompt length and max_tokens"

# What calls of about the same size have in common: stage, template, model.
Kind = tuple[str, str, str]
# The mean tokens of prompt and answer, by kind of call.
Means = Mapping[Kind, tuple[float, float]]


class Tokens(NamedTuple):
    """The tokens of a call's prompt and answer, and what they are estimated from."""

    prompt: float
    completion: float
    source: str


def kind_of(generation: Generation) -> Kind:
    """Return what a generation's call has in common with others of about the same size."""
    return generation.stage, generation.template_id, generation.llm_model_id


def mean_tokens(
    generations: Iterable[Generation], told: Mapping[str, Usage] | None = None
) -> Means:
    """Return the mean tokens of some finished calls of each kind.

    A call counts whether its text is still current or not: after an edit of a template, its old
    calls say more about the new ones than any rule of thumb. `told` has the usage of answers by
    gen_id that are in the journal alone.
    """
    counts: dict[Kind, list[tuple[int, int]]] = defaultdict(list)
    for generation in generations:
        known = counts[kind_of(generation)]
        if len(known) < SAMPLE:
            usage = (told or {}).get(generation.gen_id, UNKNOWN)
            usage = _stored_usage(generation) if usage == UNKNOWN else usage
            if usage.prompt is not None and usage.completion is not None:
                known.append((usage.prompt, usage.completion))
    return {
        kind: (sum(p for p, _ in known) / len(known), sum(c for _, c in known) / len(known))
        for kind, known in counts.items()
        if known
    }


def _stored_usage(generation: Generation) -> Usage:
    path = Path(generation_file(generation.stage, generation.gen_id, "metadata.json"))
    return read_usage(read_json(path).get("usage")) if path.exists() else UNKNOWN


def call_tokens(
    experiment: Experiment, generation: Generation, prompt: str | None, means: Means
) -> Tokens:
    """Return the tokens that a call is expected to take; `prompt` is None if it is unknown."""
    mean = means.get(kind_of(generation))
    if mean is not None:
        return Tokens(*mean, FINISHED)
    limit = _longest_answer(experiment, generation)
    if prompt is not None:
        return Tokens(len(prompt) / CHARACTERS_PER_TOKEN, limit, LENGTH)
    template = len(recipes.template_text(experiment, generation))
    parent = experiment.generations[generation.parent_gen_id]
    answer = _longest_answer(experiment, parent)
    return Tokens(template / CHARACTERS_PER_TOKEN + answer, limit, LENGTH)


def _longest_answer(experiment: Experiment, generation: Generation) -> int:
    return answer_limit(recipes.body_settings(experiment, generation)) or DEFAULT_MAX_TOKENS


def usd_of(
    experiment: Experiment,
    stage: str,
    model_id: str,
    usage: Usage,
    *,
    batch: bool | None = None,
) -> float | None:
    """Return the price of an expected usage; None if the model has none.

    Without `batch`, the settings say whether the stage asks in batches.
    """
    model = experiment.catalog.models.get(model_id)
    if model is None:
        return None
    if batch is None:
        batch = experiment.settings.batch.covers(stage)
    tier = experiment.settings.sampling(stage, model_id).get("service_tier", "")
    return cost_of(usage, model, experiment.settings, batch=batch, tier=tier).usd


def calls_at_most(experiment: Experiment, generation: Generation) -> int:
    """Return how many answers a run asks for at most to get one generation's text.

    An answer that is refused is asked for again, `resample` times. One that is cut is asked for
    again with twice the max_tokens, where `on_truncation` is `grow`, up to `max_tokens_limit`.
    """
    stage = recipes.stage_of(experiment, generation)
    asked = 1 + stage.resample
    if stage.on_truncation != "grow" or stage.max_tokens_limit is None:
        return asked
    tokens = recipes.sampling_of(experiment, generation).get("max_tokens")
    doublings = 0
    while isinstance(tokens, int) and 0 < tokens < stage.max_tokens_limit:
        tokens *= 2
        doublings += 1
    return asked * (1 + doublings)

"""The expected score: the mean of the scores that a judge might have given, by its probabilities.

A judge that gives whole numbers ties many texts. If the provider tells the probabilities of the
tokens (`logprobs`), the token of the score has alternatives, such as 7 with 0.6 and 8 with 0.3.
Their mean, weighted by the probabilities of those that are scores, breaks such ties (Liu et al.,
"G-Eval", EMNLP 2023, section 2).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from daydream.errors import StoreError
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.generations.row import Generation
from daydream.llm.answers import completion_of
from daydream.store.journal import read_entry
from daydream.store.layout import generation_file, read_json

EXPECTED = "expected_score"
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def is_told(experiment: Experiment, generation: Generation) -> bool:
    """Tell whether a generation asks for the probabilities of its answer's tokens."""
    return bool(recipes.body_settings(experiment, generation).get("logprobs"))


def expected_score(experiment: Experiment, generation: Generation, score: float) -> float | None:
    """Return the expected score of a judgement; None if its answer does not tell.

    `score` is the one that the parser took.
    """
    directory = Path(generation_file(generation.stage, generation.gen_id, ""))
    told = read_json(directory / "metadata.json")
    try:
        entry = read_entry(directory, str(told.get("request_sha256")))
    except StoreError:
        return None
    if entry is None:
        return None
    template = recipes.template_of(experiment, generation)
    tokens = tokens_of(completion_of(entry[1].body))
    return expectation(tokens, score, low=template.score_min, high=template.score_max)


def tokens_of(completion: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tokens of a chat completion's first answer, with their alternatives."""
    choices = completion.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    logprobs = first.get("logprobs") if isinstance(first, Mapping) else None
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    return [each for each in content or () if isinstance(each, Mapping)]


def expectation(
    tokens: Sequence[Mapping[str, Any]], score: float, *, low: float, high: float
) -> float | None:
    """Return the mean score by the probabilities of the last token that is the score.

    None: no token is exactly the score, as when a number has several tokens, or none of its
    alternatives is a score from `low` to `high`.
    """
    for place in reversed(range(len(tokens))):
        if _value(tokens[place]) != score or _is_part(tokens, place):
            continue
        weights: dict[float, float] = {}
        for each in tokens[place].get("top_logprobs") or (tokens[place],):
            value, logprob = _value(each), each.get("logprob")
            if value is None or not isinstance(logprob, int | float) or not low <= value <= high:
                continue
            weights[value] = weights.get(value, 0.0) + math.exp(min(0.0, logprob))
        total = math.fsum(weights.values())
        if total > 0:
            return math.fsum(value * weight for value, weight in weights.items()) / total
        return None
    return None


def _value(token: Mapping[str, Any]) -> float | None:
    text = str(token.get("token", "")).strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _is_part(tokens: Sequence[Mapping[str, Any]], place: int) -> bool:
    """Tell whether a token is only a part of a number, as 7 is in ``7.5`` or ``17``."""
    after = "".join(str(each.get("token", "")) for each in tokens[place + 1 : place + 3])
    before = str(tokens[place - 1].get("token", "")) if place else ""
    own = str(tokens[place].get("token", ""))
    continues = re.match(r"[0-9]|[.,][0-9]", after) is not None
    return continues or (own[:1].isdigit() and before[-1:].isdigit()) or before[-1:] in (".", "-")

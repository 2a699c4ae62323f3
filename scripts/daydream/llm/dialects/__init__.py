"""Requests in the words of each API: the same question, written for the provider that answers it.

    question    what is asked, in the words of the settings
    openai, anthropic, gemini    each writes it as its API has it, and says what the API lacks

The body that is written here is hashed, kept and sent as it is. So a change in these modules that
changes a body asks for its answer again.
"""

from __future__ import annotations

from collections.abc import Iterator

from daydream.llm.dialects import anthropic, gemini, openai
from daydream.llm.dialects.question import Lack, Question
from daydream.llm.request import CHARACTERS_PER_TOKEN, Request
from daydream.settings import Anthropic, Gemini, OpenAI, Provider

__all__ = ["Lack", "Question", "lacks", "write"]

# OpenAI and most of Gemini's models cache no shorter beginning.
SHORTEST_TOKENS = 1024


def write(
    question: Question, settings: Provider, *, provider: str, model: str, sample: int = 0
) -> Request:
    """Return the request that asks a question of a model of a provider with these settings."""
    match settings:
        case Anthropic():
            messages, sampling, extra_body = anthropic.body(question, settings.cache_ttl)
        case Gemini():
            messages, sampling, extra_body = gemini.body(question)
        case _:
            points = settings.cache_points if isinstance(settings, OpenAI) else "none"
            messages, sampling, extra_body = openai.body(question, points)
    return Request(
        provider=provider,
        model=model,
        messages=messages,
        sampling=sampling,
        extra_body=extra_body,
        sample=sample,
        prefix=_prefix(question, settings),
    )


def _prefix(question: Question, settings: Provider) -> str | None:
    """Return the beginning of the prompt that the provider can read from its cache; None if none.

    Without a cache point it is what every prompt of the template begins with, if that and the
    system prompt are long enough. Anthropic keeps nothing without a point.
    """
    if question.points:
        return question.prompt[: question.points[0]]
    shared = len(question.system_prompt) + question.opening
    if isinstance(settings, Anthropic) or shared < SHORTEST_TOKENS * CHARACTERS_PER_TOKEN:
        return None
    return question.prompt[: question.opening]


def lacks(question: Question, settings: Provider) -> Iterator[Lack]:
    """Yield what a question asks for, and the API or its provider does not have."""
    match settings:
        case Anthropic():
            yield from anthropic.lacks(question)
        case Gemini():
            yield from gemini.lacks(question)
        case _:
            yield from openai.lacks(question)

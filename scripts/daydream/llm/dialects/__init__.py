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
from daydream.llm.request import Request
from daydream.settings import Anthropic, Gemini, OpenAI, Provider

__all__ = ["Lack", "Question", "lacks", "write"]


def write(
    question: Question, settings: Provider, *, provider: str, model: str, sample: int = 0
) -> Request:
    """Return the request that asks a question of a model of a provider with these settings."""
    prefix = question.prompt[: question.points[0]] if question.points else ""
    match settings:
        case Anthropic():
            messages, sampling, extra_body = anthropic.body(question)
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
        prefix=prefix,
    )


def lacks(question: Question, settings: Provider) -> Iterator[Lack]:
    """Yield what a question asks for, and the API or its provider does not have."""
    match settings:
        case Anthropic():
            yield from anthropic.lacks(question)
        case Gemini():
            yield from gemini.lacks(question)
        case _:
            yield from openai.lacks(question)

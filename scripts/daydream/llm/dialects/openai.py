"""Requests for OpenAI's chat completions, which many servers offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from daydream.llm.dialects.question import Body, Lack, Question, parts
from daydream.llm.structured import schema_fields

# How a cache point is written, by the setting `cache_points`.
MARKS: Mapping[str, Mapping[str, object]] = {
    "cache_control": {"cache_control": {"type": "ephemeral"}},
    "breakpoint": {"prompt_cache_breakpoint": {"mode": "explicit"}},
}


def body(question: Question, cache_points: str) -> Body:
    """Return the parts of a chat completion's request."""
    sampling = dict(question.sampling)
    if "stop" in sampling:
        sampling["stop"] = list(sampling["stop"])
    if "reasoning" in sampling:
        sampling["reasoning_effort"] = sampling.pop("reasoning")
    messages: list[dict[str, object]] = []
    if question.system_prompt:
        messages.append({"role": "system", "content": question.system_prompt})
    mark = MARKS.get(cache_points)
    content = question.prompt if mark is None else parts(question.prompt, question.points, mark)
    messages.append({"role": "user", "content": content})
    fields = schema_fields(*question.schema) if question.schema else {}
    return tuple(messages), sampling, {**fields, **question.extra_body}


def lacks(question: Question) -> Iterator[Lack]:
    """Yield what OpenAI's API does not have."""
    reasoning = question.sampling.get("reasoning")
    if isinstance(reasoning, int):
        found = f"found {reasoning}, but this API takes no number of tokens to think"
        yield Lack("reasoning", found, "give a word such as low, or set it in extra_body")

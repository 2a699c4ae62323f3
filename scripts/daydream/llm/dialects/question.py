"""What a call asks, in the words of the settings, before it is written for an API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from daydream.settings.providers import Structured

# Anthropic and OpenAI take at most so many cache points in a request.
MOST_POINTS = 4
# A request's messages, its sampling settings, and the other fields of its body.
Body = tuple[tuple[Mapping[str, Any], ...], dict[str, Any], dict[str, Any]]


class Schema(NamedTuple):
    """The JSON Schema of an answer, its name, and how it is sent."""

    mode: Structured
    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A prompt and the settings of its call; `points` are the cache points' places in the prompt.

    The first `opening` characters of the prompt are the same in every prompt of its template.
    `sampling` holds the sampling settings that are set, `extra_body` fields of the API.
    """

    prompt: str
    system_prompt: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    schema: Schema | None = None
    points: tuple[int, ...] = ()
    opening: int = 0

    @property
    def mode(self) -> Structured:
        """How the schema of the answer is sent; ``none`` without one."""
        return self.schema.mode if self.schema else "none"


class Lack(NamedTuple):
    """A setting that an API does not have: its name, what is wrong with it, and what to do."""

    setting: str
    found: str
    remedy: str


def without(setting: str, value: object, api: str) -> Lack:
    """Return the lack of a setting that an API has under no name."""
    return Lack(setting, f"found {value!r}, but {api} has no {setting}", f"set {setting} to null")


def parts(
    prompt: str, points: Sequence[int], mark: Mapping[str, object]
) -> str | list[dict[str, object]]:
    """Return a prompt as parts of which each up to a cache point has a `mark`; as it is if none.

    No part is blank, because Anthropic refuses such.
    """
    ends: list[int] = []
    for end in points[:MOST_POINTS]:
        start = ends[-1] if ends else 0
        if start < end <= len(prompt) and prompt[start:end].strip():
            ends.append(end)
    if not ends:
        return prompt
    if not prompt[ends[-1] :].strip():
        ends[-1] = len(prompt)
    return [dict(part) for part in _parts(prompt, ends, mark)]


def _parts(prompt: str, ends: list[int], mark: Mapping[str, object]) -> Iterator[dict[str, object]]:
    for start, end in zip([0, *ends], ends, strict=False):
        yield {"type": "text", "text": prompt[start:end], **mark}
    if ends[-1] < len(prompt):
        yield {"type": "text", "text": prompt[ends[-1] :]}

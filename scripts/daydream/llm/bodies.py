"""What the body of a request says, whichever API it is written for.

A body is sent as it is, and kept as it is. The rest of the library asks the functions here what a
body asks, which settings it has, and how long an answer may be. OpenAI's and Anthropic's bodies
have `messages`, Gemini's has `contents`; the system prompt is a message, `system` or
`systemInstruction`.

A cache point divides a text into two parts and marks the first. The model reads the same text with
it or without it, so a request's hash is that of the body `without_cache_points`: a point can be
added, moved or removed, and no answer is asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# What marks the end of a cached beginning, in a part of a text.
MARKS = frozenset({"cache_control", "prompt_cache_breakpoint"})
# The members of a body that are the question, and not settings.
_ASKING = ("model", "messages", "system", "contents", "systemInstruction")
# Where the fields of an answer are in a body for Gemini, and the most tokens of an answer there.
CONFIG, MOST = "generationConfig", "maxOutputTokens"


def without_cache_points(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body as the model reads it."""
    plain = dict(body)
    messages = body.get("messages")
    if isinstance(messages, list | tuple):
        plain["messages"] = [_plain(message) for message in messages]
    return plain


def _plain(message: object) -> object:
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(message, Mapping) or not isinstance(content, list | tuple):
        return message
    if not any(isinstance(part, Mapping) and MARKS & part.keys() for part in content):
        return message
    if not all(isinstance(part, Mapping) and {"type", "text"} <= part.keys() for part in content):
        return message
    return {**message, "content": "".join(str(part["text"]) for part in content)}


def asked_in(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the role and the text of each message, the system prompt first."""
    for name in ("system", "systemInstruction"):
        if name in body:
            yield "system", _text(body[name])
    for name, key in (("messages", "content"), ("contents", "parts")):
        for message in body.get(name) or ():
            if isinstance(message, Mapping):
                yield str(message.get("role")), _text(message.get(key))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return _text(content.get("parts", content.get("text")))
    return "".join(map(_text, content)) if isinstance(content, list | tuple) else ""


def settings_in(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a body has besides what it asks."""
    return {name: value for name, value in body.items() if name not in _ASKING}


def most_tokens_in(settings: Mapping[str, Any]) -> int | None:
    """Return the limit on an answer's tokens that a body or its settings have; None without one."""
    config = settings.get(CONFIG)
    tokens = settings.get("max_tokens")
    if tokens is None and isinstance(config, Mapping):
        tokens = config.get(MOST)
    return tokens if isinstance(tokens, int) else None

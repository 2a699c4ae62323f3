"""What the bytes of an HTTP answer say: a chat completion or another API's, or why they hold none.

Reading never fails. An answer in another charset, as a stream of events or inside a list was paid
for like any other, so each is read as far as possible. For the rest there is one question. Is this
the model's answer? Then it is kept, even if it cannot be used. Or did something else answer, such
as a proxy with a page, or with an error? Then another attempt may help.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from daydream.errors import CallError
from daydream.llm.answers import is_generated, is_message
from daydream.llm.request import error_message, one_line

# A deeper answer could be read, but not reliably written again.
DEEPEST = 200
# Python reads longer integers only slowly, and not at all above 4,300 digits.
LONGEST_INTEGER = 300
STREAM = "text/event-stream"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What the bytes of an answer say.

    `body` is the chat completion, empty if there is none; `problem` then says why, and `remedy`
    what to do. `answered` tells whether the bytes are the model's answer. `verbatim` tells whether
    `body` is exactly the JSON that the bytes hold; otherwise only the bytes themselves say what
    came.
    """

    body: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    remedy: str = "run snakemake again"
    answered: bool = True
    verbatim: bool = False


def read_answer(content: bytes, content_type: str = "") -> Reading:
    """Read the body of an HTTP answer with status 200, whatever it is.

    The text is decoded in the charset that `content_type` declares, or else in UTF-8; invalid bytes
    become U+FFFD. A stream of events is joined into one completion. A completion that is the only
    item of a list is taken out of it. A number that JSON or Python cannot hold becomes a text.
    """
    text, exact = decoded(content, content_type)
    if _depth(text) > DEEPEST:
        return _unreadable(text, f"JSON that is nested more than {DEEPEST} deep")
    try:
        value = _loads(text)
    except ValueError:
        if text.lstrip().startswith(("data:", "event:", ":", "id:", "retry:")):
            return _joined(text)
        kind = content_type or "no content type"
        shown = one_line(text, limit=200)
        return _unreadable(text, f"{shown} ({kind}), which is not JSON")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value, exact = value[0], False
    body = storable(value)
    return _completion(body, verbatim=exact and body is value)


def decoded(content: bytes, content_type: str) -> tuple[str, bool]:
    """Return the text, and whether all bytes were valid UTF-8."""
    header = Message()
    header["content-type"] = content_type
    for charset in (header.get_content_charset() or "utf-8", "utf-8"):
        try:
            # A byte-order mark is not part of the text.
            return content.decode(charset).removeprefix("\ufeff"), charset == "utf-8"
        except (LookupError, ValueError):
            continue
    return content.decode("utf-8", "replace").removeprefix("\ufeff"), False


def _depth(text: str) -> int:
    """Return how deeply the brackets of a text are nested; 0 if they cannot be too deep."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return 0
    depth = deepest = 0
    quoted = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif quoted:
            quoted = character != '"'
            escaped = character == "\\"
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _number(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_INTEGER else digits


_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=str)
_LONG_INTEGERS = json.JSONDecoder(parse_float=_number, parse_int=_integer, parse_constant=str)


def _loads(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return _LONG_INTEGERS.decode(text)


def _unreadable(text: str, problem: str) -> Reading:
    """Return the reading of what is not JSON: the model's if it names parts of a completion."""
    ours = any(f'"{name}"' in text for name in ("choices", "usage", "candidates", "stop_reason"))
    return Reading(problem=f"answered 200 with {problem}", remedy="check base_url", answered=ours)


def check_completion(value: object, *, source: object) -> dict[str, Any]:
    """Return `value` if it is a chat completion that can be kept; `source` is who gave it.

    A lone surrogate, which no file can hold, becomes U+FFFD; all else stays as it is.

    Raises:
        CallError: it reports an error, is not a JSON object, or has no choices. This is not an
            answer, so it is not kept, and the next run asks again.
    """
    try:
        reading = _completion(storable(value), verbatim=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise CallError(
            f"{source}: answered what is not JSON ({one_line(error)}); return text or JSON values"
        ) from error
    if reading.problem:
        raise CallError(f"{source}: {reading.problem}; {reading.remedy}")
    return reading.body


def _completion(value: object, *, verbatim: bool) -> Reading:
    if not isinstance(value, dict):
        shown = one_line(value)
        problem = f"answered {shown}, which is not a chat completion"
        remedy = "check that it serves chat completions"
        return Reading(problem=problem, remedy=remedy, answered=False)
    if is_message(value) or is_generated(value):
        return Reading(body=value, verbatim=verbatim)
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    error = value.get("error") or (first.get("error") if isinstance(first, dict) else None)
    if error:
        problem = f"answered with the error {one_line(error_message(error))}"
        remedy = "run snakemake again, or see what the provider says of it"
        return Reading(problem=problem, remedy=remedy, answered=False)
    if not isinstance(first, dict):
        return Reading(problem="answered without choices", answered=False)
    return Reading(body=value, verbatim=verbatim)


def storable(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return `value`, or a copy in which each lone surrogate, which no file can hold, is U+FFFD.

    Raises:
        TypeError, ValueError: it is not JSON.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return value


def _joined(text: str) -> Reading:
    """Return the completion that a stream of chunks adds up to."""
    head: dict[str, Any] = {}
    parts: dict[str, list[str]] = {}
    reason: object = None
    done = False
    for data in _events(text):
        if data == "[DONE]":
            done = True
            break
        try:
            chunk = storable(_loads(data))
        except ValueError:
            continue
        if not isinstance(chunk, dict):
            continue
        if chunk.get("error"):
            return _completion(chunk, verbatim=False)
        head |= {name: each for name, each in chunk.items() if name != "choices" and each}
        for choice in _first_choices(chunk):
            reason = choice.get("finish_reason") or reason
            told = choice.get("delta") or choice.get("message")
            for name, piece in told.items() if isinstance(told, Mapping) else ():
                if isinstance(piece, str):
                    parts.setdefault(name, []).append(piece)
    if not parts and not head:
        return _unreadable(text, "events that hold no chat completion")
    if not (done or reason):
        return Reading(problem="answered 200 with a stream of events that was cut")
    role = parts.pop("role", ["assistant"])[0]
    message = {"role": role, **{name: "".join(pieces) for name, pieces in parts.items()}}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return Reading(body={**head, "object": "chat.completion", "choices": [choice]})


def _events(text: str) -> Iterator[str]:
    """Yield the data of each server-sent event."""
    lines: list[str] = []
    # Not `splitlines`: it also splits at characters that a JSON text may contain.
    for line in [*re.split(r"\r\n|\n|\r", text), ""]:
        name, _, value = line.partition(":")
        if name == "data":
            lines.append(value.removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


def _first_choices(chunk: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a chunk says of the first choice."""
    choices = chunk.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, Mapping) and choice.get("index", 0) == 0:
            yield choice

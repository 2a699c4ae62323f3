"""Answers in the form of a chat completion, whichever API gave them.

The journal keeps each answer as it came. The rest of the library reads chat completions, OpenAI's
form. The functions here show an Anthropic message or a Gemini response in that form, by its own
members, so that an answer from the journal reads as it did when it came.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

# Anthropic's and Google's reasons to stop, in OpenAI's words; others stay as they are.
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "STOP": "stop",
    "MAX_TOKENS": "length",
}
# Google's words for an answer that a filter withheld.
_WITHHELD = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"}
)


def is_message(value: Mapping[str, Any]) -> bool:
    """Tell whether an answer is one of Anthropic's Messages API."""
    return value.get("type") == "message" and isinstance(value.get("content"), list)


def is_generated(value: Mapping[str, Any]) -> bool:
    """Tell whether an answer is one of Gemini's: candidates, or the prompt that was blocked."""
    candidates, feedback = value.get("candidates"), value.get("promptFeedback")
    blocked = isinstance(feedback, Mapping) and bool(feedback.get("blockReason"))
    return (isinstance(candidates, list) and bool(candidates)) or blocked


def completion_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an answer as a chat completion; one that is a chat completion is returned itself."""
    if is_message(body):
        return _of_message(body)
    if is_generated(body):
        return _of_generated(body)
    return body


def _of_message(body: Mapping[str, Any]) -> dict[str, Any]:
    reason = _word(body.get("stop_reason"))
    blocks = [block for block in body["content"] if isinstance(block, Mapping)]
    text = "".join(_texts(block for block in blocks if block.get("type") == "text"))
    message: dict[str, Any] = {"role": "assistant", "content": text}
    calls = [_call(b.get("name"), b.get("input")) for b in blocks if b.get("type") == "tool_use"]
    if reason == "refusal":
        details = body.get("stop_details")
        said = details.get("explanation") if isinstance(details, Mapping) else None
        message |= {"content": None, "refusal": said or text or "stop_reason refusal"}
    elif calls:
        message["tool_calls"] = calls
    elif not text:
        message["content"] = None
    choice = {"index": 0, "message": message, "finish_reason": _in_ours(reason)}
    return {"model": body.get("model"), "choices": [choice], "usage": body.get("usage")}


def _of_generated(body: Mapping[str, Any]) -> dict[str, Any]:
    candidates = body.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else {}
    candidate = first if isinstance(first, Mapping) else {}
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, Mapping) else None
    said = [p for p in parts or () if isinstance(p, Mapping) and not p.get("thought")]
    text = "".join(_texts(said))
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    calls = [part["functionCall"] for part in said if isinstance(part.get("functionCall"), Mapping)]
    feedback = body.get("promptFeedback")
    blocked = feedback.get("blockReason") if isinstance(feedback, Mapping) else None
    reason = _word(candidate.get("finishReason"))
    if reason in _WITHHELD:
        told = candidate.get("finishMessage") or f"finishReason {reason}"
        message |= {"content": None, "refusal": told}
        reason = "content_filter"
    elif blocked and not candidate:
        message |= {"content": None, "refusal": f"blockReason {blocked}"}
        reason = "content_filter"
    elif calls:
        message["tool_calls"] = [_call(call.get("name"), call.get("args")) for call in calls]
        # Google's API says STOP here, too.
        reason = "tool_calls" if reason == "STOP" else reason
    choice = {"index": 0, "message": message, "finish_reason": _in_ours(reason)}
    if logprobs := _logprobs(candidate.get("logprobsResult")):
        choice["logprobs"] = {"content": logprobs}
    return {
        "model": body.get("modelVersion"),
        "choices": [choice],
        "usage": body.get("usageMetadata"),
        "service_tier": _tier(body.get("usageMetadata")),
    }


def _in_ours(reason: str | None) -> str | None:
    return None if reason is None else _REASONS.get(reason, reason)


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _tier(usage: object) -> object:
    tier = usage.get("serviceTier") if isinstance(usage, Mapping) else None
    return tier.lower() if isinstance(tier, str) else None


def _texts(parts: Any) -> Iterator[str]:  # noqa: ANN401 - an iterable of mappings
    return (part["text"] for part in parts if isinstance(part.get("text"), str))


def _call(name: object, arguments: object) -> dict[str, Any]:
    text = json.dumps(arguments, ensure_ascii=False)
    return {"type": "function", "function": {"name": name, "arguments": text}}


def _logprobs(result: object) -> list[dict[str, Any]]:
    """Return Gemini's log probabilities of an answer's tokens, as OpenAI has them."""
    if not isinstance(result, Mapping):
        return []
    chosen, top = result.get("chosenCandidates"), result.get("topCandidates")
    tokens = [_token(each) for each in chosen] if isinstance(chosen, list) else []
    for token, others in zip(tokens, top if isinstance(top, list) else (), strict=False):
        listed = others.get("candidates") if isinstance(others, Mapping) else None
        token["top_logprobs"] = [_token(each) for each in listed or ()]
    return tokens


def _token(value: object) -> dict[str, Any]:
    said = value if isinstance(value, Mapping) else {}
    return {"token": said.get("token"), "logprob": said.get("logProbability")}

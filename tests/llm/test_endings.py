"""Which reasons to stop say that an answer is not whole, in the words of each API."""

from __future__ import annotations

from typing import Any

import pytest

from daydream.llm.endings import unfinished
from daydream.llm.request import Response

TOOLS = {"tools": [{"name": "my_rubric"}]}


def message(reason: object, **block: object) -> dict[str, Any]:
    """Return an answer of Anthropic's API."""
    content = [{"type": "text", "text": "So far"}, *([block] if block else [])]
    return {"type": "message", "content": content, "stop_reason": reason}


def generated(reason: object, **part: object) -> dict[str, Any]:
    """Return an answer of Google's API."""
    parts = [{"text": "So far"}, *([part] if part else [])]
    return {"candidates": [{"content": {"parts": parts}, "finishReason": reason}]}


def completion(reason: object) -> dict[str, Any]:
    """Return an answer of OpenAI's API."""
    return {"choices": [{"message": {"content": "So far"}, "finish_reason": reason}]}


USE = {"type": "tool_use", "name": "search", "input": {}}
CALL = {"functionCall": {"name": "search", "args": {}}}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (message("end_turn"), ""),
        (message("stop_sequence"), ""),
        (message(None), ""),
        (message("pause_turn"), "stopped early (finish_reason 'pause_turn')"),
        (message("tool_use", **USE), "called a tool, and none was offered"),
        (generated("STOP"), ""),
        (generated("OTHER"), "stopped early (finish_reason 'OTHER')"),
        (generated("MALFORMED_FUNCTION_CALL"), "stopped early"),
        (generated("STOP", **CALL), "called a tool, and none was offered"),
        (completion("stop"), ""),
        (completion("eos_token"), ""),
        (completion("error"), "stopped early (finish_reason 'error')"),
        (completion("content_filter"), "stopped early (finish_reason 'content_filter')"),
        (completion("tool_calls"), "called a tool, and none was offered"),
    ],
)
def test_reasons_to_stop(body: dict[str, Any], found: str) -> None:
    response = Response(body=body, started_at="2026-11-30T00:00:00Z", duration_s=1.0)
    said = unfinished(response.finish_reason, {})
    assert said.startswith(found) if found else not said


@pytest.mark.parametrize("body", [message("tool_use", **USE), generated("STOP", **CALL)])
def test_a_tool_that_was_offered_is_the_answer(body: dict[str, Any]) -> None:
    response = Response(body=body, started_at="2026-11-30T00:00:00Z", duration_s=1.0)
    assert not unfinished(response.finish_reason, TOOLS)

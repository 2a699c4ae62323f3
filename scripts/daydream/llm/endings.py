"""How answers end: reasons that say that a model stopped before it had answered."""

from __future__ import annotations

from collections.abc import Mapping

# The words of the APIs for an answer that is not whole though nothing limited its length. Others,
# such as servers' own words for the end, count as ends.
_STOPPED = frozenset(
    {
        # Anthropic: to be continued by another call.
        "pause_turn",
        # Google.
        "FINISH_REASON_UNSPECIFIED",
        "OTHER",
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
        # OpenAI's protocol, with its servers and routers.
        "abort",
        "cancelled",
        "content_filter",
        "error",
        # DeepSeek.
        "insufficient_system_resource",
    }
)
_CALLS = frozenset({"tool_calls", "function_call"})


def unfinished(reason: object, settings: Mapping[str, object]) -> str:
    """Return why an answer is not whole, by its reason to stop; empty if it may be.

    `settings` are those of its request: a tool's call is an answer only where a tool was offered.
    """
    if not isinstance(reason, str):
        return ""
    if reason in _CALLS and "tools" not in settings:
        return f"called a tool, and none was offered (finish_reason {reason!r})"
    if reason in _STOPPED:
        return f"stopped early (finish_reason {reason!r})"
    return ""

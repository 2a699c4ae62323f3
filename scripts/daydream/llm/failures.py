"""Why a call was not answered, as far as it decides what to do next."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from daydream.errors import CallError

# Retryable: the request was valid, and may be answered next time.
AGAIN = frozenset({408, 409, 429})
# Unauthorized: the account, or that of the proxy, is rejected, not the request.
# Further calls would be rejected too.
PROXY_LOGIN = 407
UNAUTHORIZED = frozenset({401, 402, 403, PROXY_LOGIN})
# Anthropic's status for a request that it has no room for, and the one that others answer it with.
OVERLOADED, UNAVAILABLE = 529, 503
# The headers that say how long to wait, and how many of their units are one second.
SECONDS = {"retry-after-ms": 1000.0, "retry-after": 1.0, "llm_provider-retry-after": 1.0}
# The limits that the headers `x-ratelimit-remaining…` and `x-ratelimit-reset…` can be about.
KINDS = ("", "-requests", "-tokens")
LONGEST_RESET_S = 60.0
# Anthropic's headers of what remains. How long to wait, it says with Retry-After.
ANTHROPIC = tuple(
    f"anthropic-ratelimit-{kind}-remaining"
    for kind in ("requests", "tokens", "input-tokens", "output-tokens")
)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class CallFailedError(CallError):
    """One attempt that failed.

    `status` is the HTTP status, None if there was no answer. `sent` tells whether the request may
    have reached the provider, and `again` whether another attempt may help. `retry_after` is how
    many seconds the provider asks to wait, None if it does not. `exhausted` tells whether its
    headers say that nothing is left of a limit; None if they do not tell. `overloaded`: it has no
    room for the request at present. `unreachable`: no call can reach it until something is changed.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        again: bool,
        sent: bool = True,
        retry_after: float | None = None,
        exhausted: bool | None = None,
        overloaded: bool = False,
        unreachable: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.again = again
        self.sent = sent
        self.retry_after = retry_after
        self.exhausted = exhausted
        self.overloaded = overloaded
        self.unreachable = unreachable

    @property
    def unauthorized(self) -> bool:
        """Whether the provider rejects the account, whatever the request is."""
        return self.status in UNAUTHORIZED

    @property
    def hopeless(self) -> bool:
        """Whether every other call would fail in the same way."""
        return self.unauthorized or self.unreachable

    @property
    def free(self) -> bool:
        """Whether nothing is charged: the provider rejected the request before answering it."""
        if self.status is None:
            return False
        return (300 <= self.status < 500 and self.status != 408) or self.overloaded

    @property
    def rate_limited(self) -> bool:
        """Whether the provider says that it is called too often, or by too many.

        Nothing is wrong with the request then: calls have to wait, and to become fewer.
        """
        return self.status == 429 or self.overloaded


def may_pass(status: int) -> bool:
    """Tell whether another attempt may help after an answer with `status`."""
    return status in AGAIN or status >= 500


def is_overloaded(status: int, body: object, wait: float | None) -> bool:
    """Tell whether an error says that there is no room at present; `wait` is what it asks for.

    A 503 that neither asks to wait nor has one of the words of OpenAI and Google may be a server
    that is broken.
    """
    if status != UNAVAILABLE:
        return status == OVERLOADED
    said = str(body)
    return wait is not None or "overloaded" in said.lower() or "UNAVAILABLE" in said


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds an answer asks to wait; None if it does not ask.

    Retry-After is a number or a date. `retry-after-ms`, which OpenAI also sends, is more exact.
    LiteLLM's proxy passes on the header of the provider behind it under another name. Without these
    headers, it is the time until an exhausted limit is reset, at most a minute: some providers give
    the time until the whole limit is available again.
    """
    for name, unit in SECONDS.items():
        try:
            # Some write the unit, too.
            seconds = float(headers[name].removesuffix("s")) / unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        names = [f"x-ratelimit-reset{kind}" for kind in _used_up(headers)]
        resets = [_seconds(headers.get(name, "")) for name in names]
        told = [min(reset, LONGEST_RESET_S) for reset in resets if reset is not None]
        return max(told, default=None)
    if date.tzinfo is None:
        # A date with the zone "-0000" is in UTC.
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def exhausted(headers: Mapping[str, str]) -> bool | None:
    """Tell whether a limit is exhausted; None if no header says what remains."""
    own = [name for name in ANTHROPIC if name in headers]
    if not own and not any(f"x-ratelimit-remaining{kind}" in headers for kind in KINDS):
        return None
    return bool(_used_up(headers)) or any(_is_zero(headers, name) for name in own)


def _used_up(headers: Mapping[str, str]) -> list[str]:
    """Return the kinds of limits that are exhausted."""
    return [kind for kind in KINDS if _is_zero(headers, f"x-ratelimit-remaining{kind}")]


def _is_zero(headers: Mapping[str, str], name: str) -> bool:
    try:
        return float(headers[name]) <= 0
    except (KeyError, ValueError):
        return False


def _seconds(text: str) -> float | None:
    """Return the seconds until a reset, given as ``6m0s``, ``20ms``, ``1.5`` or Unix time."""
    try:
        number = float(text)
    except ValueError:
        parts = _DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            return None
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    if number > 1e12:
        number /= 1000
    return max(0.0, number - time.time()) if number > 1e9 else max(0.0, number)

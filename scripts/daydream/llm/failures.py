"""Why a call gave no answer, as far as that decides what is done next."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from daydream.errors import CallError

# Asked again: the request was in order, and may be answered next time.
AGAIN = frozenset({408, 409, 429})
# The account is refused, not the request: what follows would be refused too.
REFUSED = frozenset({401, 402, 403})
# The headers that say how long to wait, and how many of their units make a second.
SECONDS = {"retry-after-ms": 1000.0, "retry-after": 1.0, "llm_provider-retry-after": 1.0}
# What the headers `x-ratelimit-remaining…` and `x-ratelimit-reset…` may tell of.
KINDS = ("", "-requests", "-tokens")
LONGEST_RESET_S = 60.0

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class CallFailedError(CallError):
    """One attempt that failed.

    `status` is that of HTTP, None if there was no answer; `sent` whether the request may have
    reached the provider; `again` whether another attempt may do;
    `retry_after` the seconds that the provider asks to wait, None if it does not; `exhausted`
    whether its headers say that nothing remains of a limit, None if they do not tell.
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
    ) -> None:
        super().__init__(message)
        self.status = status
        self.again = again
        self.sent = sent
        self.retry_after = retry_after
        self.exhausted = exhausted

    @property
    def refused(self) -> bool:
        """Whether the provider refuses the account, whatever is asked."""
        return self.status in REFUSED

    @property
    def free(self) -> bool:
        """Whether nothing is charged: the provider has turned the request away unread."""
        return self.status is not None and 300 <= self.status < 500 and self.status != 408

    @property
    def limited(self) -> bool:
        """Whether the provider says that it is asked too often."""
        return self.status == 429


def may_pass(status: int) -> bool:
    """Tell whether a request that was answered with `status` may be answered well next time."""
    return status in AGAIN or status >= 500


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks to wait, None if it does not.

    Retry-After is a number or a date; `retry-after-ms`, which OpenAI sends beside it, is more
    exact. LiteLLM's proxy passes the header of the provider behind it on under a name of its own.
    Without them, it is the time until a limit of which nothing remains is reset, and no more
    than a minute: a reset may be the time until all of it is there again.
    """
    for name, unit in SECONDS.items():
        try:
            seconds = float(headers[name]) / unit
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
        # A date in "-0000" is in UTC.
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def exhausted(headers: Mapping[str, str]) -> bool | None:
    """Tell whether nothing remains of a limit; None if there is no `x-ratelimit-remaining`."""
    if not any(f"x-ratelimit-remaining{kind}" in headers for kind in KINDS):
        return None
    return bool(_used_up(headers))


def _used_up(headers: Mapping[str, str]) -> list[str]:
    """Return the kinds of limits of which nothing remains."""
    used_up = []
    for kind in KINDS:
        try:
            if float(headers[f"x-ratelimit-remaining{kind}"]) <= 0:
                used_up.append(kind)
        except (KeyError, ValueError):
            continue
    return used_up


def _seconds(text: str) -> float | None:
    """Return a time until a reset, such as ``6m0s``, ``20ms``, ``1.5`` or Unix time; or None."""
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

"""Why a call gave no answer, as far as that decides what is done next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from daydream.errors import CallError

# Asked again: the request was in order, and may be answered next time.
AGAIN = frozenset({408, 409, 429})
# The account is refused, not the request: what follows would be refused too.
REFUSED = frozenset({401, 402, 403})


class CallFailedError(CallError):
    """One attempt that failed.

    `status` is that of HTTP, None if there was no answer; `again` whether another attempt may do;
    `retry_after` the seconds that the provider asks to wait, None if it does not.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        again: bool,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.again = again
        self.retry_after = retry_after

    @property
    def refused(self) -> bool:
        """Whether the provider refuses the account, whatever is asked."""
        return self.status in REFUSED

    @property
    def limited(self) -> bool:
        """Whether the provider says that it is asked too often."""
        return self.status == 429


def may_pass(status: int) -> bool:
    """Tell whether a request that was answered with `status` may be answered well next time."""
    return status in AGAIN or status >= 500


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After asks to wait: a number, or a date; None if there is none.

    `retry-after-ms`, which OpenAI sends beside it, is more exact.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return max(0.0, (date - datetime.now(UTC)).total_seconds())

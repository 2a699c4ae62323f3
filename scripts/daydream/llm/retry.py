"""Asking until there is an answer, or no sense in asking.

A failed attempt is followed by another if its failure may pass: after as long as Retry-After says,
else after a random time between nothing and a bound that doubles (exponential backoff with full
jitter: Brooker, "Exponential Backoff And Jitter", 2015). A refusal of the account, three times in a
row, closes the provider for the rest of the run: every further call would be refused too.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from itertools import count

from daydream.errors import CallError, StoppedError
from daydream.llm.failures import CallFailedError
from daydream.llm.limits import Limits
from daydream.llm.request import Provider, Request, Response

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
REFUSALS = 3


class Retrying:
    """A provider that is asked up to `max_attempts` times, within `deadline` seconds a call.

    `first_wait` seconds bound the wait after the first failure. `stop` ends every wait.
    """

    def __init__(
        self,
        name: str,
        provider: Provider,
        *,
        stop: threading.Event,
        max_attempts: int = 6,
        deadline: float = 1800.0,
        first_wait: float = FIRST_WAIT_S,
    ) -> None:
        self._name = name
        self._provider = provider
        self._stop = stop
        self._max_attempts = max_attempts
        self._deadline = deadline
        self._first_wait = first_wait
        self._refusals = 0
        self._refusal = ""
        self._lock = threading.Lock()

    def complete(self, request: Request, limits: Limits) -> Response:
        """Return the answer; its `attempts` are those of this call.

        Raises:
            CallError: the last failure, if it will not pass or has not passed in time.
            StoppedError: the run is to end, and the call is not in flight.
        """
        begin = time.monotonic()
        for attempt in count(1):
            self._check_open()
            try:
                with limits.call(request) as usage:
                    response = self._provider.complete(request)
                    usage.update(response.usage)
            except CallFailedError as failure:
                self._count_refusal(failure)
                wait = self._wait(failure, attempt)
                late = time.monotonic() - begin + wait > self._deadline
                if not failure.again or attempt == self._max_attempts or late:
                    asked = failure.retry_after if late else None
                    raise CallError(_told(failure, attempt, asked)) from failure
                if self._stop.wait(wait):
                    raise StoppedError(
                        "the call waited to be made again, and the run is to end"
                    ) from failure
            else:
                with self._lock:
                    self._refusals = 0
                return replace(response, attempts=attempt)
        raise AssertionError

    def close(self) -> None:
        """Close the provider."""
        self._provider.close()

    def _wait(self, failure: CallFailedError, attempt: int) -> float:
        if failure.retry_after is not None:
            return failure.retry_after
        bound = min(LONGEST_WAIT_S, self._first_wait * 2 ** (attempt - 1))
        return random.uniform(0, bound)  # noqa: S311 - spreads, hides nothing

    def _count_refusal(self, failure: CallFailedError) -> None:
        with self._lock:
            if failure.refused:
                self._refusals += 1
                self._refusal = str(failure.args[0])
            elif failure.status is not None:
                self._refusals = 0

    def _check_open(self) -> None:
        if self._refusals >= REFUSALS:
            raise CallError(
                f"provider {self._name!r} is not asked any more, as it refused {REFUSALS} calls in "
                f"a row: {self._refusal}"
            )


def _told(failure: CallFailedError, attempts: int, asked: float | None) -> str:
    """Return the failure's line with what was tried."""
    message, _, remedy = str(failure.args[0]).rpartition("; ")
    tried = f" after {attempts} attempts" if attempts > 1 else ""
    wait = "" if asked is None else f", and asks to wait {asked:.0f} s, longer than the deadline"
    return f"{message}{tried}{wait}; {remedy}"

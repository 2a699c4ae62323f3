"""Asking until there is an answer, or no sense in asking.

A failed attempt is followed by another if its failure may pass: after as long as Retry-After says,
else after a random time between nothing and a bound that doubles (exponential backoff with full
jitter: Brooker, "Exponential Backoff And Jitter", 2015). The bound stays small while other calls of
the model are answered, as nothing is to recover then. A refusal of the account, three times in a
row, closes the provider for the rest of the run: every further call would be refused too.

`deadline` bounds all of a call from when it is first allowed to send, waits and transfer included.
A wait that would end after it is not begun.

tenacity, stamina or a retrying HTTP transport would replace the loop below, some twenty lines, and
nothing else: each attempt has to give its place in the pool back while it waits, waits have to end
with the run, and an answer that is not a chat completion is asked for again, which a transport
does not see. With them those would be callbacks around somebody else's loop, and one dependency
more.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import count
from typing import Protocol

from daydream.errors import CallError, StoppedError
from daydream.llm.deadline import Deadline, Notices
from daydream.llm.failures import CallFailedError
from daydream.llm.limits import Limits
from daydream.llm.request import Provider, Request, Response

# Entered around one attempt: it counts it, or refuses it by raising.
Attempt = Callable[[], AbstractContextManager[object]]

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
REFUSALS = 3
# While fewer than half of a model's last attempts failed, a failure concerns its request alone, and
# the bound of its waits doubles once.
LATELY = 20


class RemoteProvider(Provider, Protocol):
    """A provider over a connection, which can be told how long an answer may take."""

    def complete(self, request: Request, *, within: float | None = None) -> Response:
        """Return the answer to a request, within so many seconds.

        Raises:
            CallFailedError: there is none; it says whether another attempt may do.
        """


class Retrying:
    """A provider that is asked up to `max_attempts` times, within `deadline` seconds per call.

    `first_wait` seconds bound the wait after the first failure. `stop` ends every wait; long ones
    are told to `notices`.
    """

    def __init__(
        self,
        name: str,
        provider: RemoteProvider,
        *,
        stop: threading.Event,
        max_attempts: int = 6,
        deadline: float = 1800.0,
        first_wait: float = FIRST_WAIT_S,
        notices: Notices | None = None,
    ) -> None:
        self._name = name
        self._provider = provider
        self._stop = stop
        self._max_attempts = max_attempts
        self._deadline = deadline
        self._first_wait = first_wait
        self._notices = notices or Notices()
        self._lately: dict[str, deque[bool]] = {}
        self._refusals = 0
        self._refusal = ""
        self._lock = threading.Lock()

    def complete(
        self, request: Request, limits: Limits, *, metered: Attempt = nullcontext
    ) -> Response:
        """Return the answer; its `attempts` are those of this call.

        `metered` is entered around each attempt, once it may be sent.

        Raises:
            CallError: the last failure, if it will not pass or has not passed in time.
            StoppedError: the run is to end, and the call is not in flight.
        """
        deadline = Deadline(self._deadline)
        for attempt in count(1):
            self._check_open()
            try:
                with limits.call(request, deadline) as told, metered():
                    response = self._provider.complete(request, within=deadline.left)
                    told.append(response.counted)
            except CallFailedError as failure:
                self._count_refusal(failure)
                self._wait(failure, attempt, deadline, alone=self._failed_alone(request, True))
            else:
                self._failed_alone(request, False)
                with self._lock:
                    self._refusals = 0
                return replace(response, attempts=attempt)
        raise AssertionError

    def _failed_alone(self, request: Request, failed: bool) -> bool:
        """Note how an attempt ended; tell whether most of the model's last ones did not fail."""
        with self._lock:
            lately = self._lately.setdefault(request.model, deque(maxlen=LATELY))
            lately.append(failed)
            return sum(lately) < len(lately) / 2

    def _wait(
        self, failure: CallFailedError, attempt: int, deadline: Deadline, *, alone: bool
    ) -> None:
        """Wait until the call is made again, if it is."""
        wait = failure.retry_after
        if wait is None:
            doubled = min(attempt - 1, 1) if alone else attempt - 1
            bound = min(LONGEST_WAIT_S, self._first_wait * 2**doubled)
            wait = random.uniform(0, bound)  # noqa: S311 - spreads, hides nothing
        late = wait > deadline.left
        if not failure.again or attempt == self._max_attempts or late:
            raise CallError(_told(failure, attempt, wait if late else None)) from failure
        reason = str(failure.args[0]).rpartition("; ")[0]
        self._notices.wait(self._name, wait, f"{reason}; asked again in {wait:.0f} s")
        if self._stop.wait(wait):
            raise StoppedError(
                "the call waited to be made again, and the run is to end"
            ) from failure

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


def _told(failure: CallFailedError, attempts: int, late: float | None) -> str:
    """Return the failure's line with what was tried."""
    message, _, remedy = str(failure.args[0]).rpartition("; ")
    tried = f" after {attempts} attempts" if attempts > 1 else ""
    wait = ""
    if failure.again and late is not None:
        who = "asks to wait" if failure.retry_after is not None else "the next attempt would wait"
        wait = f", and {who} {late:.0f} s, longer than the deadline"
    return f"{message}{tried}{wait}; {remedy}"

"""Trying a call again until there is an answer, or until another attempt cannot help.

If a failure is retryable, another attempt follows: after the time that Retry-After asks for, or
else after a random time between zero and a bound that doubles (exponential backoff with full
jitter: Brooker, "Exponential Backoff And Jitter", 2015). The bound stays small while other calls of
the model are answered, because then there is nothing to recover from. Failures count up to
`max_attempts`, except those that say that the provider is called too often or overloaded: then
nothing is wrong with the request, all calls become fewer (`daydream.llm.pace`), and this one waits
until its deadline. If a model was refused so for that long without an answer between, the next
calls do not wait as well, each wave as long as the first: they fail until some time has passed. If
three calls in a row fail in a way that every further call would, the provider is not asked again in
this run: the account is rejected, or that of the proxy, or the server's certificate is not trusted.
A wrong password that is sent hundreds of times gets an account locked.

`deadline` bounds a whole call from the moment at which it may first be sent, including waits and
transfer. A wait that would end after the deadline is not begun.

tenacity, stamina or a retrying HTTP transport could only replace the loop below, some twenty lines.
Each attempt has to release its place in the pool while it waits, waits have to end with the run,
and an answer that is not a chat completion is retried, which a transport does not see. With these
libraries, all of that would become callbacks, and there would be one more dependency.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import count
from typing import NamedTuple, Protocol, TypeVar

from daydream.errors import CallError, StoppedError
from daydream.llm.deadline import Deadline, Notices
from daydream.llm.embeddings import Embedded
from daydream.llm.failures import CallFailedError
from daydream.llm.limits import Limits
from daydream.llm.request import Asked, Provider, Request, Response

# A context around one attempt: it counts the attempt, or raises to prevent it.
Attempt = Callable[[], AbstractContextManager[object]]

Answer = TypeVar("Answer", Response, Embedded)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
# By more doublings than this, no bound grows; a power of two beyond a float would be an error.
DOUBLINGS = 30
HOPELESS_CALLS = 3
# While fewer than half of a model's last attempts failed, a failure concerns its request alone, and
# the bound of its waits doubles only once.
LATELY = 20
# A model that refused everything is asked again after so many seconds without a request.
REST_S = 600.0


class RemoteProvider(Provider, Protocol):
    """A provider over a network, which takes a limit of time for each answer."""

    def complete(self, request: Request, *, within: float | None = None) -> Response:
        """Return the answer to a request, within so many seconds.

        Raises:
            CallFailedError: there is none; it says whether another attempt may help.
        """


class Retrying:
    """A provider that is asked until `max_attempts` failed, within `deadline` seconds per call.

    `first_wait` seconds bound the wait after the first failure. `stop` ends every wait. Long waits
    are reported to `notices`.
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
        self._refused: dict[str, _Refused] = {}
        self._hopeless = 0
        self._last_hopeless = ""
        self._lock = threading.Lock()

    def complete(
        self, request: Request, limits: Limits, *, metered: Attempt = nullcontext
    ) -> Response:
        """Return the answer; its `attempts` are those of this call.

        `metered` is entered around each attempt, once it may be sent.

        Raises:
            CallError: the last failure, if another attempt cannot help or would come too late.
            StoppedError: the run is ending, and the call is not in flight.
        """

        def ask(within: float) -> Response:
            return self._provider.complete(request, within=within)

        return self.until_answered(request, limits, ask, metered=metered)

    def until_answered(
        self,
        request: Asked,
        limits: Limits,
        ask: Callable[[float], Answer],
        *,
        metered: Attempt = nullcontext,
    ) -> Answer:
        """Return what `ask` returns, which is given the seconds that are left; as `complete`."""
        deadline = Deadline(self._deadline)
        faults = 0
        for attempt in count(1):
            self._check_open(request)
            try:
                with limits.call(request, deadline) as told, metered():
                    response = ask(deadline.left)
                    told.append(response.counted)
            except CallFailedError as failure:
                self._count_hopeless(failure)
                faults += not failure.rate_limited
                self._count_refused(request, failure)
                alone = self._failed_alone(request, True)
                last = faults >= self._max_attempts
                self._wait(failure, attempt, deadline, alone=alone, last=last)
            else:
                self._failed_alone(request, False)
                with self._lock:
                    self._hopeless = 0
                    self._refused.pop(request.model, None)
                return replace(response, attempts=attempt)
        raise AssertionError

    def _failed_alone(self, request: Asked, failed: bool) -> bool:
        """Note how an attempt ended; tell whether most of the model's last attempts succeeded."""
        with self._lock:
            lately = self._lately.setdefault(request.model, deque(maxlen=LATELY))
            lately.append(failed)
            return sum(lately) < len(lately) / 2

    def _wait(
        self,
        failure: CallFailedError,
        attempt: int,
        deadline: Deadline,
        *,
        alone: bool,
        last: bool,
    ) -> None:
        """Wait until the next attempt; raise if there is none, as after the `last`."""
        wait = failure.retry_after
        if wait is None:
            doubled = min(attempt - 1, 1 if alone else DOUBLINGS)
            bound = min(LONGEST_WAIT_S, self._first_wait * 2**doubled)
            wait = random.uniform(0, bound)  # noqa: S311 - spreads, hides nothing
        late = wait > deadline.left
        if not failure.again or last or late:
            raise CallError(_told(failure, attempt, wait if late else None)) from failure
        reason = str(failure.args[0]).rpartition("; ")[0]
        self._notices.wait(self._name, wait, f"{reason}; asked again in {wait:.0f} s")
        if self._stop.wait(wait):
            raise StoppedError(
                "the call was waiting to be sent again when the run ended"
            ) from failure

    def _count_hopeless(self, failure: CallFailedError) -> None:
        with self._lock:
            if failure.hopeless:
                self._hopeless += 1
                self._last_hopeless = str(failure.args[0])
            elif failure.status is not None:
                self._hopeless = 0

    def _count_refused(self, request: Asked, failure: CallFailedError) -> None:
        with self._lock:
            if not failure.rate_limited:
                self._refused.pop(request.model, None)
                return
            now = time.monotonic()
            known = self._refused.get(request.model)
            since = known.since if known and known.is_recent else now
            self._refused[request.model] = _Refused(since, now, str(failure.args[0]))

    def _check_open(self, request: Asked) -> None:
        refused = self._refused.get(request.model)
        if refused and refused.seconds >= self._deadline and refused.is_recent:
            raise CallError(
                f"provider {self._name!r} is not asked for model {request.model!r} any more, "
                f"because it has answered no call for {refused.seconds:.0f} s: {refused.told}"
            )
        if self._hopeless >= HOPELESS_CALLS:
            raise CallError(
                f"provider {self._name!r} is not asked any more, because {HOPELESS_CALLS} calls "
                f"in a row failed in a way that all others would: {self._last_hopeless}"
            )


class _Refused(NamedTuple):
    """Since when and until when a model has refused all calls, and the words of the last time."""

    since: float
    last: float
    told: str

    @property
    def seconds(self) -> float:
        return self.last - self.since

    @property
    def is_recent(self) -> bool:
        return time.monotonic() - self.last < REST_S


def _told(failure: CallFailedError, attempts: int, late: float | None) -> str:
    """Return the failure's line, with the number of attempts."""
    message, _, remedy = str(failure.args[0]).rpartition("; ")
    tried = f" after {attempts} attempts" if attempts > 1 else ""
    wait = ""
    if failure.again and late is not None:
        who = "asks to wait" if failure.retry_after is not None else "the next attempt would wait"
        wait = f", and {who} {late:.0f} s, longer than the deadline"
    return f"{message}{tried}{wait}; {remedy}"

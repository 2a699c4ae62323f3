"""Entering the attempts of one call in the ledger, within the budgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from daydream.calls.ledger import Ledger
from daydream.calls.prices import Cost
from daydream.calls.spent import Reservation
from daydream.calls.stop import Stop
from daydream.errors import BudgetError, StoppedError
from daydream.llm.failures import CallFailedError
from daydream.llm.usage import Usage

# Seconds until a call that waits for room in the budget looks again.
LOOK_AGAIN = 0.25


class Meter:
    """Enters the attempts of one call; `details` say what it asks, and `most` what it can take."""

    def __init__(
        self,
        ledger: Ledger,
        stop: Stop,
        *,
        cohort: str,
        most: Reservation,
        details: Mapping[str, Any],
    ) -> None:
        self._ledger = ledger
        self._stop = stop
        self._cohort = cohort
        self._most = most
        self._details = details
        self._last = ""

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Enter an attempt that is made inside this context, and how it ended if it gave no answer.

        Raises:
            StoppedError: the budget allows no further one.
        """
        self._last = self._begin()
        try:
            yield
        except CallFailedError as failure:
            event = "fail" if not failure.sent else "reject" if failure.free else "lose"
            self._close(event, str(failure.status or type(failure.__cause__).__name__))
            raise
        except BaseException as error:
            self._close("lose", type(error).__name__)
            raise

    def end(self, usage: Usage, attempts: int, cost: Cost) -> None:
        """Enter that the last attempt was answered."""
        self._ledger.end(self._last, cohort=self._cohort, cost=cost, usage=usage, attempts=attempts)

    def _begin(self) -> str:
        while True:
            try:
                return self._ledger.begin(cohort=self._cohort, most=self._most, **self._details)
            except BudgetError as error:
                if not error.may_fit:
                    self._stop.request(error.args[0])
                    raise StoppedError(error.args[0]) from error
                # Calls in flight are charged with their most. Most of them will cost much less.
                self._stop.event.wait(LOOK_AGAIN)
                self._stop.check()

    def _close(self, event: str, reason: str) -> None:
        self._ledger.close(self._last, event, cohort=self._cohort, reason=reason)

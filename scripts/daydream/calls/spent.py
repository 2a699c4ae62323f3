"""Sums of what attempts took, and the check against budgets."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from daydream.settings import Budget


class Reservation(NamedTuple):
    """The most that an attempt can take; `usd` is None if there is no price."""

    usd: float | None
    tokens: int


@dataclass(slots=True)
class Spent:
    """The sums of attempts.

    `calls` are those that were answered, with what they took in `usd` and `tokens`, `cached` of
    which were in the provider's cache; `unpriced` of the calls have no price. `rejected` are those
    that the provider turned away, which cost nothing. `lost` were sent and not answered.
    `uncertain_usd` and `uncertain_tokens` are the most that lost attempts, and answers without a
    usage, can have taken. `open` are the attempts that have begun and not ended, by name. `again`
    are the attempts at what a run had asked before.
    """

    calls: int = 0
    usd: float = 0.0
    tokens: int = 0
    cached: int = 0
    unpriced: int = 0
    rejected: int = 0
    lost: int = 0
    uncertain_usd: float = 0.0
    uncertain_tokens: int = 0
    open: dict[str, Reservation] = field(default_factory=dict)
    again: int = 0

    def begin(self, call: str, reservation: Reservation) -> None:
        """Count an attempt that has begun."""
        self.open[call] = reservation

    def end(self, call: str, usd: float | None, tokens: int | None, cached: int = 0) -> None:
        """Count an attempt that was answered; None stands for what is not known."""
        reservation = self.open.pop(call, Reservation(None, 0))
        self.calls += 1
        self.cached += cached
        if tokens is None:
            self.uncertain_tokens += reservation.tokens
        else:
            self.tokens += tokens
        if usd is not None:
            self.usd += usd
        elif reservation.usd is not None:
            self.uncertain_usd += reservation.usd
        else:
            self.unpriced += 1

    def reject(self, call: str) -> None:
        """Count an attempt that was turned away."""
        self.open.pop(call, None)
        self.rejected += 1

    def lose(self, call: str) -> None:
        """Count an attempt that was sent, and whose answer never came."""
        reservation = self.open.pop(call, Reservation(None, 0))
        self.lost += 1
        self.uncertain_usd += reservation.usd or 0.0
        self.uncertain_tokens += reservation.tokens

    def forget(self, call: str) -> None:
        """Do not count an attempt that was never sent."""
        self.open.pop(call, None)

    @property
    def attempts(self) -> int:
        """All attempts that may have reached a provider."""
        return self.calls + self.rejected + self.lost + len(self.open)

    @property
    def most_usd(self) -> float:
        """The most that all attempts can have cost, as far as there are prices."""
        open_usd = sum(reservation.usd or 0.0 for reservation in self.open.values())
        return self.usd + self.uncertain_usd + open_usd

    @property
    def most_tokens(self) -> int:
        """The most tokens that all attempts can have taken."""
        open_tokens = sum(reservation.tokens for reservation in self.open.values())
        return self.tokens + self.uncertain_tokens + open_tokens

    def exceeded(
        self, budget: Budget, wanted: Reservation, *, without: Collection[Reservation] = ()
    ) -> str:
        """Return the limit that one more attempt could break; empty if there is none.

        The attempts `without`, which are open, count as if they were to cost nothing.
        """
        freed_usd = sum(each.usd or 0.0 for each in without)
        freed_tokens = sum(each.tokens for each in without)
        if budget.calls is not None and self.attempts + 1 > budget.calls:
            return f"{budget.calls} calls"
        if budget.usd is not None and (
            self.most_usd - freed_usd + (wanted.usd or 0.0) > budget.usd
        ):
            return f"{budget.usd:g} USD"
        if budget.tokens is not None and (
            self.most_tokens - freed_tokens + wanted.tokens > budget.tokens
        ):
            return f"{budget.tokens} tokens"
        return ""

    def __bool__(self) -> bool:
        """Tell whether there was any attempt."""
        return self.attempts > 0

    def __str__(self) -> str:
        calls = "1 call" if self.calls == 1 else f"{self.calls:,} calls"
        cached = f" ({self.cached:,} from the provider's cache)" if self.cached else ""
        text = f"{calls}, {self.tokens:,} tokens{cached}, {self.usd:.4f} USD"
        if self.calls and self.unpriced == self.calls:
            text = f"{calls}, {self.tokens:,} tokens{cached}, price unknown"
        elif self.unpriced:
            text += f" (and {self.unpriced:,} calls without a price)"
        unanswered = self.attempts - self.calls
        if unanswered:
            text += f", and {unanswered:,} attempt{'s' * (unanswered > 1)} without an answer"
        if self.most_usd > self.usd:
            text += f"; at most {self.most_usd:.4f} USD, with what no provider has told"
        return text

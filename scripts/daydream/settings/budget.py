"""Spending limits: of one run, and of each cohort over all runs."""

from __future__ import annotations

from pydantic import Field

from daydream.settings.fields import NumberFrom0, Section, WholeFrom0


class Budget(Section):
    """Spending limits. A limit that is not set does not apply."""

    usd: NumberFrom0 | None = Field(
        default=None,
        description="US dollars. Needs `max_tokens`, and a price for each model "
        "([below](#prices)).",
    )
    calls: WholeFrom0 | None = Field(default=None, description="Number of requests that are sent.")
    tokens: WholeFrom0 | None = Field(
        default=None,
        description="Number of tokens, prompts and answers together. Needs `max_tokens`.",
    )

    def __bool__(self) -> bool:
        """Tell whether any limit is set."""
        return (self.usd, self.calls, self.tokens) != (None, None, None)


class RunBudget(Budget):
    """The budget of one run; `cohort` is the budget of each cohort."""

    cohort: Budget = Field(
        default_factory=Budget,
        description="The same three limits for each cohort, over all runs.",
    )

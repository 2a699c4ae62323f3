"""The most that may be spent: in one run, and for each cohort over all runs."""

from __future__ import annotations

from pydantic import Field

from daydream.settings.fields import NumberFrom0, Section, WholeFrom0


class Budget(Section):
    """The most that may be spent; without a limit there is none."""

    usd: NumberFrom0 | None = Field(
        default=None,
        description="US dollars; needs `usd_per_mtok_in` and `usd_per_mtok_out` in "
        "`llm_models.csv`.",
    )
    calls: WholeFrom0 | None = Field(default=None, description="Calls.")
    tokens: WholeFrom0 | None = Field(
        default=None, description="Tokens, of prompts and answers together."
    )

    def __bool__(self) -> bool:
        """Tell whether there is any limit."""
        return (self.usd, self.calls, self.tokens) != (None, None, None)


class RunBudget(Budget):
    """The budget of one run; `cohort` is that of each cohort."""

    cohort: Budget = Field(
        default_factory=Budget,
        description="The same three, of each cohort over all runs.",
    )

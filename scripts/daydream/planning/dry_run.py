"""What a dry run reports: how much of the experiment exists, and what the rest may cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from daydream.experiment.provenance import Account
from daydream.generations.row import Generation
from daydream.text import table


class Forecast(Protocol):
    """What a run would ask for the generations of one stage and model: a row of the plan."""

    @property
    def stage(self) -> str:
        """The stage."""

    @property
    def calls_at_most(self) -> int:
        """How many answers are asked for, if all parents' answers are new and many are refused."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of their prompts."""

    @property
    def completion_tokens(self) -> int:
        """Tokens of their answers."""

    @property
    def usd(self) -> float | None:
        """Their price, or None if it is not known."""


def dry_run_summary(
    rows: Mapping[str, Generation],
    accounts: Mapping[str, Account],
    forecasts: Iterable[Forecast] | None = None,
) -> str:
    """Return a table by stage: generations, complete, to do, and what those may cost at most.

    `forecasts` are the rows of `planning.plan.plan`. Without them, calls are not mentioned.
    """
    if not rows:
        return ""
    header = ["", "generations", "complete", "to do"]
    planned = None if forecasts is None else list(forecasts)
    if planned is not None:
        header += ["calls at most", "tokens in", "tokens out", "USD"]
    stages = list(dict.fromkeys(row.stage for row in rows.values()))
    lines = [
        _line(
            stage,
            [gen_id for gen_id, row in rows.items() if row.stage == stage],
            accounts,
            None if planned is None else [part for part in planned if part.stage == stage],
        )
        for stage in stages
    ]
    if len(stages) > 1:
        lines.append(_line("all", list(rows), accounts, planned))
    text = table([header, *lines])
    if planned is not None and _usd(planned).endswith("?"):
        text += "\n?: no usd_per_mtok_in and usd_per_mtok_out in llm_models.csv"
    return text


def _line(
    name: str,
    gen_ids: list[str],
    accounts: Mapping[str, Account],
    forecasts: list[Forecast] | None,
) -> list[str]:
    complete = sum(gen_id in accounts and accounts[gen_id].complete for gen_id in gen_ids)
    counts = [len(gen_ids), complete, len(gen_ids) - complete]
    if forecasts is None:
        return [name, *(f"{count:,}" for count in counts)]
    counts += [
        sum(part.calls_at_most for part in forecasts),
        sum(part.prompt_tokens for part in forecasts),
        sum(part.completion_tokens for part in forecasts),
    ]
    return [name, *(f"{count:,}" for count in counts), _usd(forecasts)]


def _usd(forecasts: list[Forecast]) -> str:
    """Return a price, with a question mark for what is not known."""
    known = [part.usd for part in forecasts if part.usd is not None]
    if len(known) == len(forecasts):
        return f"{sum(known):.4f}"
    return f"{sum(known):.4f} + ?" if any(known) else "?"

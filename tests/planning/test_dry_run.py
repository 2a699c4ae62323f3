"""What a dry run tells of the experiment as a whole."""

from __future__ import annotations

from daydream.experiment.provenance import Account, State
from daydream.generations.row import Generation
from daydream.planning.dry_run import dry_run_summary
from daydream.planning.plan import Row

CURRENT, MISSING = State("current"), State("missing")
COMPLETE = Account(CURRENT, CURRENT, CURRENT)
TO_DO = Account(CURRENT, MISSING, MISSING)


def rows(*counts: tuple[str, int]) -> dict[str, Generation]:
    return {
        f"{stage}_{number}": Generation(
            stage, f"{stage}_{number}", "c1", "", "pair", "t", "m1", "1", (), ""
        )
        for stage, count in counts
        for number in range(count)
    }


def planned(stage: str, *, call: int, waiting: int, usd: float | None) -> Row:
    tokens = (1000 * call, 100 * call)
    states = (0, 0, 0, call, 0, waiting, 0, 0, 0, call + waiting)
    return Row(stage, "m1", *states, *tokens, usd, usd, None, "")


def test_by_stage_with_calls_and_prices() -> None:
    """Several models of a stage are one row."""
    made = rows(("draft", 2), ("essay", 1200))
    accounts = {gen_id: COMPLETE if gen_id.startswith("draft") else TO_DO for gen_id in made}
    forecasts = [
        planned("draft", call=0, waiting=0, usd=0.0),
        planned("essay", call=1000, waiting=100, usd=1.5),
        planned("essay", call=100, waiting=0, usd=0.25),
    ]
    assert dry_run_summary(made, accounts, forecasts) == (
        "       generations  complete  to do  calls at most  tokens in  tokens out     USD\n"
        "draft            2         2      0              0          0           0  0.0000\n"
        "essay        1,200         0  1,200          1,200  1,100,000     110,000  1.7500\n"
        "all          1,202         2  1,200          1,200  1,100,000     110,000  1.7500"
    )


def test_a_price_that_is_not_known() -> None:
    """It is a question mark, which is explained; a part of it is told."""
    made = rows(("draft", 2))
    text = dry_run_summary(made, {}, [planned("draft", call=2, waiting=0, usd=None)])
    assert text.splitlines() == [
        "       generations  complete  to do  calls at most  tokens in  tokens out  USD",
        "draft            2         0      2              2      2,000         200    ?",
        "?: no usd_per_mtok_in and usd_per_mtok_out in llm_models.csv",
    ]
    parts = [planned("draft", call=1, waiting=0, usd=usd) for usd in (None, 0.5)]
    assert "0.5000 + ?" in dry_run_summary(made, {}, parts)


def test_without_a_forecast_nothing_is_said_of_calls() -> None:
    """Nor is anything said of no generation."""
    made = rows(("draft", 2))
    assert dry_run_summary(made, dict.fromkeys(made, COMPLETE)) == (
        "       generations  complete  to do\ndraft            2         2      0"
    )
    assert dry_run_summary({}, {}) == ""

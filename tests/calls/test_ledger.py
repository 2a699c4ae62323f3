"""The ledger and the budget: what is spent is entered, and never more than was allowed."""

from __future__ import annotations

import json
import multiprocessing
import threading
from pathlib import Path

import pytest

from daydream.calls.ledger import Ledger
from daydream.errors import BudgetError
from daydream.settings import Budget

USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


def ledger(path: Path, *, run: str = "r", budget: Budget | None = None) -> Ledger:
    return Ledger(path, run=run, budget=budget or Budget(), cohort_budget=Budget(calls=1000))


def begin(book: Ledger, **given: object) -> str:
    details = {"cohort": "c", "usd": 0.5, "tokens": 100, "model": "m", **given}
    return book.begin(**details)  # type: ignore[arg-type]


def test_a_call_counts_with_its_most_until_it_ends(tmp_path: Path) -> None:
    """So that calls in flight cannot break the budget together."""
    book = ledger(tmp_path / "l", budget=Budget(usd=1.2, tokens=1000))
    first = begin(book)
    second = begin(book)
    with pytest.raises(BudgetError, match=r"this run, 1\.2 USD, allows no further call"):
        begin(book)
    book.end(first, cohort="c", usd=0.1, usage=USAGE, attempts=1)
    book.fail(second, cohort="c", reason="CallError")
    begin(book)
    assert (book.spent().calls, book.spent().usd, book.spent().tokens) == (1, 0.1, 15)


def test_a_model_without_a_price_cannot_keep_a_budget_in_usd(tmp_path: Path) -> None:
    """It is refused, not counted as free."""
    with pytest.raises(BudgetError, match="model 'm' has no usd_per_mtok_in"):
        begin(ledger(tmp_path / "l", budget=Budget(usd=1)), usd=None)


def test_a_run_of_another_time_counts_for_the_cohort_alone(tmp_path: Path) -> None:
    """And a call whose process died counts for good."""
    old = ledger(tmp_path / "l", run="old")
    begin(old)
    old.end(begin(old), cohort="c", usd=0.1, usage=USAGE, attempts=1)
    new = Ledger(tmp_path / "l", run="new", budget=Budget(calls=1), cohort_budget=Budget(calls=3))
    assert new.spent().calls == 0
    assert (new.spent("c").calls, len(new.spent("c").open)) == (1, 1)
    new.end(begin(new), cohort="c", usd=0.1, usage=USAGE, attempts=1)
    again = Ledger(tmp_path / "l", run="again", budget=Budget(), cohort_budget=Budget(calls=3))
    with pytest.raises(BudgetError, match="cohort 'c', 3 calls"):
        begin(again)


def test_a_line_that_a_crash_has_cut_is_left_behind(tmp_path: Path) -> None:
    """What follows begins on a line of its own."""
    path = tmp_path / "l"
    book = ledger(path)
    book.end(begin(book), cohort="c", usd=0.1, usage=USAGE, attempts=1)
    with path.open("a") as file:
        file.write('{"event": "beg')
    other = ledger(path)
    other.end(begin(other), cohort="c", usd=0.1, usage=USAGE, attempts=1)
    assert other.spent().calls == 2
    assert path.read_text().count("\n") == 5


def spend(path: str, name: str) -> None:
    """Make as many calls as the budget of the run allows, in four threads."""
    book = ledger(Path(path), budget=Budget(calls=200))

    def work() -> None:
        while True:
            try:
                call = begin(book)
            except BudgetError:
                return
            book.end(call, cohort=name, usd=0.0, usage=USAGE, attempts=1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_processes_and_threads_share_one_budget(tmp_path: Path) -> None:
    """Three processes with four threads each make 200 calls together."""
    context = multiprocessing.get_context("spawn")
    path = tmp_path / "ledger"
    processes = [context.Process(target=spend, args=(str(path), "c")) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sum(line["event"] == "begin" for line in lines) == 200
    assert len({line["call"] for line in lines}) == 200
    assert ledger(path).spent().calls == 200

"""The ledger and the budget: what is spent is entered, and never more than was allowed."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
from pathlib import Path

import pytest

from daydream.calls.ledger import Ledger
from daydream.calls.prices import Cost
from daydream.calls.spent import Reservation
from daydream.errors import BudgetError, StoreError
from daydream.llm.usage import Usage
from daydream.settings import Budget

USAGE = Usage(prompt=10, completion=5)
COST = Cost(0.1, "llm_models.csv")


def ledger(path: Path, *, run: str = "r", budget: Budget | None = None) -> Ledger:
    return Ledger(path, run=run, budget=budget or Budget(), cohort_budget=Budget(calls=1000))


def begin(book: Ledger, *, usd: float | None = 0.5, cohort: str = "c") -> str:
    return book.begin(cohort=cohort, most=Reservation(usd, 100), model="m")


def end(book: Ledger, call: str, *, cost: Cost = COST, usage: Usage = USAGE) -> None:
    book.end(call, cohort="c", cost=cost, usage=usage, attempts=1)


def test_an_attempt_counts_with_its_most_until_it_ends(tmp_path: Path) -> None:
    """So that calls in flight cannot break the budget together."""
    book = ledger(tmp_path / "l", budget=Budget(usd=1.2, tokens=1000))
    first = begin(book)
    second = begin(book)
    with pytest.raises(BudgetError, match=r"this run, 1\.2 USD, allows no further call"):
        begin(book)
    end(book, first)
    book.close(second, "fail", cohort="c", reason="ConnectError")
    begin(book)
    assert (book.spent().calls, book.spent().usd, book.spent().tokens) == (1, 0.1, 15)


@pytest.mark.parametrize(
    ("event", "usd", "tokens", "attempts"),
    [("fail", 0, 0, 0), ("reject", 0, 0, 1), ("lose", 0.5, 100, 1)],
)
def test_what_stays_charged_of_an_attempt_without_an_answer(
    tmp_path: Path, event: str, usd: float, tokens: int, attempts: int
) -> None:
    """Nothing if it was never sent or was turned away; else all that it can have taken."""
    book = ledger(tmp_path / "l")
    book.close(begin(book), event, cohort="c", reason="500")
    for spent in (book.spent(), ledger(tmp_path / "l").spent()):
        assert (spent.most_usd, spent.most_tokens, spent.attempts) == (usd, tokens, attempts)
        assert (spent.calls, spent.usd) == (0, 0)


def test_an_answer_that_does_not_tell_what_it_took_stays_charged(tmp_path: Path) -> None:
    book = ledger(tmp_path / "l", budget=Budget(usd=1.2))
    end(book, begin(book), cost=Cost(), usage=Usage())
    end(book, begin(book), cost=Cost(), usage=Usage())
    assert (book.spent().most_usd, book.spent().most_tokens) == (1.0, 200)
    assert (book.spent().usd, book.spent().tokens, book.spent().calls) == (0, 0, 2)
    with pytest.raises(BudgetError):
        begin(book)
    assert "at most 1.0000 USD, with what no provider has told" in str(book.spent())


def test_attempts_count_for_a_budget_of_calls(tmp_path: Path) -> None:
    """However they end, but for those that were never sent."""
    book = ledger(tmp_path / "l", budget=Budget(calls=3))
    for event in ("fail", "fail", "reject", "lose"):
        book.close(begin(book), event, cohort="c", reason="x")
    end(book, begin(book))
    with pytest.raises(BudgetError, match="3 calls"):
        begin(book)


def test_what_is_asked_again(tmp_path: Path) -> None:
    """Only what a run has asked before, not each attempt that failed; also of other processes."""
    path = tmp_path / "ledger.jsonl"
    book = ledger(path)
    for number, event in enumerate(("reject", "lose")):
        call = book.begin(
            cohort="c", most=Reservation(0.5, 100), gen_id=f"d_{number}", request_sha256="a"
        )
        book.close(call, event, cohort="c", reason="expired")
    assert book.spent().again == 0
    ledger(path).begin(cohort="c", most=Reservation(0.5, 100), gen_id="d_1", request_sha256="a")
    assert book.spent().again == 1
    other = ledger(path, run="other")
    other.begin(cohort="c", most=Reservation(0.5, 100), gen_id="d_1", request_sha256="a")
    assert other.spent().again == 0


def test_a_model_without_a_price_cannot_keep_a_budget_in_usd(tmp_path: Path) -> None:
    """It is refused, not counted as free."""
    with pytest.raises(BudgetError, match="model 'm' has no price"):
        begin(ledger(tmp_path / "l", budget=Budget(usd=1)), usd=None)


def test_a_run_of_another_time_counts_for_the_cohort_alone(tmp_path: Path) -> None:
    """And an attempt whose process died counts for good."""
    old = ledger(tmp_path / "l", run="old")
    begin(old)
    end(old, begin(old))
    new = Ledger(tmp_path / "l", run="new", budget=Budget(calls=1), cohort_budget=Budget(calls=3))
    assert new.spent().calls == 0
    assert (new.spent("c").calls, len(new.spent("c").open)) == (1, 1)
    end(new, begin(new))
    again = Ledger(tmp_path / "l", run="again", budget=Budget(), cohort_budget=Budget(calls=3))
    with pytest.raises(BudgetError, match="cohort 'c', 3 calls"):
        begin(again)


# A ledger that is not as it was written


def test_a_line_that_a_crash_has_cut_is_left_behind(tmp_path: Path) -> None:
    """What follows begins on a line of its own."""
    path = tmp_path / "l"
    book = ledger(path)
    end(book, begin(book))
    with path.open("a") as file:
        file.write('{"event": "beg')
    other = ledger(path)
    end(other, begin(other))
    assert other.spent().calls == 2
    assert path.read_text().count("\n") == 5


STRANGE = [
    b"7",
    b"[]",
    b"null",
    b'"text"',
    b"{}",
    b'{"event": "begin"}',
    b'{"event": "begin", "call": 1, "run": "r", "cohort": "c", "usd": 1, "tokens": 1}',
    b'{"event": "begin", "call": "x", "run": {}, "cohort": "c", "usd": 1, "tokens": 1}',
    b'{"event": "another", "call": "x", "run": "r", "cohort": "c"}',
    b"\xff\xfe",
    b"[" * 100_000,
]


@pytest.mark.parametrize("line", STRANGE, ids=lambda line: repr(line[:40]))
def test_a_line_that_is_not_an_entry(
    tmp_path: Path, line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is named once, and what stands after it counts."""
    path = tmp_path / "l"
    first = ledger(path)
    end(first, begin(first))
    path.write_bytes(path.read_bytes() + line + b"\n")
    end(first, begin(first))
    book = ledger(path)
    assert book.spent().calls == 2
    assert book.spent().calls == 2
    told = capfd.readouterr().err.splitlines()
    assert (
        told
        == [f"{path}, line 3: is not an entry of the ledger; it is left alone, and counts nothing"]
        * 2
    )


DAMAGED = [
    b'{"event": "begin", "call": "x", "run": "r", "cohort": "c", "usd": "1", "tokens": 1}',
    b'{"event": "begin", "call": "x", "run": "r", "cohort": "c", "usd": 1, "tokens": -5}',
    b'{"event": "begin", "call": "x", "run": "r", "cohort": "c", "us',
    b'{"event": "begin", "call": "x", "time": "t", "run": "r", "coh',
    b'{"event": "begin", "call": "x", "run": "r", "cohort": "c", "model": "\xff", "tokens": 1}',
]


@pytest.mark.parametrize("line", DAMAGED, ids=lambda line: repr(line[40:]))
def test_a_damaged_beginning_counts_as_one_call(
    tmp_path: Path, line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """It may have been sent: a budget of calls is not broken by it."""
    path = tmp_path / "l"
    first = ledger(path)
    end(first, begin(first))
    path.write_bytes(path.read_bytes() + line + b"\n")
    book = ledger(path, budget=Budget(calls=3))
    end(book, begin(book))
    with pytest.raises(BudgetError, match="this run, 3 calls"):
        begin(book)
    found = "is a damaged entry of a call; it is left alone, and counts as one call"
    assert capfd.readouterr().err.splitlines() == [f"{path}, line 3: {found}"]


def test_an_entry_that_the_disk_cut_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process enters after it stands on a line of its own."""
    path = tmp_path / "l"
    book = ledger(path)
    call, write = begin(book), os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:90]))
    with pytest.raises(StoreError):
        begin(book)
    monkeypatch.undo()
    end(book, call)
    assert ledger(path).spent().calls == 1
    assert book.spent().attempts == 2


@pytest.mark.parametrize("value", ['"10"', '{"a": 1}', "NaN", "-5", "true", "1e400"])
def test_an_end_with_poisoned_numbers_counts_as_its_reservation(tmp_path: Path, value: str) -> None:
    """As earlier versions wrote them into the ledger."""
    path = tmp_path / "l"
    book = ledger(path)
    call = begin(book)
    entry = '{"event": "end", "call": %s, "run": "r", "cohort": "c", "tokens": %s, "usd": %s}\n'
    with path.open("a") as file:
        file.write(entry % (json.dumps(call), value, value))
    spent = ledger(path).spent()
    assert (spent.calls, spent.most_usd, spent.most_tokens) == (1, 0.5, 100)


@pytest.mark.parametrize("how", ["cut", "deleted", "replaced by a copy"])
def test_a_ledger_that_changes_while_a_run_goes_on(
    tmp_path: Path, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the run has spent stays spent, once; and the run goes on."""
    path = tmp_path / "l"
    book = ledger(path, budget=Budget(calls=3))
    end(book, begin(book))
    if how == "cut":
        os.truncate(path, 30)
    elif how == "deleted":
        path.unlink()
    else:
        shutil.copy(path, tmp_path / "copy")
        (tmp_path / "copy").replace(path)
    end(book, begin(book))
    assert book.spent().calls == 2
    begin(book)
    with pytest.raises(BudgetError):
        begin(book)
    assert ("was cut while this run was going on" in capfd.readouterr().err) == (how == "cut")
    assert path.read_text().splitlines()[-1].startswith('{"event": "begin"')


def test_a_ledger_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "l").mkdir()
    with pytest.raises(StoreError, match=r"cannot be written \(Is a directory\); fix that"):
        begin(ledger(tmp_path / "l"))


def spend(path: str, name: str) -> None:
    """Make as many calls as the budget of the run allows, in four threads."""
    book = ledger(Path(path), budget=Budget(calls=200))

    def work() -> None:
        while True:
            try:
                call = begin(book)
            except BudgetError:
                return
            book.end(call, cohort=name, cost=Cost(0.0, ""), usage=USAGE, attempts=1)

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

"""The ledger of what was spent, `data/ledger.jsonl`, and the budgets that it enforces.

All runs and processes append one line when an attempt begins and one when it ends
(`daydream.calls.entries`). From its beginning, an attempt counts with the most that it can take,
until its answer says what it took. So calls in flight cannot break a budget together. An attempt
whose answer never came, or whose process died, may have been paid for, and keeps its maximum. Each
entry is made under a lock of the file, after reading the entries of other processes. So the sums
are those of all processes.

A line that is not an entry is reported once and left alone. If it clearly was the beginning of an
attempt, it counts as one call. If the ledger is cut or replaced during a run, what the run has read
before still counts.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from daydream.calls.entries import Entry, damaged_begin, entry_of, parse_entry
from daydream.calls.prices import Cost
from daydream.calls.spent import Reservation, Spent
from daydream.errors import BudgetError
from daydream.files import cannot_be_written, open_file
from daydream.llm.usage import Usage
from daydream.settings import Budget

LEDGER = Path("data/ledger.jsonl")
# At most so many lines that are not entries are reported one by one.
NAMED = 5
# Numbers the attempts of this process, so that no two have the same name.
_NUMBERS = count(1)


class Ledger:
    """The ledger as one run sees it; threads and processes may share it."""

    def __init__(self, path: Path, *, run: str, budget: Budget, cohort_budget: Budget) -> None:
        self._path = path
        self._run = run
        self._budget = budget
        self._cohort_budget = cohort_budget
        self._lock = threading.Lock()
        self._file: int | None = None
        self._offset = 0
        self._lines = 0
        self._known: set[int] = set()
        # What each run has asked so far, to tell what it asks again.
        self._asked: set[int] = set()
        # The attempts of this process that are in flight, by name.
        self._own: dict[str, Reservation] = {}
        self._runs: dict[str, Spent] = {}
        self._cohorts: dict[str, Spent] = {}

    def begin(self, *, cohort: str, most: Reservation, call: str = "", **details: object) -> str:
        """Enter an attempt that is about to be sent, and return its name.

        One in a batch has a name of its own, `call`, so that a run that goes on after a crash does
        not enter it twice.

        Raises:
            BudgetError: it could break a budget, or there is a budget in USD and no price. It says
                if attempts of this process that are in flight may yet leave room (`may_fit`).
            StoreError: the ledger cannot be written.
        """
        if most.usd is None and (self._budget.usd, self._cohort_budget.usd) != (None, None):
            raise BudgetError(
                f"model {details.get('model')!r} has no price, so that no budget in USD can be "
                f"kept; add usd_per_mtok_in and usd_per_mtok_out to llm_models.csv"
            )
        with self._entry() as file:
            if call and self._knows("begin", call):
                return call
            for spent, budget, whose in (
                (self._of(self._runs, self._run), self._budget, "this run"),
                (self._of(self._cohorts, cohort), self._cohort_budget, f"cohort {cohort!r}"),
            ):
                limit = spent.exceeded(budget, most)
                if limit:
                    own = list(self._own.values())
                    raise BudgetError(
                        f"the budget of {whose}, {limit}, allows no further call",
                        may_fit=bool(own) and not spent.exceeded(budget, most, without=own),
                    )
            name = call or f"{self._run}-{os.getpid()}-{next(_NUMBERS)}"
            head = self._head("begin", name, cohort)
            self._append(file, {**head, **details, "tokens": most.tokens, "usd": most.usd})
            if not call:
                # What is in a batch leaves no room for hours: nothing waits for it.
                self._own[name] = most
            return name

    def end(
        self, call: str, *, cohort: str, cost: Cost, usage: Usage, attempts: int, run: str = ""
    ) -> None:
        """Enter once that an attempt was answered; it is on disk when this returns.

        `run` is the run that began it, if that is another one.
        """
        entry = {
            **self._head("end", call, cohort, run),
            "attempts": attempts,
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write,
            "reasoning_tokens": usage.reasoning,
            "tokens": usage.tokens,
            "usd": cost.usd,
            "price_source": cost.source,
        }
        with self._entry() as file:
            self._own.pop(call, None)
            if self._is_over(call):
                return
            self._append(file, entry)
        try:
            # Outside the lock, so that others can enter meanwhile.
            os.fsync(file)
        except OSError as error:
            raise cannot_be_written(self._path, error) from error

    def close(self, call: str, event: str, *, cohort: str, reason: str, run: str = "") -> None:
        """Enter once that an attempt was not answered: ``reject``, ``lose`` or ``fail``."""
        with self._entry() as file:
            self._own.pop(call, None)
            if not self._is_over(call):
                self._append(file, {**self._head(event, call, cohort, run), "reason": reason})

    def spent(self, cohort: str | None = None) -> Spent:
        """Return what this run has spent, or all runs for a cohort."""
        if not self._path.exists():
            return Spent()
        with self._entry():
            if cohort is None:
                return self._of(self._runs, self._run)
            return self._of(self._cohorts, cohort)

    def _head(self, event: str, call: str, cohort: str, run: str = "") -> dict[str, object]:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        whose = run or self._run
        return {"event": event, "call": call, "time": now, "run": whose, "cohort": cohort}

    def _knows(self, event: str, call: str) -> bool:
        return hash((event, call)) in self._known

    def _is_over(self, call: str) -> bool:
        """Tell whether the end of an attempt is entered already, as only one in a batch can be."""
        return any(self._knows(event, call) for event in ("end", "reject", "lose", "fail"))

    @staticmethod
    def _of(table: dict[str, Spent], name: str) -> Spent:
        return table.setdefault(name, Spent())

    def _descriptor(self) -> int:
        if self._file is not None and not self._is_there(self._file):
            # It was deleted or replaced: the new file is read from its beginning.
            os.close(self._file)
            self._file, self._offset, self._lines = None, 0, 0
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open_file(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        return self._file

    def _is_there(self, file: int) -> bool:
        """Tell whether the open file is still the one of that name."""
        try:
            named, own = self._path.stat(), os.fstat(file)
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)

    @contextmanager
    def _entry(self) -> Iterator[int]:
        """Lock the ledger and read all entries of others; yield the open file."""
        try:
            with self._lock:
                file = self._descriptor()
                fcntl.flock(file, fcntl.LOCK_EX)
                try:
                    self._catch_up(file)
                    yield file
                finally:
                    fcntl.flock(file, fcntl.LOCK_UN)
        except OSError as error:
            raise cannot_be_written(self._path, error) from error

    def _catch_up(self, file: int) -> None:
        size = os.fstat(file).st_size
        if size == self._offset:
            return
        if size < self._offset:
            found = "was cut while this run was going on, and what it said still counts"
            self._notice(f"{self._path}: {found}; restore it from a copy, if there is one")
            self._offset = size
            return
        data = os.pread(file, size - self._offset, self._offset)
        if not data.endswith(b"\n"):
            # A crash of the machine or a full disk has cut an entry. It stays as it is.
            os.write(file, b"\n")
            data += b"\n"
        self._offset += len(data)
        strange: list[int] = []
        damaged: list[int] = []
        for line in data.split(b"\n")[:-1]:
            self._lines += 1
            entry = parse_entry(line)
            if entry is not None:
                self._count(entry)
            elif (begun := damaged_begin(line)) is not None:
                self._count(begun)
                damaged.append(self._lines)
            elif line.strip():
                strange.append(self._lines)
        self._name(strange, "is not an entry of the ledger; it is left alone, and counts nothing")
        self._name(
            damaged, "is a damaged entry of a call; it is left alone, and counts as one call"
        )

    def _name(self, lines: list[int], found: str) -> None:
        if not lines:
            return
        more = len(lines) - NAMED
        numbers = ", ".join(map(str, lines[:NAMED])) + (f" and {more:,} more" if more > 0 else "")
        self._notice(f"{self._path}, line {numbers}: {found}")

    @staticmethod
    def _notice(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def _append(self, file: int, value: Mapping[str, Any]) -> None:
        line = json.dumps(value, ensure_ascii=False).encode() + b"\n"
        # Counted first: even if writing fails, the attempt may have been paid for.
        entry = entry_of(value)
        if entry is not None:
            self._count(entry)
        written = os.write(file, line)
        if written < len(line):
            # The next entry reads what there is of it, and leaves it on a line of its own.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._offset += written
        self._lines += 1

    def _count(self, entry: Entry) -> None:
        # If the file was replaced by a copy, lines that are known are read again.
        key = hash((entry.event, entry.call))
        if key in self._known:
            return
        self._known.add(key)
        run = self._of(self._runs, entry.run)
        entry.count(run)
        if entry.request:
            asked = hash((entry.run, entry.request))
            run.again += asked in self._asked
            self._asked.add(asked)
        entry.count(self._of(self._cohorts, entry.cohort))

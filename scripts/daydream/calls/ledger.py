"""The ledger: what was spent, `data/ledger.jsonl`, and the budget that is kept by it.

One line when a call begins and one when it ends, of all runs and processes, only ever appended:

    {"event": "begin", "call", "time", "run", "cohort", "stage", "gen_id", "request_sha256",
     "provider", "model", "tokens", "usd"}     tokens and usd: the most that the call can take
    {"event": "end", "call", "time", "run", "cohort", "attempts", "prompt_tokens",
     "completion_tokens", "tokens", "usd"}     what the provider counted
    {"event": "fail", "call", "time", "run", "cohort", "reason"}     no answer, nothing to pay

A call that has begun counts with its most until it ends, so that calls in flight cannot break a
budget together; one whose process died counts so for good, as it may have been paid. Each entry
is made under a lock of the file, after reading what others have added: the sums are those of all
processes.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from daydream.errors import BudgetError, StoreError
from daydream.settings import Budget

LEDGER = Path("data/ledger.jsonl")


@dataclass(slots=True)
class Spent:
    """What calls took: those that ended, and the most that those can take that have not."""

    calls: int = 0
    usd: float = 0.0
    tokens: int = 0
    unpriced: int = 0
    open: dict[str, tuple[float, int]] = field(default_factory=dict)

    def begin(self, call: str, usd: float | None, tokens: int) -> None:
        """Count a call that has begun."""
        self.open[call] = (usd or 0.0, tokens)

    def end(self, call: str, usd: float | None, tokens: int) -> None:
        """Count a call that was answered."""
        self.open.pop(call, None)
        self.calls += 1
        self.usd += usd or 0.0
        self.tokens += tokens
        self.unpriced += usd is None

    def fail(self, call: str) -> None:
        """Forget a call that was not answered."""
        self.open.pop(call, None)

    def exceeded(self, budget: Budget, usd: float | None, tokens: int) -> str:
        """Return which limit one more call could break; empty if none."""
        if budget.calls is not None and self.calls + len(self.open) + 1 > budget.calls:
            return f"{budget.calls} calls"
        open_usd = sum(entry[0] for entry in self.open.values())
        if budget.usd is not None and self.usd + open_usd + (usd or 0.0) > budget.usd:
            return f"{budget.usd:g} USD"
        open_tokens = sum(entry[1] for entry in self.open.values())
        if budget.tokens is not None and self.tokens + open_tokens + tokens > budget.tokens:
            return f"{budget.tokens} tokens"
        return ""

    def __str__(self) -> str:
        calls = "1 call" if self.calls == 1 else f"{self.calls:,} calls"
        text = f"{calls}, {self.tokens:,} tokens, {self.usd:.4f} USD"
        if self.calls and self.unpriced == self.calls:
            text = f"{calls}, {self.tokens:,} tokens, price unknown"
        elif self.unpriced:
            text += f" (and {self.unpriced:,} calls without a price)"
        if self.open:
            usd = sum(entry[0] for entry in self.open.values())
            text += f", and up to {usd:.4f} USD in {len(self.open):,} calls that did not end"
        return text


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
        self._runs: dict[str, Spent] = {}
        self._cohorts: dict[str, Spent] = {}
        self._numbers = count(1)

    def begin(self, *, cohort: str, usd: float | None, tokens: int, **details: object) -> str:
        """Enter a call that is about to be made, and return its name.

        Raises:
            BudgetError: it could break a budget; or a budget in USD is to be kept, and there is no
                price.
            StoreError: the ledger cannot be written.
        """
        if usd is None and (self._budget.usd is not None or self._cohort_budget.usd is not None):
            raise BudgetError(
                f"model {details.get('model')!r} has no usd_per_mtok_in and _out in "
                f"llm_models.csv, so that no budget in USD can be kept; add them"
            )
        with self._entry():
            for spent, budget, whose in (
                (self._of(self._runs, self._run), self._budget, "this run"),
                (self._of(self._cohorts, cohort), self._cohort_budget, f"cohort {cohort!r}"),
            ):
                limit = spent.exceeded(budget, usd, tokens)
                if limit:
                    raise BudgetError(f"the budget of {whose}, {limit}, allows no further call")
            call = f"{self._run}-{os.getpid()}-{next(self._numbers)}"
            entry = {**self._head("begin", call, cohort), **details, "tokens": tokens, "usd": usd}
            self._append(entry)
            return call

    def end(
        self, call: str, *, cohort: str, usd: float | None, usage: Mapping[str, Any], attempts: int
    ) -> None:
        """Enter that a call was answered; it is on disk when this returns."""
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        entry = {
            **self._head("end", call, cohort),
            "attempts": attempts,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "tokens": (prompt or 0) + (completion or 0),
            "usd": usd,
        }
        with self._entry():
            self._append(entry)
        os.fsync(self._descriptor())

    def fail(self, call: str, *, cohort: str, reason: str) -> None:
        """Enter that a call was not answered."""
        with self._entry():
            self._append({**self._head("fail", call, cohort), "reason": reason})

    def spent(self, cohort: str | None = None) -> Spent:
        """Return what this run has spent, or all runs for a cohort."""
        if not self._path.exists():
            return Spent()
        with self._entry():
            if cohort is None:
                return self._of(self._runs, self._run)
            return self._of(self._cohorts, cohort)

    def _head(self, event: str, call: str, cohort: str) -> dict[str, object]:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {"event": event, "call": call, "time": now, "run": self._run, "cohort": cohort}

    @staticmethod
    def _of(table: dict[str, Spent], name: str) -> Spent:
        return table.setdefault(name, Spent())

    def _descriptor(self) -> int:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        return self._file

    @contextmanager
    def _entry(self) -> Iterator[None]:
        """Hold the ledger, with all entries of others read."""
        try:
            with self._lock:
                file = self._descriptor()
                fcntl.flock(file, fcntl.LOCK_EX)
                try:
                    self._catch_up(file)
                    yield
                finally:
                    fcntl.flock(file, fcntl.LOCK_UN)
        except OSError as error:
            raise StoreError(
                f"{self._path}: cannot be written ({error.strerror}); fix that and run snakemake "
                f"again"
            ) from error

    def _catch_up(self, file: int) -> None:
        size = os.fstat(file).st_size
        if size == self._offset:
            return
        data = os.pread(file, size - self._offset, self._offset)
        if not data.endswith(b"\n"):
            # A crash of the machine or a full disk has cut an entry: it is left behind as it is.
            os.write(file, b"\n")
            data += b"\n"
        self._offset += len(data)
        for line in data.splitlines():
            try:
                self._count(json.loads(line))
            except (ValueError, KeyError):
                continue

    def _append(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        os.write(self._file or self._descriptor(), line)
        self._offset += len(line)
        self._count(entry)

    def _count(self, entry: Mapping[str, Any]) -> None:
        for spent in (
            self._of(self._runs, entry["run"]),
            self._of(self._cohorts, entry["cohort"]),
        ):
            match entry["event"]:
                case "begin":
                    spent.begin(entry["call"], entry["usd"], entry["tokens"])
                case "end":
                    spent.end(entry["call"], entry["usd"], entry["tokens"])
                case "fail":
                    spent.fail(entry["call"])

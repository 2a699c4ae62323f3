"""The lines of the ledger, and a strict reader of them.

{"event": "begin", "call", "time", "run", "cohort", "stage", "gen_id", "request_sha256",
"provider", "model", "tokens", "usd"}     the most that the attempt can take
{"event": "end", "call", "time", "run", "cohort", "attempts", "prompt_tokens",
"completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "tokens", "usd",
"price_source"}     answered; null is not known
{"event": "reject", …, "reason"}           turned away by the provider: it costs nothing
{"event": "lose", …, "reason"}             sent, and no answer came: it may have cost its most
{"event": "fail", …, "reason"}             never sent
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daydream.calls.spent import Reservation, Spent
from daydream.files import parse_json
from daydream.llm.usage import amount_of, count_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line: what happened to an attempt of a run, for a cohort.

    `request` is what the beginning of an attempt asks, as far as it tells.
    """

    event: str
    call: str
    run: str
    cohort: str
    usd: float | None = None
    tokens: int | None = None
    cached: int = 0
    request: str = ""

    def count(self, spent: Spent) -> None:
        """Add it to the sums."""
        match self.event:
            case "begin":
                spent.begin(self.call, Reservation(self.usd, self.tokens or 0))
            case "end":
                spent.end(self.call, self.usd, self.tokens, self.cached)
            case "reject":
                spent.reject(self.call)
            case "lose":
                spent.lose(self.call)
            case "fail":
                spent.forget(self.call)


def read_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any], Entry | None]]:
    """Yield the number, the object and the entry (None if it is not one) of each line."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line.strip():
            try:
                value = parse_json(line)
            except ValueError:
                value = None
            known = value if isinstance(value, dict) else {}
            yield number, known, entry_of(known)


EVENTS = frozenset({"begin", "end", "reject", "lose", "fail"})


def parse_entry(line: bytes) -> Entry | None:
    """Return the entry that a line holds; None if it does not hold one."""
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return entry_of(value) if isinstance(value, dict) else None


def entry_of(value: Mapping[str, Any]) -> Entry | None:
    """Return the entry that a line's object describes; None if it does not describe one."""
    names = [value.get(name) for name in ("event", "call", "run", "cohort")]
    if not all(isinstance(name, str) for name in names) or names[0] not in EVENTS:
        return None
    event, call, run, cohort = map(str, names)
    usd, tokens = amount_of(value.get("usd")), count_of(value.get("tokens"))
    if event == "begin" and (tokens is None or usd is None is not value.get("usd")):
        return None
    asked = [value.get(name) for name in ("gen_id", "request_sha256")] if event == "begin" else []
    return Entry(
        event=event,
        call=call,
        run=run,
        cohort=cohort,
        usd=usd,
        tokens=tokens,
        cached=count_of(value.get("cached_tokens")) or 0,
        request="/".join(name for name in asked if isinstance(name, str)),
    )


def damaged_begin(line: bytes) -> Entry | None:
    """Return the `begin` entry that a damaged line clearly was; None otherwise.

    The attempt may have been sent and paid for. So it counts as one call, with as much of its
    maximum as can be read.
    """
    text = line.decode(errors="replace")
    names = {
        name: _found(text, name, r'"([^"\\]+)"') for name in ("event", "call", "run", "cohort")
    }
    if names["event"] != "begin" or not names["call"] or not names["run"]:
        return None
    usd, tokens = _found(text, "usd", r"([\d.e-]+)[,}]"), _found(text, "tokens", r"(\d+)[,}]")
    try:
        amount, count = float(usd or 0.0), int(tokens or 0)
    except ValueError:
        amount, count = 0.0, 0
    return Entry(
        event=names["event"],
        call=names["call"],
        run=names["run"],
        cohort=names["cohort"],
        usd=amount_of(amount),
        tokens=count_of(count),
    )


def _found(text: str, name: str, value: str) -> str:
    found = re.search(rf'"{name}": ?{value}', text)
    return found[1] if found else ""

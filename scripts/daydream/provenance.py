"""The one account of what is current: the state of each phase of each generation.

Rules, `plan`, `explain`, `expand: pending`, partial reports and the closing summary all ask here.
A phase is one of

    current   its file is there, and was made of what it would be made of today
    stale     its file is there, but was made of something else; `reasons` name it
    missing   its file is not there
    failed    its file is not there, as the last attempt failed; `reasons` say why
    blocked   it cannot be made as long as a phase before it fails
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

PHASES = ("prompt", "raw", "parsed")
Kind = Literal["current", "stale", "missing", "failed", "blocked"]


@dataclass(frozen=True, slots=True)
class State:
    """The state of one phase; `edited`: its text was changed by hand after it was made."""

    kind: Kind
    reasons: tuple[str, ...] = ()
    edited: bool = False


class Account(NamedTuple):
    """The states of a generation's phases, in the order in which they are made."""

    prompt: State
    raw: State
    parsed: State

    @property
    def complete(self) -> bool:
        """Whether nothing is to be made."""
        return all(state.kind == "current" for state in self)

    @property
    def failure(self) -> str:
        """Why the generation itself failed, in one line with its code; empty if it did not."""
        return next((state.reasons[0] for state in self if state.kind == "failed"), "")

    @property
    def blocked(self) -> bool:
        """Whether an ancestor failed, so that this generation could not be tried."""
        return any(state.kind == "blocked" for state in self)

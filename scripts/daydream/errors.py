"""Every error that a user can cause, as one line that says what, where and what to do.

All errors derive from `DaydreamError` and carry a stable `code`, which their text begins with
in square brackets: ``[catalog] data/1_raw/llm_models.csv, line 3, column id: ...``. A script that
watches a log may rely on the code; the rest of the text may change.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

# Stands in an error about an answer that is there, but is not one.
ANSWER_KEPT = ", which is kept in "
# Begins what an error about a refused answer says last: that there are others to take instead.
OTHER_ANSWERS = "; its journal has "
# `[code] …` of an error of the library, or which stage `daydream.reports.scores` says is at fault.
KIND = r"^\[(?P<code>[a-z]+)\]|^(?P<lack>(?:missing|stale|failed) [^: ]*)"
NO_NUMBER = "no number"


def failure_kind(error: str) -> str:
    """Return the kind of an error: its code, the stage at fault, or ``no number``."""
    found = re.match(KIND, error)
    return (found["code"] or found["lack"]) if found else NO_NUMBER


class DaydreamError(Exception):
    """Base of all errors of the library. `code` names the class of the failure."""

    code = "error"

    def __str__(self) -> str:
        return f"[{self.code}] {super().__str__()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong with one place of one input file.

    `line` counts from 1 as an editor does (a table's header is line 1); `column` is a table's
    column or a YAML path such as ``rules.pairs.bundle.left``. If `code` is empty, it is that of the
    whole error.
    """

    file: str
    found: str
    remedy: str
    line: int | None = None
    column: str | None = None
    code: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f", line {self.line}"
        if self.column is not None:
            place += f", column {self.column}" if self.line is not None else f", {self.column}"
        return " ".join(f"{place}: {self.found}; {self.remedy}".split("\n"))


class InputError(DaydreamError):
    """Input files that cannot be used; holds every problem that was found, not just the first."""

    def __init__(self, code: str, problems: Iterable[Problem]) -> None:
        self.code = code
        self.problems = tuple(problems)
        super().__init__(*self.problems)

    def __str__(self) -> str:
        return "\n".join(f"[{problem.code or self.code}] {problem}" for problem in self.problems)


class Problems:
    """Collects problems, so that all of a file are reported together."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.found: list[Problem] = []

    def add(
        self,
        file: object,
        found: str,
        remedy: str,
        *,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        """Note one problem; `found` is what is wrong, and `remedy` what the user should do."""
        self.found.append(
            Problem(file=str(file), found=found, remedy=remedy, line=line, column=column)
        )

    def check(self) -> None:
        """Raise `InputError` with everything noted so far, if there is anything."""
        if self.found:
            raise InputError(self.code, self.found)


class UnknownGenerationError(DaydreamError):
    """A gen_id that no configured cohort holds."""

    code = "generation"


class TemplateError(DaydreamError):
    """A template that cannot be compiled or rendered."""

    code = "template"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem)


class CallError(DaydreamError):
    """A model call that gave no usable answer."""

    code = "call"


class BudgetError(DaydreamError):
    """A call that the budget does not allow; `may_fit`: it may, when calls in flight have ended."""

    code = "budget"

    def __init__(self, message: str, *, may_fit: bool = False) -> None:
        super().__init__(message)
        self.may_fit = may_fit


class BatchError(DaydreamError):
    """Answers that a batch did not give."""

    code = "batch"


class UnderWayError(BatchError):
    """Answers that are still to come in a batch, for which the run does not wait."""

    code = "waiting"


class StoppedError(DaydreamError):
    """A call that did not begin because the run is ending."""

    code = "stopped"


class ParseError(DaydreamError):
    """An answer that its parser rejects."""

    code = "parse"


class StoreError(DaydreamError):
    """A file of the store that is missing, damaged or cannot be written."""

    code = "store"


def misspelt(value: str, known: Iterable[str]) -> str:
    """Return the known name that `value` most likely stands for; empty if none is close."""
    names = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(value.casefold(), names, n=1, cutoff=0.8)
    return names[close[0]] if close else ""


def nearest(value: str, known: Iterable[str]) -> str:
    """Return a hint naming the names nearest to `value`: ``did you mean 'a' or 'b'?``.

    If no name is near, the first few known names are listed instead.
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(value, names, n=3)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    if not names:
        return "none is defined"
    shown = ", ".join(map(repr, names[:8]))
    return f"known: {shown}{', …' if len(names) > 8 else ''}"

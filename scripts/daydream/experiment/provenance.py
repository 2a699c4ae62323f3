"""The one account of what is current: the state of each phase of each generation.

Rules, `plan`, `explain`, `expand: pending`, partial reports and the closing summary all use this
account. The state of a phase is one of

    current   its text exists, and was made of what it would be made of today
    stale     its text exists, but was made of something else; `reasons` say of what
    missing   its text does not exist
    failed    its text does not exist because the last attempt failed; `reasons` say why
    blocked   it cannot be made while an ancestor fails

A text's record (`store.records`) says what it was made of. The functions below say what it would be
made of today, and they also write the record, so the two sides of a comparison have the same form.
File times and Snakemake's own records do not matter. If a phase is not current, neither is any
phase after it.

A text that was edited by hand is `edited`, and it counts: an edited prompt is sent, an edited
answer is parsed, and children take an edited parsed text. If the file is deleted, the original
comes back.

A text without a record, such as one that was copied into the store by hand, counts as current if
that saves a call. If the journal has the answer, the text is made again without a call.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Literal, NamedTuple

from daydream.errors import BudgetError, StoppedError, StoreError, UnderWayError
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.files import read_bytes, read_text
from daydream.generations.row import Generation
from daydream.store.layout import RESPONSES, generation_file
from daydream.store.records import RECORD, Record, parse_record

PHASES = ("prompt", "raw", "parsed")
# The files of each phase, starting with the one that holds its text.
FILES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt.txt",),
    "raw": ("raw.txt", "metadata.json"),
    "parsed": ("parsed.txt",),
}
RULES = dict(zip(PHASES, ("render_prompt", "generate_raw", "parse_response"), strict=True))
Kind = Literal["current", "stale", "missing", "failed", "blocked"]
Digests = dict[str, str]

# How a job's log begins if its call never began.
_NOT_TRIED = tuple(f"[{error.code}]" for error in (StoppedError, BudgetError, UnderWayError))
# How many generations are read to see whether the disk is slow, how many after that if it is, and
# by how many threads.
_SAMPLE = 100
_WINDOW = 4_000
_AT_ONCE = 4


class Change(NamedTuple):
    """An input that has changed. None: it does not exist now, or was not recorded then."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class State:
    """The state of one phase. `sha256` is the digest of its present text, if there is one.

    `edited`: the text was changed by hand after it was made.
    """

    kind: Kind
    reasons: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    edited: bool = False
    sha256: str = ""


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
    def kind(self) -> Kind:
        """The generation's state, which is that of its first phase that is not current."""
        return next((state.kind for state in self if state.kind != "current"), "current")

    @property
    def standing(self) -> str:
        """The generation's state as reports name it: `complete`, or what it is instead."""
        return "complete" if self.complete else self.kind

    @property
    def failure(self) -> str:
        """Why the generation itself failed, in one line with its code; empty if it did not."""
        return next((state.reasons[0] for state in self if state.kind == "failed"), "")

    @property
    def edited(self) -> bool:
        """Whether any of the texts was changed by hand."""
        return any(state.edited for state in self)

    @property
    def edited_phases(self) -> tuple[str, ...]:
        """The phases whose text was changed by hand."""
        return tuple(phase for phase, state in zip(PHASES, self, strict=True) if state.edited)

    @property
    def reason(self) -> str:
        """Why the generation is not complete, in a few words; empty if it is."""
        found = next((state for state in self if state.kind != "current"), None)
        return "" if found is None else ", ".join(found.reasons) or found.kind


def log_file(stage: str, gen_id: str, phase: str) -> str:
    """Return the log of a phase's job, which holds the error that ended it, if one did."""
    return f"logs/{stage}/{gen_id}.{phase}.log"


# What a text would be made of today


def of_prompt(experiment: Experiment, row: Generation, ancestors: Mapping[str, str]) -> Digests:
    """Return the digests of all that a prompt is made of.

    `ancestors` are the digests of the parsed texts that it may name, by stage; the parent is last.
    """
    made_of = {
        "template": recipes.template_sha256(experiment, row),
        "variables": recipes.variables_sha256(experiment, row),
    }
    for concept, path in recipes.concept_files(experiment, row).items():
        made_of[f"concept {concept}"] = experiment.sha256(path)
    *older, parent = ancestors.values() or (None,)
    if parent is not None:
        made_of["parent"] = parent
    for stage, digest in zip(ancestors, older, strict=False):
        made_of[f"ancestor {stage}"] = digest
    return made_of


def of_raw(experiment: Experiment, row: Generation, *, prompt: str, parent: str | None) -> Digests:
    """Return the digests of all that an answer is made of. A copy is made of its parent's text."""
    made_of = {
        "prompt": prompt,
        "settings": recipes.settings_sha256(experiment, row),
    }
    if parent is not None and recipes.is_copy(experiment, row):
        made_of["parent"] = parent
    return made_of


def of_parsed(experiment: Experiment, row: Generation, *, raw: str) -> Digests:
    """Return the digests of all that a parsed text is made of."""
    return {"raw": raw, "parser": recipes.parser_sha256(experiment, row)}


# The account


class _Found(NamedTuple):
    """What a generation's directory holds: its files, its record, the digest of each text."""

    names: frozenset[str]
    record: Record
    digests: Mapping[str, str]


_NOTHING = _Found(frozenset(), {}, {})


def accounts(experiment: Experiment, rows: Iterable[Generation]) -> dict[str, Account]:
    """Return the account of each generation by its id, as the store is now.

    In `rows`, the parent of each row comes before it.
    """
    book = _Book(experiment)
    for row, found in _found(rows):
        book.enter(row, found)
    return book.accounts


def _found(rows: Iterable[Generation]) -> Iterator[tuple[Generation, _Found]]:
    """Read the directories of generations in order, several at once while a disk is slow.

    Each system call passes the interpreter from one thread to the next. So one thread reads 30,000
    directories that are in memory in 2.3 s, and four take 5.8 s; from a cold disk 9.5 and 7 s.
    """
    left = iter(rows)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        while sample := list(islice(left, _SAMPLE)):
            before = _waits()
            yield from _read_all(sample)
            if _waits() - before < len(sample):
                continue
            window = list(islice(left, _WINDOW))
            size = -(-len(window) // _AT_ONCE) or 1
            shares = [window[start : start + size] for start in range(0, len(window), size)]
            # Reading and comparing take turns: if both ran at once, reads would be slower.
            for part in list(threads.map(_read_all, shares)):
                yield from part


def _waits() -> int:
    """Return how often this process has given up its core to wait, such as for a disk."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


def _read_all(rows: Iterable[Generation]) -> list[tuple[Generation, _Found]]:
    return [(row, _read(generation_file(row.stage, row.gen_id, ""))) for row in rows]


def _read(directory: str) -> _Found:
    # Strings: a Path takes ten times as long.
    try:
        names = set(os.listdir(directory))  # noqa: PTH208
    except OSError:
        return _NOTHING
    record: Record = {}
    digests = {}
    for name, phase in ((RECORD, ""), *((FILES[phase][0], phase) for phase in PHASES)):
        if name not in names:
            continue
        try:
            data = read_bytes(directory + name)
        except FileNotFoundError:
            # Another run has just deleted it in order to make it again.
            names.remove(name)
            continue
        if phase:
            digests[phase] = sha256(data).hexdigest()
        else:
            record = parse_record(data)
    return _Found(frozenset(names), record, digests)


class _Book:
    """Collects the accounts of generations, parents before children."""

    def __init__(self, experiment: Experiment) -> None:
        self.accounts: dict[str, Account] = {}
        self._experiment = experiment

    def enter(self, row: Generation, found: _Found) -> None:
        """Add the account of a generation whose ancestors have been added."""
        states: list[State] = []
        for phase in PHASES:
            states.append(self._state(row, phase, found, states))
        self.accounts[row.gen_id] = Account(*states)

    def _state(self, row: Generation, phase: str, found: _Found, before: list[State]) -> State:
        parent = self.accounts.get(row.parent_gen_id)
        digest = found.digests.get(phase, "")
        if parent is not None and parent.kind in ("failed", "blocked"):
            stage = recipes.stage_of(self._experiment, row).parent
            reason = f"its {stage} {row.parent_gen_id} failed"
            return State("blocked", (reason,), sha256=digest)
        missing = [name for name in FILES[phase] if name not in found.names]
        earlier = self._earlier(row, parent, before)
        if missing:
            failure = "" if earlier else _failure(row, phase)
            if failure:
                return State("failed", (failure,))
            return State("missing", tuple(f"{name} is missing" for name in missing))
        changes = tuple(self._changes(row, phase, found, before))
        reasons = tuple(f"{change.name} changed" for change in changes)
        if phase not in found.record and _is_remade_for_nothing(row, found, self._experiment):
            reasons = ("what it was made of is not recorded",)
        if earlier:
            reasons = (*reasons, earlier)
        made = found.record.get(phase)
        edited = made is not None and made.sha256 != digest
        kind: Kind = "stale" if reasons else "current"
        return State(kind, reasons, changes, edited=edited, sha256=digest)

    def _earlier(self, row: Generation, parent: Account | None, before: list[State]) -> str:
        """Return which earlier phase is made again; empty if none is."""
        if not before:
            if parent is None or parent.parsed.kind == "current":
                return ""
            return f"the {recipes.stage_of(self._experiment, row).parent} is made again"
        if before[-1].kind == "current":
            return ""
        return "the prompt is made again" if len(before) == 1 else "the answer is made again"

    def _changes(
        self, row: Generation, phase: str, found: _Found, before: list[State]
    ) -> Iterator[Change]:
        made = found.record.get(phase)
        if made is None:
            return
        today = self._today(row, phase, before)
        if today == made.of:
            return
        for name in dict.fromkeys([*made.of, *today]):
            old, new = made.of.get(name), today.get(name)
            if new not in (old, ""):
                yield Change(LABELS.get(name, name), old, new)

    def _today(self, row: Generation, phase: str, before: list[State]) -> Digests:
        if phase == "prompt":
            return of_prompt(self._experiment, row, self._ancestors(row))
        if phase == "raw":
            parent = self.accounts.get(row.parent_gen_id)
            digest = None if parent is None else parent.parsed.sha256
            return of_raw(self._experiment, row, prompt=before[0].sha256, parent=digest)
        return of_parsed(self._experiment, row, raw=before[1].sha256)

    def _ancestors(self, row: Generation) -> Digests:
        if not row.parent_gen_id:
            return {}
        named = recipes.named_ancestors(self._experiment, row)
        return {link.stage: self.accounts[link.gen_id].parsed.sha256 for link in named}


LABELS = {"variables": "names and dimensions", "raw": "answer"}


def _is_remade_for_nothing(row: Generation, found: _Found, experiment: Experiment) -> bool:
    """Tell whether making an unrecorded text again costs no call."""
    return bool(found.record) or recipes.is_copy(experiment, row) or RESPONSES in found.names


def _failure(row: Generation, phase: str) -> str:
    """Return the error that ended the last attempt at a phase, as its log has it."""
    try:
        lines = read_text(log_file(row.stage, row.gen_id, phase)).splitlines()
    except StoreError:
        return ""
    own = (line for line in lines if line.startswith("["))
    return next((line for line in own if not line.startswith(_NOT_TRIED)), "")

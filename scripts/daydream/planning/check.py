"""`check`: whether the store, the ledger and the cohorts agree; none of them changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from daydream.calls.entries import read_lines
from daydream.calls.ledger import LEDGER
from daydream.errors import DaydreamError, InputError, StoreError
from daydream.experiment.experiment import Experiment
from daydream.files import write_text
from daydream.planning.reached import PRUNED, reached, stored
from daydream.store.choices import CHOICES, read_choices
from daydream.store.embeddings import kept_embeddings, read_embedding
from daydream.store.layout import GENS, RESPONSES, generation_file
from daydream.store.leftovers import leftovers
from daydream.store.spill import spilled
from daydream.store.verify import Fault, Verdict, fault_of, verify
from daydream.tables import csv_text
from daydream.text import plural

# So many faults are shown; all of them are in the table.
SHOWN = 20


Verdicts = Mapping[tuple[str, str], Verdict]


@dataclass(slots=True)
class Findings:
    """What is wrong, and what is only worth a line."""

    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check(experiment: Experiment, csv_path: str) -> str:
    """Look at all that is kept, write the faults as CSV, and return what to read.

    Raises:
        StoreError: something is wrong; the lines before it, which are printed, say what.
    """
    findings = Findings()
    verdicts = {row: verify(*row) for row in stored()}
    for verdict in verdicts.values():
        findings.faults += verdict.faults
    findings.faults += _ledger_faults(verdicts)
    findings.faults += _choice_faults(verdicts)
    findings.faults += _embedding_faults()
    findings.faults += _unfinished()
    findings.faults += _elsewhere()
    _cohorts(experiment, verdicts, findings)
    findings.notes += _notes(verdicts)
    Path(csv_path).parent.mkdir(parents=True, exist_ok=True)
    write_text(csv_path, csv_text(Fault._fields, findings.faults))
    lines = "\n".join(_lines(verdicts, findings, csv_path))
    if findings.faults:
        print(lines)
        count = len(findings.faults)
        raise StoreError(
            f"{GENS}: {count:,} thing{'s are' if count > 1 else ' is'} wrong; see the lines above, "
            f"or {csv_path}"
        )
    return lines


class _Asked(NamedTuple):
    """What an attempt of the ledger asked for."""

    stage: str
    gen_id: str
    sha256: str


def _ledger_faults(verdicts: Verdicts) -> Iterator[Fault]:
    """Yield the answers that were paid for and are not in the journal."""
    begun: dict[str, _Asked] = {}
    for number, value, entry in read_lines(LEDGER):
        place = f"{LEDGER}, line {number}"
        if entry is None:
            yield Fault(
                place,
                "is not an entry of the ledger",
                "restore the ledger from a copy, or delete the line if there is none",
            )
        elif entry.event == "begin" and "embeddings" not in value:
            names = ("stage", "gen_id", "request_sha256")
            begun[entry.call] = _Asked(*(str(value.get(name)) for name in names))
        elif entry.event == "end" and entry.call in begun:
            asked = begun[entry.call]
            if not _is_kept(asked, verdicts):
                price = "" if entry.usd is None else f" ({entry.usd:.4f} USD)"
                found = f"is missing, though it was paid for{price}: {place}"
                yield Fault(_entry_of(asked), found, "restore it from a copy")


def _entry_of(asked: _Asked) -> str:
    return generation_file(asked.stage, asked.gen_id, f"{RESPONSES}/{asked.sha256}.json")


def _is_kept(asked: _Asked, verdicts: Verdicts) -> bool:
    """Tell whether an answer is in the journal, as it was or damaged, or was put aside."""
    verdict = verdicts.get((asked.stage, asked.gen_id))
    if verdict is not None and asked.sha256 in verdict.entries:
        return True
    entry = Path(_entry_of(asked))
    return entry.exists() or any(PRUNED.glob(f"*/{entry.relative_to(GENS)}"))


def _choice_faults(verdicts: Verdicts) -> Iterator[Fault]:
    try:
        choices = read_choices()
    except StoreError as error:
        yield fault_of(error)
        return
    entries = {gen_id: verdict.entries for (_, gen_id), verdict in verdicts.items()}
    for gen_id, choice in choices.items():
        if choice.request and choice.request not in entries.get(gen_id, ()):
            found = f"{gen_id} is to have the answer {choice.request[:12]}…, which is not there"
            yield Fault(str(CHOICES), found, "restore another one, or delete the line")


def _embedding_faults() -> Iterator[Fault]:
    for path in kept_embeddings():
        try:
            read_embedding(path)
        except StoreError as error:
            yield fault_of(error)


def _unfinished() -> Iterator[Fault]:
    for path in leftovers():
        yield Fault(str(path), "is unfinished, and nobody writes it", "delete it")


def _elsewhere() -> Iterator[Fault]:
    for path in spilled():
        found = "holds a paid answer that the journal could not take"
        yield Fault(str(path), found, "run snakemake, which takes it in")


def _cohorts(experiment: Experiment, verdicts: Verdicts, findings: Findings) -> None:
    try:
        known = reached(experiment)
    except InputError as error:
        findings.faults += [
            Fault(problem.file, problem.found, problem.remedy) for problem in error.problems
        ]
        return
    except DaydreamError as error:
        findings.notes.append(f"The cohorts could not be compiled: {error}")
        return
    count = sum(row not in known for row in verdicts)
    if count:
        findings.notes.append(
            f"{plural(count, 'generation')} of no cohort; snakemake -c1 prune lists them."
        )


def _notes(verdicts: Verdicts) -> Iterator[str]:
    counts = Counter(
        edited=sum(len(verdict.edited) for verdict in verdicts.values()),
        foreign=sum(len(verdict.foreign) for verdict in verdicts.values()),
        unsigned=sum(verdict.unsigned for verdict in verdicts.values()),
    )
    if counts["edited"]:
        yield f"{plural(counts['edited'], 'text')} edited by hand."
    if counts["foreign"]:
        example = next(name for verdict in verdicts.values() for name in verdict.foreign)
        count = plural(counts["foreign"], "file")
        yield f"{count} that the store does not know, such as {example}."
    if counts["unsigned"]:
        whose = "of earlier versions have no checksum, and are compared with their names alone"
        yield f"{plural(counts['unsigned'], 'answer')} {whose}."


def _lines(verdicts: Verdicts, findings: Findings, csv_path: str) -> Iterator[str]:
    answers = sum(len(verdict.entries) for verdict in verdicts.values())
    yield f"Looked at {plural(len(verdicts), 'generation')} and {plural(answers, 'paid answer')}."
    yield from findings.notes
    if not findings.faults:
        yield "Nothing is wrong."
        return
    yield ""
    for place, found, remedy in findings.faults[:SHOWN]:
        yield f"{place}: {found}; {remedy}"
    more = len(findings.faults) - SHOWN
    if more > 0:
        yield f"And {more:,} more: {csv_path}"

"""Whether the files of a generation agree with each other; nothing is changed.

They agree if the journal's entries are as they were written, the texts are those in the record or
were edited by hand, the answer in `raw.txt` is in the journal, and `metadata.json` belongs to this
generation.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from daydream.errors import CallError, StoreError
from daydream.files import PART, TEMPORARY, read_bytes, read_text, text_sha256
from daydream.llm.request import Response
from daydream.store.journal import CHECKSUM, read_entry
from daydream.store.layout import OUTPUTS, RESPONSES, generation_file, read_json
from daydream.store.records import RECORD, parse_record

TEXTS = {"prompt": "prompt.txt", "raw": "raw.txt", "parsed": "parsed.txt"}
METADATA = "metadata.json"
# The digests of earlier versions stay where they are.
KNOWN = frozenset({*OUTPUTS, RECORD, RESPONSES, "prompt.json", "parsed.json"})
# So many seconds a run may take from raw.txt to metadata.json.
SOON_S = 0.5
_ENTRY = re.compile(r"[0-9a-f]{64}\.json")


class Fault(NamedTuple):
    """Something that is wrong, and how to fix it."""

    place: str
    found: str
    remedy: str


@dataclass(slots=True)
class Verdict:
    """What was found in a generation's directory.

    `edited` are the texts changed by hand, and `foreign` the files that do not belong to the store.
    `entries` are the hashes of the journal's valid entries; `unsigned` of them have no checksum.
    """

    faults: list[Fault] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    entries: set[str] = field(default_factory=set)
    unsigned: int = 0


def verify(stage: str, gen_id: str) -> Verdict:
    """Check the files of one generation."""
    return _Look(stage, gen_id).verdict


def is_unfinished(name: str) -> bool:
    """Tell whether a file is being written, or was when its process was killed."""
    return name.endswith(PART) or TEMPORARY.search(name) is not None


def fault_of(error: StoreError) -> Fault:
    """Return the fault that an error's line describes."""
    place, _, rest = str(error.args[0]).partition(": ")
    found, _, remedy = rest.rpartition("; ")
    return Fault(place, found, remedy)


class _Look:
    """One check of a generation's directory."""

    def __init__(self, stage: str, gen_id: str) -> None:
        self.verdict = Verdict()
        self._own = stage, gen_id
        self._directory = Path(generation_file(stage, gen_id, ""))
        self._names = {path.name for path in self._directory.iterdir()}
        self.verdict.foreign += [
            str(self._directory / name)
            for name in sorted(self._names - KNOWN)
            if not is_unfinished(name)
        ]
        self._answers = self._journal() if RESPONSES in self._names else {}
        self._texts = self._read_texts()
        self._find_edited()
        if METADATA in self._names:
            self._look_at_metadata()
        elif "raw" in self._texts and not self._has_metadata_soon():
            remedy = "delete raw.txt: both are made again from the journal"
            self._fault(METADATA, "is missing", remedy)

    def _has_metadata_soon(self) -> bool:
        """Tell whether a run has written it since the names were read: it comes after raw.txt."""
        path = self._directory / METADATA
        if not path.exists():
            time.sleep(SOON_S)
        return path.exists()

    def _fault(self, name: str, found: str, remedy: str) -> None:
        self.verdict.faults.append(Fault(str(self._directory / name), found, remedy))

    def _journal(self) -> dict[str, Response]:
        """Return the valid answers of the journal by hash."""
        answers = {}
        journal = self._directory / RESPONSES
        if not journal.is_dir():
            self._fault(RESPONSES, "is not a directory", "restore it from a copy")
            return {}
        for path in sorted(journal.iterdir()):
            if not _ENTRY.fullmatch(path.name):
                if not is_unfinished(path.name):
                    self.verdict.foreign.append(str(path))
                continue
            try:
                entry = read_entry(self._directory, path.stem)
            except StoreError as error:
                self.verdict.faults.append(fault_of(error))
                continue
            if entry is not None:
                answers[path.stem] = entry[1]
                self.verdict.entries.add(path.stem)
                self.verdict.unsigned += f'"{CHECKSUM}"'.encode() not in read_bytes(path)
        return answers

    def _read_texts(self) -> dict[str, str]:
        texts = {}
        for phase, name in TEXTS.items():
            if name in self._names:
                try:
                    texts[phase] = read_text(self._directory / name)
                except StoreError as error:
                    remedy = "delete it and run snakemake: it is made again"
                    self._fault(name, fault_of(error).found, remedy)
        return texts

    def _find_edited(self) -> None:
        """Find the texts that differ from what the record says was written."""
        if RECORD not in self._names:
            return
        try:
            record = parse_record(read_bytes(self._directory / RECORD))
        except OSError as error:
            self._fault(RECORD, f"cannot be read ({error.strerror})", "make it readable")
            return
        if not record:
            remedy = "delete it: the texts are made again from the journal"
            self._fault(RECORD, "holds no record of what the texts are made of", remedy)
        for phase, text in self._texts.items():
            made = record.get(phase)
            if made is not None and made.sha256 != text_sha256(text):
                self.verdict.edited.append(str(self._directory / TEXTS[phase]))

    def _look_at_metadata(self) -> None:
        try:
            metadata = read_json(self._directory / METADATA)
        except StoreError as error:
            again = "delete it: it is made again from the journal"
            self._fault(METADATA, fault_of(error).found, again)
            return
        named = metadata.get("stage"), metadata.get("gen_id")
        if named != self._own:
            remedy = "move the files back to where they belong, or delete the texts here"
            self._fault(METADATA, f"is that of {named[0]} {named[1]}", remedy)
        elif metadata.get("mode") == "llm" and "raw" in self._texts:
            self._look_at_answer(str(metadata.get("request_sha256")))

    def _look_at_answer(self, sha256: str) -> None:
        """Compare raw.txt with the answer that metadata.json names."""
        name = f"{RESPONSES}/{sha256}.json"
        if sha256 not in self._answers:
            if not (self._directory / name).exists():
                remedy = "restore it from a copy; without it, raw.txt is made again by a call"
                self._fault(name, "is missing, though raw.txt is its answer", remedy)
            return
        try:
            same = self._answers[sha256].text == self._texts["raw"]
        except CallError:
            same = False
        if not same and str(self._directory / TEXTS["raw"]) not in self.verdict.edited:
            found = "is not the answer in the journal, and is not recorded as edited"
            self._fault(TEXTS["raw"], found, "delete it: it is made again from the journal")

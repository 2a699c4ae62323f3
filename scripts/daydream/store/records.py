"""What each text of a generation was made of: `provenance.json`, beside the texts.

    {"prompt": {"of": {name: sha256, ...}, "sha256": ...},
     "raw":    {"of": {"prompt": ..., "settings": ...}, "sha256": ...},
     "parsed": {"of": {"raw": ..., "parser": ...}, "sha256": ...}}

`of` has a digest of everything that went into the text. `sha256` is the digest of the text as it
was written; a text with another digest was edited by hand. A phase writes its entry before its
text, so a text is never older than its entry. The entry of a prompt with cache points also has
`points`: how many characters are before each. The record is not an output of any rule, because all
three phases write it. Like the journal, it is never deleted by Snakemake.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from daydream.files import parse_json, read_bytes, write_text

RECORD = "provenance.json"


class Made(NamedTuple):
    """What a text was made of, as digests by name, and the digest of the text itself.

    `points` are the places of a prompt's cache points.
    """

    of: Mapping[str, str]
    sha256: str
    points: tuple[int, ...] = ()

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> Made:
        """Return what an entry of a record says."""
        points = tuple(map(int, entry.get("points", ())))
        return cls(dict(entry["of"]), str(entry["sha256"]), points)

    def entry(self) -> dict[str, object]:
        """Return the entry that says this."""
        points = {"points": list(self.points)} if self.points else {}
        return {"of": dict(self.of), "sha256": self.sha256, **points}


Record = dict[str, Made]


def parse_record(data: bytes) -> Record:
    """Return the entries of a record by phase; a damaged record counts as missing."""
    try:
        entries = parse_json(data)
        return {phase: Made.of_entry(entry) for phase, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def read_record(directory: Path) -> Record:
    """Return what is recorded of the texts in a generation's directory."""
    try:
        return parse_record(read_bytes(directory / RECORD))
    except OSError:
        return {}


def record_made(directory: Path, phase: str, made: Made) -> None:
    """Enter what a text is made of, just before it is written.

    Raises:
        StoreError: the file system does not take the file.
    """
    record = {**read_record(directory), phase: made}
    entries = {name: made.entry() for name, made in record.items()}
    write_text(directory / RECORD, json.dumps(entries, ensure_ascii=False) + "\n")

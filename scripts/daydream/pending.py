"""Which generations are complete, by what the store itself says of them.

A generation is complete if its files are there, were made from the texts and settings of today (the
digests that each phase has recorded), its answer is in the journal, and its parent is complete. It
takes one look at each directory and its records, where Snakemake would build three jobs to find the
same from its own records.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

from daydream.experiment import Experiment
from daydream.files import read_bytes, text_sha256
from daydream.generation import PARSED_INPUTS
from daydream.membership import Generation
from daydream.store import OUTPUTS, RESPONSES, generation_file

# A disk that has to look for the records answers many questions at once sooner than one by one.
# Reading and comparing take turns: with both at once, each read waits for the interpreter.
AT_ONCE = 4
WINDOW = 4_000


class _Records(NamedTuple):
    """What the directory of a generation holds; of one that is not whole there is none."""

    files: set[str]
    answers: set[str]
    metadata: bytes
    parsed_inputs: bytes
    parsed_sha256: str


def pending(experiment: Experiment, rows: Iterable[Generation]) -> set[str]:
    """Return the ids of those that are not complete; parents stand before children in `rows`."""
    generations = list(rows)
    parents = {row.parent_gen_id for row in generations}
    check = _Check(experiment)
    found: set[str] = set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(generations), WINDOW):
            window = generations[start : start + WINDOW]
            shares = [window[thread::AT_ONCE] for thread in range(AT_ONCE)]
            read = pool.map(_read_all, shares, repeat(parents))
            records = {gen_id: there for part in read for gen_id, there in part.items()}
            for row in window:
                if row.parent_gen_id in found or not check.is_complete(row, records):
                    found.add(row.gen_id)
    return found


def _read_all(rows: Iterable[Generation], parents: Set[str]) -> dict[str, _Records]:
    found = {}
    for row in rows:
        try:
            directory = generation_file(row.stage, row.gen_id, "")
            found[row.gen_id] = _read(directory, is_parent=row.gen_id in parents)
        except OSError:
            continue
    return found


def _read(directory: str, *, is_parent: bool) -> _Records:
    # Strings, here and below: a Path takes ten times as long.
    files = set(os.listdir(directory))  # noqa: PTH208
    return _Records(
        files=files,
        answers=set(os.listdir(directory + RESPONSES)) if RESPONSES in files else set(),  # noqa: PTH208
        metadata=read_bytes(directory + "metadata.json"),
        parsed_inputs=read_bytes(directory + PARSED_INPUTS) if PARSED_INPUTS in files else b"{}",
        parsed_sha256=sha256(read_bytes(directory + "parsed.txt")).hexdigest() if is_parent else "",
    )


class _Check:
    """Compares records of the store with the texts and settings of today, each digested once."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._text_digest = cache(lambda path: text_sha256(experiment.text(path)))
        self._digest = cache(text_sha256)
        self._parsed_digests: dict[str, str] = {}

    def is_complete(self, row: Generation, records: Mapping[str, _Records]) -> bool:
        """Tell whether a generation is complete, if its parent is; asked of parents first."""
        there = records.get(row.gen_id)
        if there is None or not there.files.issuperset(OUTPUTS):
            return False
        try:
            metadata = json.loads(there.metadata)
            parsed_inputs = json.loads(there.parsed_inputs)
        except ValueError:
            return False
        if not (isinstance(metadata, dict) and isinstance(parsed_inputs, dict)):
            return False
        self._parsed_digests[row.gen_id] = there.parsed_sha256
        return (
            metadata.get("gen_id") == row.gen_id
            and self._answered(row, there.answers, metadata)
            and self._unchanged(row, metadata.get("inputs", {}))
            and _agrees(parsed_inputs, "parser", self._parser(row))
        )

    def _answered(self, row: Generation, answers: Set[str], metadata: Mapping[str, Any]) -> bool:
        if self._experiment.is_copy(row):
            return metadata.get("mode") == "copy"
        return f"{metadata.get('request_sha256')}.json" in answers

    def _parser(self, row: Generation) -> str:
        return self._digest(self._experiment.parser_settings(row))

    def _unchanged(self, row: Generation, inputs: Mapping[str, Any]) -> bool:
        experiment = self._experiment
        template = self._digest(experiment.template_text(row))
        if not (
            _agrees(inputs, "template", template)
            and _agrees(inputs, "settings", self._digest(experiment.call_settings(row)))
            and _agrees(inputs, "variables", self._digest(experiment.prompt_variables(row)))
        ):
            return False
        if row.parent_gen_id:
            return _agrees(inputs, "parent", self._parsed_digests[row.parent_gen_id])
        today = {
            Path(path).stem: self._text_digest(path)
            for path in experiment.prompt_inputs(row).get("concepts", [])
        }
        return _agrees(inputs, "concepts", today) if today else True


def _agrees(inputs: Mapping[str, Any], name: str, today: object) -> bool:
    """Tell whether a record is that of today; an imported text has none."""
    return bool(inputs.get(name, today) == today)

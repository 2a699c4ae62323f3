"""Which generations are complete, by what the store itself says of them.

A generation is complete if its files are there, were made from the texts and settings of today (the
digests that each phase has recorded), its answer is in the journal, and its parent is complete. It
takes one look at each directory and its records, some 0.1 ms, where Snakemake would build three
jobs to find the same from its own records.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from daydream.errors import StoreError
from daydream.experiment import Experiment
from daydream.files import read_text, text_sha256
from daydream.generation import PARSED_INPUTS, read_inputs
from daydream.membership import Generation
from daydream.store import OUTPUTS, RESPONSES, generation_file, read_json


def pending(experiment: Experiment, rows: Iterable[Generation]) -> set[str]:
    """Return the ids of those that are not complete; parents stand before children in `rows`."""
    check = _Check(experiment)
    found: set[str] = set()
    for row in rows:
        if row.parent_gen_id in found or not check.is_complete(row):
            found.add(row.gen_id)
    return found


class _Check:
    """Compares records of the store with the texts and settings of today, each digested once."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._text_digest = cache(lambda path: text_sha256(experiment.text(path)))
        self._digest = cache(text_sha256)

    def is_complete(self, row: Generation) -> bool:
        directory = Path(generation_file(row.stage, row.gen_id, ""))
        try:
            there = {entry.name for entry in os.scandir(directory)}
            if not there.issuperset(OUTPUTS):
                return False
            metadata = read_json(directory / "metadata.json")
            parsed = read_inputs(directory / PARSED_INPUTS) if PARSED_INPUTS in there else {}
            return (
                metadata.get("gen_id") == row.gen_id
                and self._answered(row, directory, metadata)
                and self._unchanged(row, metadata.get("inputs", {}))
                and _agrees(parsed, "parser", self._parser(row))
            )
        except (OSError, StoreError):
            return False

    def _answered(self, row: Generation, directory: Path, metadata: Mapping[str, Any]) -> bool:
        if self._experiment.is_copy(row):
            return metadata.get("mode") == "copy"
        entry = directory / RESPONSES / f"{metadata.get('request_sha256')}.json"
        return entry.exists()

    def _parser(self, row: Generation) -> str:
        return self._digest(self._experiment.parser_settings(row))

    def _unchanged(self, row: Generation, inputs: Mapping[str, Any]) -> bool:
        experiment = self._experiment
        template = self._text_digest(str(experiment.template(row).path))
        if not (
            _agrees(inputs, "template", template)
            and _agrees(inputs, "settings", self._digest(experiment.call_settings(row)))
            and _agrees(inputs, "variables", self._digest(experiment.prompt_variables(row)))
        ):
            return False
        if row.parent_gen_id:
            parent = read_text(experiment.parent_file(row))
            return _agrees(inputs, "parent", text_sha256(parent))
        today = {
            Path(path).stem: self._text_digest(path)
            for path in experiment.prompt_inputs(row).get("concepts", [])
        }
        return _agrees(inputs, "concepts", today) if today else True


def _agrees(inputs: Mapping[str, Any], name: str, today: object) -> bool:
    """Tell whether a record is that of today; an imported text has none."""
    return bool(inputs.get(name, today) == today)

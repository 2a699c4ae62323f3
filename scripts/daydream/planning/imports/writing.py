"""Writing what can be imported: texts, journal entries and records, in the store's own form."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from daydream.experiment import recipes
from daydream.experiment.answers import Answer, build_request, call_record
from daydream.experiment.experiment import Experiment
from daydream.experiment.phases import identity
from daydream.experiment.provenance import of_parsed, of_prompt, of_raw
from daydream.files import read_text, text_sha256, write_json, write_text
from daydream.llm.request import Response
from daydream.planning.imports.reading import METADATA, TEXTS, Entry, notes_of
from daydream.store.journal import (
    CLAIM_PAUSE_S,
    claim_entry,
    find_response,
    record_response,
)
from daydream.store.layout import OUTPUTS, read_json
from daydream.store.records import Made, read_record, record_made


def write_generation(experiment: Experiment, entry: Entry, parsed: Mapping[str, str]) -> bool:
    """Write what the store lacks of a generation; tell whether it lacked anything.

    `parsed` are the parsed texts of all imported generations by id.
    """
    generation, target = entry.generation, entry.target
    found = {name: read_text(entry.directory / name) for name in TEXTS}
    prompt = found["prompt.txt"]
    metadata = identity(experiment, generation, ancestors=entry.ancestors, prompt=prompt)
    if recipes.is_copy(experiment, generation):
        metadata |= {"mode": "copy"}
    else:
        request = build_request(experiment, generation, prompt)
        response = find_response(target, request)
        if response is None:
            with claim_entry(target, request, wait=lambda: time.sleep(CLAIM_PAUSE_S)) as file:
                # A run at the same time may have paid for an answer meanwhile.
                response = find_response(target, request)
                if response is None:
                    response = _response(entry.directory, found["raw.txt"])
                    record_response(file, request, response, client="import")
        answer = Answer(request, response, reused=True, refused=())
        metadata |= call_record(experiment, generation, answer)
    target.mkdir(parents=True, exist_ok=True)
    _record(experiment, entry, found, parsed)
    lacking = [target / name for name in OUTPUTS if not (target / name).exists()]
    for path in lacking:
        if path.name == METADATA:
            write_json(path, {**metadata, "imported": True})
        else:
            write_text(path, found[path.name])
    return bool(lacking)


def _record(
    experiment: Experiment, entry: Entry, texts: Mapping[str, str], parsed: Mapping[str, str]
) -> None:
    """Record what the texts count as made from, where that is not recorded yet."""
    row = entry.generation
    named = entry.ancestors if recipes.names_ancestors(experiment, row) else entry.ancestors[-1:]
    ancestors = {link.stage: text_sha256(parsed[link.gen_id]) for link in named}
    prompt, raw, own = (text_sha256(texts[name]) for name in TEXTS)
    parent = text_sha256(parsed[row.parent_gen_id]) if row.parent_gen_id else None
    known = read_record(entry.target)
    for phase, made in {
        "prompt": Made(of_prompt(experiment, row, ancestors), prompt),
        "raw": Made(of_raw(experiment, row, prompt=prompt, parent=parent), raw),
        "parsed": Made(of_parsed(experiment, row, raw=raw), own),
    }.items():
        if phase not in known:
            record_made(entry.target, phase, made)


def _response(directory: Path, raw: str) -> Response:
    """Return an answer of the source as a chat completion."""
    notes = {path.name: read_json(path) for path in notes_of(directory)}
    told = {**notes[METADATA], **notes.get("raw_metadata.json", {})}
    duration_s = told.get("duration_s")
    body = {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": raw},
                "finish_reason": "length" if told.get("truncated") else told.get("finish_reason"),
            }
        ],
        "usage": told.get("usage"),
        "imported": notes,
    }
    return Response(
        body=body,
        started_at=str(told.get("started_at") or told.get("created_at") or ""),
        duration_s=float(duration_s) if isinstance(duration_s, int | float) else 0.0,
    )

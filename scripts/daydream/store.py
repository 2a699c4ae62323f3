"""The store: ``data/gens/<stage>/<gen_id>/``, one directory a generation.

    prompt.txt   the text that is sent
    raw.txt      the text that came back, exactly
    parsed.txt   what the parser made of it
    metadata.json            what is known of the answer in raw.txt
    responses/<sha256>.json  the journal: every answer ever paid for, by the hash of its request

The journal is no output of any rule, so nothing that Snakemake deletes or makes anew can lose it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from daydream.errors import StoreError
from daydream.files import write_json
from daydream.llm.request import Request, Response

GENS = "data/gens"
RESPONSES = "responses"
OUTPUTS = ("prompt.txt", "raw.txt", "metadata.json", "parsed.txt")


def generation_file(stage: str, gen_id: str, name: str) -> str:
    """Return the path of a generation's file, relative to the working directory."""
    return f"{GENS}/{stage}/{gen_id}/{name}"


def read_json(path: str | Path) -> dict[str, Any]:
    """Return the object in a JSON file of the store.

    Raises:
        StoreError: the file is missing, or holds no JSON object.
    """
    try:
        value = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); make it again") from error
    except ValueError as error:
        raise StoreError(f"{path}: is no JSON ({error}); restore it, or delete it") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path}: holds no JSON object; restore it, or delete it")
    return value


def find_response(directory: Path, request: Request) -> Response | None:
    """Return the journaled answer to an equal request in a generation's directory, if any.

    Raises:
        StoreError: there is an entry, but it is damaged. It is not asked again for money: the user
            restores or deletes it.
    """
    path = directory / RESPONSES / f"{request.sha256}.json"
    if not path.exists():
        return None
    entry = read_json(path)
    try:
        return Response(
            body=entry["response"],
            headers=entry["headers"],
            attempts=entry["attempts"],
            started_at=entry["started_at"],
            duration_s=entry["duration_s"],
        )
    except KeyError as error:
        raise StoreError(f"{path}: lacks {error}; restore it, or delete it") from error


def record_response(directory: Path, request: Request, response: Response) -> None:
    """Journal an answer so that it survives the crash of process and machine."""
    journal = directory / RESPONSES
    journal.mkdir(parents=True, exist_ok=True)
    write_json(
        journal / f"{request.sha256}.json",
        {
            "request_sha256": request.sha256,
            "provider": request.provider,
            "sample": request.sample,
            "request": request.body(),
            "response": response.body,
            "headers": response.headers,
            "attempts": response.attempts,
            "started_at": response.started_at,
            "duration_s": response.duration_s,
        },
        durable=True,
    )

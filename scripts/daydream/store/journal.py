"""The journal: every answer that was paid for, `responses/<request sha256>.json`.

It is not an output of any rule, so Snakemake never deletes it. If the bytes of an answer are not
simply the JSON of a chat completion, they are kept too, even if they hold no chat completion at
all. The answer is then read from them each time.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daydream.errors import CallError, StoreError
from daydream.files import ReservedFile, is_reserved, sync_directory, text_sha256
from daydream.llm.reading import read_answer
from daydream.llm.request import RawAnswer, Request, Response, one_line
from daydream.store.layout import RESPONSES, generation_file, read_json
from daydream.store.spill import spill

# The name of an entry's checksum; entries of earlier versions have none.
CHECKSUM = "checksum"
# Seconds between two checks of an entry that another thread or process has claimed.
CLAIM_PAUSE_S = 0.1


def find_response(directory: Path, request: Request) -> Response | None:
    """Return the journaled answer to the same request in a generation's directory, if any.

    Raises:
        StoreError: the entry is damaged. The call is not paid for again: the user restores or
            deletes the entry.
    """
    entry = read_entry(directory, request.sha256)
    return None if entry is None else entry[1]


def read_entry(directory: Path, sha256: str) -> tuple[Request, Response] | None:
    """Return a journaled request and its answer, if there is an entry with that hash.

    Raises:
        StoreError: the entry is damaged, or its name is not the hash of its request.
    """
    path = directory / RESPONSES / f"{sha256}.json"
    if not path.exists():
        return None
    entry = read_json(path)
    try:
        request = Request.of_body(
            entry["request"], provider=entry["provider"], sample=entry["sample"]
        )
        raw = _raw_answer(entry)
        reading = None if raw is None else read_answer(raw.content, raw.content_type)
        response = Response(
            body=dict(entry["response"]) if reading is None else reading.body,
            headers=dict(entry["headers"]),
            attempts=entry["attempts"],
            started_at=entry["started_at"],
            duration_s=entry["duration_s"],
            raw=raw,
            problem="" if reading is None else reading.problem,
            batch=entry.get("batch", ""),
        )
    except KeyError as error:
        raise StoreError(f"{path}: lacks {error}; restore it, or delete it") from error
    except (AttributeError, CallError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path}: is not a journal entry ({one_line(error)}); restore it, or delete it"
        ) from error
    if entry.get(CHECKSUM, checksum := checksum_of(entry)) != checksum:
        raise StoreError(
            f"{path}: is not what was written, as its checksum is another one; restore it, or take "
            f"the line {CHECKSUM!r} out to keep it as it is"
        )
    if request.sha256 != sha256:
        raise StoreError(f"{path}: holds another request ({request.sha256}); restore or delete it")
    return request, response


def checksum_of(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an entry without its checksum, independent of its layout."""
    said = {name: value for name, value in entry.items() if name != CHECKSUM}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text_sha256(text)


def _raw_answer(entry: Mapping[str, Any]) -> RawAnswer | None:
    raw = entry.get("raw")
    return raw and RawAnswer(base64.b64decode(raw["base64"]), raw["content_type"])


def journaled(directory: Path) -> list[str]:
    """Return the sorted hashes of the requests whose answers a generation's journal has."""
    return sorted(path.stem for path in (directory / RESPONSES).glob("*.json"))


def answered_samples(stage: str, gen_id: str) -> list[int]:
    """Return the numbers of the samples whose answers a generation's journal has."""
    directory = Path(generation_file(stage, gen_id, ""))
    entries = (read_json(directory / RESPONSES / f"{name}.json") for name in journaled(directory))
    return sorted({entry.get("sample", 0) for entry in entries})


def claim_entry(directory: Path, request: Request, *, wait: Callable[[], object]) -> ReservedFile:
    """Claim the entry for the answer to a request: only the holder may ask for it.

    A claim excludes all other threads and processes that work on the same files. While another one
    holds it, `wait` is called repeatedly. The holder checks again for the answer before it asks.
    A claim also reserves disk space, so that a full disk is noticed before a call is paid for.

    Raises:
        OSError: the file system does not have the space, or does not allow the file.
    """
    journal = directory / RESPONSES
    created = not journal.is_dir()
    journal.mkdir(parents=True, exist_ok=True)
    if created:
        sync_directory(directory)
    return ReservedFile(journal / f"{request.sha256}.json", size=_room(request), wait=wait)


def is_claimed(directory: Path, request: Request) -> bool:
    """Tell whether a thread or process holds the claim to the answer to a request."""
    return is_reserved(directory / RESPONSES / f"{request.sha256}.json")


def is_journaled(directory: Path, request: Request) -> bool:
    """Tell whether there is an entry for a request, without reading it."""
    return (directory / RESPONSES / f"{request.sha256}.json").exists()


# The size of each model's largest entry in this process, in bytes.
_largest: dict[str, int] = {}


def _room(request: Request) -> int:
    """Return how many bytes an entry may need: 8 per token, and the prompt that it repeats.

    A model that has given a larger answer may give one of twice that size.
    """
    prompt = sum(len(text.encode()) for _, text in request.asked)
    room = 16_384 + 2 * prompt + 8 * (request.max_tokens or 8_192)
    return max(room, 2 * _largest.get(request.model, 0))


def record_response(
    file: ReservedFile, request: Request, response: Response, *, client: str = ""
) -> None:
    """Journal an answer so that it survives a crash of the process or the machine.

    `client` names the software that made the call, with its version. An answer that the journal
    cannot take is kept elsewhere (`daydream.store.spill`).

    Raises:
        StoreError: the file system does not take it; the line says where the answer is.
    """
    entry: dict[str, object] = {
        "request_sha256": request.sha256,
        "provider": request.provider,
        "client": client,
        "sample": request.sample,
        "request": request.body(),
        "response": response.body,
        "headers": response.headers,
        "attempts": response.attempts,
        "started_at": response.started_at,
        "duration_s": response.duration_s,
    }
    if response.raw is not None:
        content = base64.b64encode(response.raw.content).decode()
        entry["raw"] = {"content_type": response.raw.content_type, "base64": content}
    if response.batch:
        entry["batch"] = response.batch
    entry[CHECKSUM] = checksum_of(entry)
    text = json.dumps(entry, ensure_ascii=False, indent=1) + "\n"
    _largest[request.model] = max(_largest.get(request.model, 0), len(text.encode()))
    try:
        file.write(text)
    except StoreError as error:
        kept = spill(file.path, text)
        found, _, remedy = str(error.args[0]).rpartition("; ")
        raise StoreError(
            f"{found}, so that the answer is kept in {kept} until the next run; {remedy}"
        ) from error

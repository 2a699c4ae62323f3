"""What came of each request of a batch, from the files that its provider gave back.

Rows may be missing, come twice or in any order, be damaged, or be those of nobody: each request of
the batch gets exactly one outcome.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daydream.calls.batch.items import tell
from daydream.files import parse_json
from daydream.llm.batches import RemoteBatch
from daydream.llm.failures import may_pass
from daydream.llm.reading import read_answer
from daydream.llm.request import RawAnswer, Response, error_message, one_line
from daydream.store.batches import ERRORS, OUTPUT, BatchRecord

JSON = "application/json"
# gRPC's codes for requests that are refused whenever they come, and the HTTP statuses for them:
# an invalid argument, something that is not there, what is forbidden.
FOR_GOOD = (3, 5, 7, 400, 403, 404, 413, 422)
# Anthropic's kinds of errors, and the statuses that they have elsewhere.
STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """An answer, or why there is none.

    `event` is the ledger's word for it: ``reject`` costs nothing, ``lose`` may have cost its most.
    `for_good`: asking in another batch would not help.
    """

    response: Response | None = None
    event: str = "end"
    reason: str = ""
    for_good: bool = False


def read_outcomes(record: BatchRecord, *, unfinished: bool) -> dict[str, Outcome]:
    """Return the outcome of each request of a batch by its custom_id.

    An `unfinished` batch has expired or was cancelled: a request without a row was not answered,
    and costs nothing. Of another one, it may have cost its most.
    """
    found: dict[str, Outcome] = {}
    strangers = 0
    for name in (OUTPUT, ERRORS):
        for row in _rows(record.directory / name):
            key = row.get("custom_id", row.get("key"))
            if not isinstance(key, str) or key not in record.members:
                strangers += 1
                continue
            outcome = _outcome(row, record)
            if key not in found or found[key].response is None:
                found[key] = outcome
    if strangers:
        tell(f"{record.directory}: {strangers:,} rows are of no request of this batch")
    missing = (
        Outcome(event="reject", reason="not answered")
        if unfinished
        else Outcome(event="lose", reason="no row came back")
    )
    return {name: found.get(name, missing) for name in record.members}


def requests_with_rows(record: BatchRecord) -> int:
    """Return of how many of a batch's requests rows came back."""
    return len(record.members.keys() & _keys(record))


def is_of_others(record: BatchRecord, remote: RemoteBatch) -> bool:
    """Tell whether a provider's batch, which is over, cannot be taken for that of a record.

    If it has no rows as nothing was answered, nothing says whose it is, and ours may be another.
    """
    if keys := _keys(record):
        return record.members.keys().isdisjoint(keys)
    return remote.state == "failed" or not remote.completed + remote.failed


def _keys(record: BatchRecord) -> set[str]:
    """Return the names that the rows have."""
    return {
        str(row.get("custom_id", row.get("key")))
        for name in (OUTPUT, ERRORS)
        for row in _rows(record.directory / name)
    }


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = parse_json(line)
            except ValueError:
                value = None
            if isinstance(value, dict):
                yield value
            else:
                tell(f"{path}, line {number}: is not an answer; it is left alone")


def _outcome(row: Mapping[str, Any], record: BatchRecord) -> Outcome:
    """Return what a row says, in the shape of whichever API gave it."""
    if "result" in row:
        return _of_result(row["result"], record)
    answer, error = row.get("response"), row.get("error")
    if not isinstance(answer, Mapping):
        return _of_error(error)
    if "key" in row:
        return _answered(answer, record)
    status, body = answer.get("status_code"), answer.get("body")
    if status != 200 and isinstance(status, int):
        said = one_line(error_message(body) if body else error_message(error or ""), limit=200)
        return Outcome(
            event="reject" if status < 500 else "lose",
            reason=f"{status} {said}",
            for_good=not may_pass(status),
        )
    return _answered(body, record)


def _of_error(error: object) -> Outcome:
    """Return what a row without a response says; its error has gRPC's code, or HTTP's."""
    told = error if isinstance(error, Mapping) else {}
    said = one_line(error_message(error) if error else "no answer", limit=200)
    code = told.get("code")
    return Outcome(event="reject", reason=said, for_good=code in FOR_GOOD)


def _of_result(result: object, record: BatchRecord) -> Outcome:
    """Return what a row of Anthropic's says; only an answer is charged."""
    told = result if isinstance(result, Mapping) else {}
    if "message" in told:
        return _answered(told["message"], record)
    outer = told.get("error")
    error = outer.get("error", outer) if isinstance(outer, Mapping) else outer
    kind = error.get("type") if isinstance(error, Mapping) else None
    said = one_line(error_message(error) if error else told.get("type", "no answer"), limit=200)
    status = STATUSES.get(str(kind))
    return Outcome(
        event="reject",
        reason=said if status is None else f"{status} {said}",
        for_good=status is not None and not may_pass(status),
    )


def _answered(body: object, record: BatchRecord) -> Outcome:
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    reading = read_answer(content)
    if not reading.answered:
        return Outcome(event="lose", reason=one_line(reading.problem, limit=200))
    return Outcome(
        response=Response(
            body=reading.body,
            started_at=record.created_at,
            duration_s=0.0,
            raw=None if reading.verbatim else RawAnswer(content, JSON),
            problem=reading.problem,
            batch=record.batch_id,
        )
    )

"""Reads what `snakemake` prints and writes: the one place that knows how it looks.

The tests of this directory know Daydream by its command line and its files alone. Where a message
or a format changes, this module is what follows.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

NOTHING = "Nothing to be done"
# A refusal is one line that begins with its code in brackets.
REFUSAL = re.compile(r"^\[[a-z]+\] \S.*$", re.MULTILINE)
# What two runs of the same generation may differ in: when, how long, and from where.
TIMES = frozenset(
    {"started_at", "duration_s", "attempts", "reused", "cost_usd", "slurm_job_id", "refused"}
)


class Job(NamedTuple):
    """A job by its rule and the values of its wildcards."""

    rule: str
    wildcards: tuple[str, ...]


_LISTED = re.compile(r"^(\w+) ((?:\w+=\S+ ?)+) # ", re.MULTILINE)
_STARTED = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):$")
_WILDCARDS = re.compile(r"^    wildcards: (.*)$")
_FINISHED = re.compile(r"^Finished jobid: (\d+) \(Rule: (\w+)\)$", re.MULTILINE)


def listed(output: str) -> set[Job]:
    """Return the jobs that a dry run names: those with wildcards, so no targets."""
    return {Job(rule, tuple(words.split())) for rule, words in _LISTED.findall(output)}


def done(directory: Path) -> set[Job]:
    """Return the jobs with wildcards that the last run in a directory began, from its log."""
    logs = sorted((directory / ".snakemake/log").glob("*.snakemake.log"))
    if not logs:
        return set()
    found = set()
    rule = ""
    for line in logs[-1].read_text(errors="replace").splitlines():
        if match := _STARTED.match(line):
            rule = match[1]
        elif rule and (match := _WILDCARDS.match(line)):
            found.add(Job(rule, tuple(match[1].split(", "))))
            rule = ""
    return found


def of_generations(jobs: set[Job]) -> set[Job]:
    """Return the jobs that make a generation's files."""
    return {job for job in jobs if any(word.startswith("gen_id=") for word in job.wildcards)}


def refusals(output: str) -> list[str]:
    """Return the different lines of errors in an output."""
    return list(dict.fromkeys(REFUSAL.findall(output)))


def started(output: str) -> bool:
    """Tell whether a run, or a dry run, has come as far as its jobs."""
    return "Job stats" in output or NOTHING in output


class Calls(NamedTuple):
    """Calls that are foreseen: those for certain, and those that wait for another's answer."""

    certain: int
    more: int

    def allow(self, made: int) -> bool:
        """Tell whether a run may make so many."""
        return self.certain <= made <= self.certain + self.more


def plan_rows(directory: Path) -> list[dict[str, str]]:
    """Return the rows of data/plan.csv."""
    return table(directory / "data/plan.csv")


def planned(directory: Path) -> Calls:
    """Return the calls that data/plan.csv foresees."""
    rows = plan_rows(directory)
    return Calls(sum(int(row["call"]) for row in rows), sum(int(row["waiting"]) for row in rows))


class Verdict(NamedTuple):
    """The last lines of `explain`: jobs and calls of one lineage."""

    jobs: int
    calls: Calls


def explained(output: str) -> Verdict:
    """Return what `explain` says that a run does."""
    if "Nothing has changed since" in output:
        return Verdict(0, Calls(0, 0))
    match = re.search(
        r"A run does ([\d,]+) of [\d,]+ jobs? and makes (no|[\d,]+) calls?"
        r"(?: and ([\d,]+) more at most)?",
        output,
    )
    assert match, f"no verdict in:\n{output}"
    return Verdict(_number(match[1]), Calls(_number(match[2]), _number(match[3] or "0")))


def _number(text: str) -> int:
    return 0 if text == "no" else int(text.replace(",", ""))


def completed(output: str) -> tuple[int, int] | None:
    """Return what the closing summary counts as complete, and of how many; None without one."""
    found = re.search(r"^all +([\d,]+) +([\d,]+) +([\d,]+)$", output, re.MULTILINE)
    if found is None:
        return None
    complete, failed, waiting = map(_number, found.groups())
    return complete, complete + failed + waiting


def stage_counts(output: str) -> dict[str, int]:
    """Return the numbers of generations by stage that an output tells of, as `draft  2`."""
    found = re.findall(r"\b(draft|essay|evaluation)s?\b[:\s]+([\d,]+)\b", output)
    flipped = re.findall(r"\b([\d,]+) (draft|essay|evaluation)s?\b", output)
    pairs = [*found, *((stage, count) for count, stage in flipped)]
    return {stage: _number(count) for stage, count in pairs}


# Files


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def metadata(text: str) -> dict[str, Any]:
    """Return a metadata.json without what two runs may differ in."""
    return {name: value for name, value in json.loads(text).items() if name not in TIMES}


def journal_entry(path: Path) -> tuple[dict[str, Any], Any]:
    """Return the body that was asked, and the answer's choices."""
    entry = json.loads(path.read_bytes())
    return entry["request"], entry["response"].get("choices")


_PACKED = re.compile(r'<script type="text/plain"([^>]*)>([^<]*)</script>')


def page(text: str) -> dict[str, Any]:
    """Return what an explorer page holds: its rows by gen_id, its index, and the rest of it."""
    packed = {}
    chunks: list[Any] = []
    for attributes, data in _PACKED.findall(text):
        value = json.loads(gzip.decompress(base64.b64decode(data)))
        if "chunk" in attributes:
            chunks += value
        else:
            packed[attributes] = value
    (index,) = packed.values()
    rows = {
        gen_id: (parsed, raw, prompt, told and metadata(told), sorted(name for name, _ in journal))
        for gen_id, (parsed, raw, prompt, told, journal) in zip(
            index["rows"]["id"], chunks, strict=True
        )
    }
    return {"rows": rows, "index": index, "page": _PACKED.sub("", text)}


def comparable(name: str, data: bytes) -> object:
    """Return the content of a file without the times in it, so that two runs can be compared."""
    if name.endswith("metadata.json"):
        return metadata(data.decode())
    if name.endswith("choices.json"):
        # The run that chose differs.
        choices = json.loads(data).items()
        return {gen_id: {**choice, "run": ""} for gen_id, choice in choices}
    if name.endswith("explorer/index.html"):
        return page(data.decode())
    if name.endswith(".csv"):
        rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
        header = [column for column in rows.fieldnames or () if column not in TIMES]
        return [header, *([row[column] for column in header] for row in rows)]
    return data


def scores(path: Path) -> dict[str, str]:
    """Return the score of each row of a score table, which is empty where there is none."""
    return {row["gen_id"]: row["score"] for row in table(path)}


def differences(left: object, right: object, where: str = "") -> Iterator[str]:
    """Yield where two contents differ, in a few words each."""
    if left == right:
        return
    if isinstance(left, dict) and isinstance(right, dict):
        for name in dict.fromkeys([*left, *right]):
            yield from differences(left.get(name), right.get(name), f"{where}.{name}")
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
        if len(left) != len(right):
            yield f"{where}: {len(left)} items, not {len(right)}"
        for place, (one, other) in enumerate(zip(left, right, strict=False)):
            yield from differences(one, other, f"{where}[{place}]")
    else:
        yield f"{where}: {_short(left)}, not {_short(right)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 90 else f"{text[:87]}…"

"""Combos made from the concepts: further rows of the table of combos.

A combo is an ordered set of concepts at one level of description. Its id is made from these alone,
so the same combo gets the same id on every machine: ``combo_`` and 16 base-36 digits of the hash of
its key, ``level|concept|concept|...``. The table is only ever appended to, as generations name the
combos they were made from: whatever stands in it stays, byte for byte, and a combo that is there
already, under any id, is not added again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from math import comb
from pathlib import Path

from daydream.catalog.records import Catalog
from daydream.errors import InputError, Problem, Problems, nearest
from daydream.files import write_text
from daydream.generations.keys import KeyCodec, gen_id
from daydream.tables import csv_text, header_of

CODE = "combos"
LIMIT = 100_000
COLUMNS = ("combo_id", "version", "concept_id", "description_level", "k_max", "created_at")

_SHOWN = 20

Concepts = tuple[str, ...]


def combo_id(concepts: Sequence[str], level: str) -> str:
    """Return the id of the combo of these concepts, in this order, at a level of description."""
    codec = KeyCodec(["level", *(f"concept_{place}" for place in range(len(concepts)))])
    return gen_id(stage="combo", prefix="combo", key=codec.encode_values([level, *concepts]))


def add_combos(
    catalog: Catalog,
    path: Path,
    *,
    size: int | None,
    level: str | None,
    concepts: Sequence[str] | None = None,
) -> str:
    """Append every choice of `size` of the concepts, or of those given, and say what was added.

    Raises:
        InputError: something of what is asked cannot be, or an id stands for another combo; the
            table stays as it is.
    """
    chosen = tuple(catalog.concepts if concepts is None else map(str, concepts))
    if size is None or level is None:
        remedy = "give both, such as: --config size=3 level=paragraph"
        problem = Problem(file="--config", found="found no size or no level", remedy=remedy)
        raise InputError(CODE, [problem])
    _check_request(catalog, chosen, size=size, level=level)
    known = {combo.concepts for combo in catalog.combos.values()}
    choices = list(combinations(chosen, size))
    new = {
        combo_id(choice, level): choice
        for choice in choices
        if tuple((concept, level) for concept in choice) not in known
    }
    _check_ids(catalog, path, new, level=level)
    if new:
        write_text(path, _extended(path, new, level=level))
    return _summary(path, new, total=len(choices), of=len(chosen), size=size, level=level)


def _check_request(catalog: Catalog, chosen: Concepts, *, size: int, level: str) -> None:
    problems = Problems(CODE)
    for name in dict.fromkeys(chosen):
        if name not in catalog.concepts:
            found = f"found {name!r}, which is not a concept"
            problems.add("--config", found, nearest(name, catalog.concepts), column="concepts")
        elif chosen.count(name) > 1:
            found = f"found {name!r} {chosen.count(name)} times"
            problems.add("--config", found, "give each concept once", column="concepts")
    problems.check()
    if not 1 <= size <= len(chosen):
        remedy = f"give a number from 1 to {len(chosen)}, or more concepts"
        if not chosen:
            remedy = "give concepts_metadata.csv a row for each concept"
        problems.add("--config", f"found {size} of {len(chosen)} concepts", remedy, column="size")
    elif comb(len(chosen), size) > LIMIT:
        found = f"{size} of {len(chosen)} concepts make {comb(len(chosen), size):,} combos"
        remedy = f"give fewer concepts, as in concepts=[a, b, c]; {LIMIT:,} combos are the most"
        problems.add("--config", found, remedy, column="size")
    levels = {path.name.removeprefix("descriptions-") for path in _level_directories(catalog)}
    if level not in levels:
        found = f"found {level!r}, which is not a level of description"
        problems.add("--config", found, nearest(level, levels), column="level")
    else:
        for name in chosen:
            text = catalog.concept_path(name, level)
            if not text.is_file():
                found = f"concept {name!r} has no text at level {level!r}"
                problems.add(text, found, "write it, or leave the concept out")
    problems.check()


def _level_directories(catalog: Catalog) -> list[Path]:
    return [path for path in (catalog.root / "concepts").glob("descriptions-*") if path.is_dir()]


def _check_ids(catalog: Catalog, path: Path, new: Mapping[str, Concepts], *, level: str) -> None:
    """Refuse an id that stands for another combo: generations that name it would change theirs."""
    problems = Problems(CODE)
    for name, choice in new.items():
        if name in catalog.combos:
            there = ", ".join(concept for concept, _ in catalog.combos[name].concepts)
            found = f"found {name!r} as {there}, but it is the id of {', '.join(choice)} at {level}"
            problems.add(path, found, "give the combo that is there another id", column="combo_id")
    problems.check()


def _extended(path: Path, new: Mapping[str, Concepts], *, level: str) -> str:
    """Return the table's text with rows for the new combos, in its own columns and line ends."""
    before = _before(path)
    separator, header = header_of(before.removeprefix("\ufeff"), COLUMNS[:1])
    newline = "\r\n" if before.partition("\n")[0].endswith("\r") else "\n"
    if header and not before.endswith("\n"):
        before += newline
    today = datetime.now(UTC).date().isoformat()
    records = (
        dict(zip(COLUMNS, (name, "v1", concept, level, len(choice), today), strict=True))
        for name, choice in new.items()
        for concept in choice
    )
    rows = ([record.get(name) for name in header or COLUMNS] for record in records)
    return before + csv_text(
        None if header else COLUMNS, rows, exact=True, separator=separator, newline=newline
    )


def _before(path: Path) -> str:
    """Return the table as it is, a byte order mark included, which new rows are appended to."""
    if not path.exists():
        return ""
    data = path.read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        found = "found UTF-16, which rows are not appended to"
        remedy = "save the file as UTF-8 (in Excel: Save As, CSV UTF-8)"
        raise InputError(CODE, [Problem(file=str(path), found=found, remedy=remedy)]) from error


def _summary(
    path: Path, new: Mapping[str, Concepts], *, total: int, of: int, size: int, level: str
) -> str:
    combos = f"{total:,} combo{'' if total == 1 else 's'}"
    lines = [
        f"{combos} of {size} of {of} concepts at level {level}: {len(new):,} added to {path}, "
        f"{total - len(new):,} there already"
    ]
    lines += [f"  {name}  {', '.join(choice)}" for name, choice in list(new.items())[:_SHOWN]]
    if len(new) > _SHOWN:
        lines.append(f"  … and {len(new) - _SHOWN:,} more")
    return "\n".join(lines)

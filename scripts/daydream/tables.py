"""Tables and texts that users write, read strictly: UTF-8 CSV files with a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daydream.errors import InputError, Problems, nearest


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: the line it begins on (the header is line 1) and its cells by column."""

    line: int
    values: Mapping[str, str]


def read_text(path: Path, *, code: str) -> str:
    """Return a text file as it is, without a byte order mark; refuse what is not UTF-8."""
    problems = Problems(code)
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.add(path, f"cannot be read ({error.strerror})", "put the file there")
        problems.check()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"found the byte 0x{data[error.start]:02x}, which is not UTF-8"
        problems.add(path, found, "save the file as UTF-8", line=line)
        problems.check()
        raise


def read_table(
    path: Path, *, code: str, required: Sequence[str], optional: Sequence[str] = ()
) -> list[Row]:
    """Return the rows of a CSV file that has at least the columns `required`.

    `optional` columns are those whose absence means empty cells; any others are kept as well.

    Raises:
        InputError: everything that is wrong with the form of the file.
    """
    problems = Problems(code)
    rows = scan_table(path, problems, required=required, optional=optional)
    problems.check()
    return rows


def scan_table(
    path: Path, problems: Problems, *, required: Sequence[str], optional: Sequence[str] = ()
) -> list[Row]:
    """Return the rows that can be used, as `read_table`, and note what is wrong with the others."""
    try:
        text = read_text(path, code=problems.code)
    except InputError as error:
        problems.found.extend(error.problems)
        return []
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        problems.add(path, "found a NUL character", "remove it", line=line)
        return []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not _is_header(header, path, problems, required):
            return []
        absent = dict.fromkeys((name for name in optional if name not in header), "")
        line = reader.line_num
        for cells in reader:
            begin, line = line + 1, reader.line_num
            if not cells:
                continue
            if len(cells) != len(header):
                found = f"found {len(cells)} cells under {len(header)} columns"
                remedy = "give each column one cell, and quote a cell that holds a comma"
                problems.add(path, found, remedy, line=begin)
                continue
            values = dict(zip(header, map(str.strip, cells), strict=True))
            empty = [name for name in required if not values[name]]
            for name in empty:
                problems.add(path, "found an empty cell", "fill it", line=begin, column=name)
            if not empty:
                rows.append(Row(begin, {**values, **absent}))
    except csv.Error as error:
        remedy = "close its quotes, and double those inside"
        problems.add(path, f"found what is no CSV ({error})", remedy, line=reader.line_num)
    return rows


def _is_header(
    header: Sequence[str], path: Path, problems: Problems, required: Sequence[str]
) -> bool:
    before = len(problems.found)
    if not any(header):
        remedy = f"begin it with the columns {', '.join(required) or 'of the table'}"
        problems.add(path, "the table has no header", remedy, line=1)
        return False
    for name in dict.fromkeys(name for name in header if header.count(name) > 1):
        remedy = "name each column once"
        problems.add(path, f"found the column {name!r} twice", remedy, line=1, column=name)
    for name in required:
        if name not in header:
            remedy = f"add it, or correct its name; {nearest(name, header)}"
            problems.add(path, f"there is no column {name!r}", remedy, line=1)
    return len(problems.found) == before

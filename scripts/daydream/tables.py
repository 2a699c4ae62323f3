"""Tables and texts that users write, read exactly or refused.

A table is a CSV file in UTF-8 whose first row, the header, names its columns. A byte order mark,
CRLF, quoted cells and blank lines are accepted. A row knows the line it begins on, counted in line
feeds as an editor does, so that a problem found in it later can still say where it stands.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daydream.errors import InputError, Problems, nearest


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: the line it begins on (the header is line 1) and its cells by column."""

    line: int
    values: Mapping[str, str]


def read_text(path: Path, *, code: str) -> str:
    """Return a text file as it is: newlines are kept, just a byte order mark is dropped.

    Raises:
        InputError: the file cannot be read, or one of its bytes is no UTF-8.
    """
    problems = Problems(code)
    try:
        data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
        return data.decode()
    except OSError as error:
        problems.add(path, f"cannot be read ({error.strerror})", "put a readable file there")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - before.rfind(b"\n")
        found = f"found the byte 0x{data[error.start]:02x} as byte {column}, which is not UTF-8"
        problems.add(path, found, "save the file as UTF-8", line=before.count(b"\n") + 1)
    raise InputError(code, problems.found)


def read_table(
    path: Path, *, code: str, required: Sequence[str], optional: Sequence[str] = ()
) -> list[Row]:
    """Return the rows of a table, every cell without blanks around it.

    `required` columns must be there and filled in each row; an `optional` one that is not there
    counts as empty cells; any others are kept.

    Raises:
        InputError: everything that is wrong with the file's form.
    """
    problems = Problems(code)
    rows = list(scan_table(path, problems, required=required, optional=optional))
    problems.check()
    return rows


def scan_table(
    path: Path, problems: Problems, *, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[Row]:
    """Yield the rows that `read_table` returns, and on the way note what is wrong with others.

    So a caller can report what else it finds wrong together with that, and need not hold a large
    table. A row with an empty cell in a `required` column, which is noted, is yielded as well.
    """
    try:
        text = read_text(path, code=problems.code)
    except InputError as error:
        problems.found += error.problems
        return
    before = len(problems.found)
    records = _records(path, problems, text)
    begin, header = next(records, (1, []))
    if header:
        _check_header(path, problems, begin, header, required=required, optional=optional)
    elif len(problems.found) == before:
        names = ",".join(required)
        remedy = f"begin it with the header {names}" if names else "begin it with a header"
        problems.add(path, "found no header, as the file is empty", remedy, line=begin)
    if len(problems.found) > before:
        return
    absent = dict.fromkeys((name for name in optional if name not in header), "")
    for line, cells in records:
        if len(cells) != len(header):
            found = f"found {_count(len(cells), 'cell')} under {_count(len(header), 'column')}"
            remedy = "give each column one cell, and quote a cell that holds a comma"
            problems.add(path, found, remedy, line=line)
            continue
        values = dict(zip(header, cells, strict=True))
        values.update(absent)
        if "" in cells:
            for name in required:
                if not values[name]:
                    problems.add(path, "found an empty cell", "fill it", line=line, column=name)
        yield Row(line, values)


def _records(path: Path, problems: Problems, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the stripped cells of each row with the line it begins on; blank lines are no rows."""
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        problems.add(path, "found a NUL character", "save the file as UTF-8 text", line=line)
        return
    # Split at line feeds alone, so that a lone carriage return is refused, not taken for a row.
    lines = io.StringIO(text, newline="\n")
    reader = csv.reader(lines, strict=True, skipinitialspace=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, list(map(str.strip, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        reason = str(error).partition(" - ")[0]  # what follows is advice to programmers
        remedy = (
            "close each quote, double those inside a quoted cell, and end lines with LF or CRLF"
        )
        problems.add(path, f"found a row that is no CSV ({reason})", remedy, line=line)


def _check_header(
    path: Path,
    problems: Problems,
    line: int,
    header: Sequence[str],
    *,
    required: Sequence[str],
    optional: Sequence[str],
) -> None:
    for name in dict.fromkeys(name for name in header if header.count(name) > 1):
        found = f"found the column {name!r} {header.count(name)} times"
        problems.add(path, found, "rename or remove all but one", line=line)
    # A column that has a meaning of its own would be a misleading hint.
    free = [name for name in header if name not in required and name not in optional]
    for name in required:
        if name not in header:
            remedy = f"add it or rename one; {nearest(name, free or header)}"
            problems.add(path, f"found no column {name!r}", remedy, line=line)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

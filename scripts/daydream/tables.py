"""Tables and texts that users write, read exactly or refused; and the one writer of CSV.

A table is a CSV file whose first row, the header, names its columns. What spreadsheet programs make
of one is taken: a byte order mark, CRLF, quoted cells of several lines, blank rows, blank columns
without a name, a semicolon or tab in place of the comma, and Excel's first line ``sep=;``. A row
knows the line it begins on, counted in line feeds as an editor does, so that a problem found in it
later can still say where it stands.

Texts are UTF-8, or UTF-16 with a byte order mark: the mark says so, hence nothing is guessed. Bytes
that are neither are refused, as what they mean could only be guessed.

What a table is written with, `csv_text`, keeps spreadsheet programs from running a text in it: one
that they would take for a formula has an apostrophe before it, which `read_records` takes off.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from daydream.errors import InputError, Problems, nearest

_COMMA, _SEMICOLON, _TAB = ",", ";", "\t"
_SEPARATORS = {_COMMA: "comma", _SEMICOLON: "semicolon", _TAB: "tab"}
# Excel writes such a line above the header, and reads it, for a separator that is not its own.
_SEP = re.compile('"?sep=([,;\t])"?\r?\n', re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf)")
# What a spreadsheet program takes for a formula, full-width signs too, and such a text guarded.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
# What a cell that is ticked or not may say, in any case.
YES = ("yes", "y", "true", "x", "1", "1.0")
NO = ("no", "n", "false", "-", "0", "0.0")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A cell may hold a whole text; Python's limit of 131,072 characters guards nothing here.
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: the line it begins on (the header is line 1) and its cells by column."""

    line: int
    values: Mapping[str, str]


def csv_text(
    header: Sequence[str] | None,
    rows: Iterable[Iterable[object]],
    *,
    exact: bool = False,
    separator: str = _COMMA,
    newline: str = "\n",
) -> str:
    """Return a table as the text of a CSV file; None is an empty cell.

    Texts are `guarded`, those of the header too, unless other programs read the table, which need
    each as it is (`exact`). Without a header it is the rows alone.
    """
    found = rows if header is None else chain([header], rows)
    table = list(found if exact else ([*map(guarded, row)] for row in found))
    page = io.StringIO(newline="")
    csv.writer(page, delimiter=separator, lineterminator=newline).writerows(table)
    text = page.getvalue()
    if newline == "\r\n" or "\r" not in text:
        return text
    # A writer quotes the line breaks that are its own alone, and readers take a bare carriage
    # return for the end of a row.
    lines = _Lines()
    csv.writer(lines, delimiter=separator, lineterminator="\r\n").writerows(table)
    return "".join(f"{line[:-2]}{newline}" for line in lines)


class _Lines(list[str]):
    """The rows that a `csv.writer` writes, one by one."""

    write = list.append


def guarded(cell: object) -> object:
    """Return a cell that no spreadsheet program runs: a text like a formula begins with a quote.

    A number stays as it is, a negative one too. `unguarded` takes exactly this quote off.
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unguarded(cell: str) -> str:
    """Return the text that `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def is_yes(cell: str) -> bool | None:
    """Return what a cell for yes or no says; None if it is neither. An empty one says no."""
    word = unguarded(cell.strip()).casefold()
    return True if word in YES else False if word in ("", *NO) else None


def read_records(path: str | Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the header and the rows of a table that `csv_text` made, each text as it was given.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        cells = ([*map(unguarded, row)] for row in csv.reader(file))
        header, rows = next(cells, []), list(cells)
    return header, [dict(zip(header, row, strict=False)) for row in rows]


def read_text(path: Path, *, code: str, utf16: bool = True) -> str:
    """Return a text file as it is: newlines are kept, just a byte order mark is dropped.

    `utf16`: whether UTF-16 with a byte order mark is taken as well; not where Snakemake reads the
    file, too.

    Raises:
        InputError: the file cannot be read, or one of its bytes is not UTF-8.
    """
    problems = Problems(code)
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.add(path, f"cannot be read ({error.strerror})", "put a readable file there")
        raise InputError(code, problems.found) from error
    table = path.suffix.lower() in (".csv", ".tsv")
    remedy = "save the file as UTF-8" + (" (in Excel: Save As, CSV UTF-8)" if table else "")
    try:
        if utf16 and data.startswith(_UTF16):
            return data.decode("utf-16")
        data = data.removeprefix(codecs.BOM_UTF8)
        return data.decode()
    except UnicodeDecodeError as error:
        if error.encoding != "utf-8":
            problems.add(path, "begins as UTF-16, but is not", remedy)
        else:
            before = data[: error.start]
            column = error.start - before.rfind(b"\n")
            found = f"found the byte 0x{data[error.start]:02x} as byte {column}, which is not UTF-8"
            problems.add(path, found, remedy, line=before.count(b"\n") + 1)
        raise InputError(code, problems.found) from error


def decimal_comma(cell: str) -> str | None:
    """Return a number that is written with a decimal comma with a point instead, else None."""
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else None


def separator_of(text: str, required: Sequence[str] = ()) -> str | None:
    """Return what separates the cells of a table, None if it may be either of two.

    The header decides. Where more than one separator occurs in it, it is the one that makes the
    `required` columns, then the one that gives the next row as many cells, then the one that
    makes more columns.
    """
    if stated := _SEP.match(text):
        return stated[1]
    ranks: dict[str, tuple[bool, bool, int]] = {}
    for separator in _SEPARATORS:
        header, below = _first_rows(text, separator)
        if len(header) > 1 or separator == _COMMA:
            # A tab after each comma is a blank, not a separator.
            others = tuple(other for other in _SEPARATORS if other != separator)
            named = set(required) <= set(header)
            named = named and not any(name.endswith(others) for name in header[:-1])
            fits = not below or len(below) == len(header)
            ranks[separator] = (named, fits, len(header))
    best = max(ranks.values())
    found = [separator for separator, rank in ranks.items() if rank == best]
    if len(found) == 1:
        return found[0]
    return None if best[0] else _COMMA  # what is wrong with the header is said of it as CSV


def header_of(text: str, required: Sequence[str] = ()) -> tuple[str, list[str]]:
    """Return the separator and the header of a table's text, none if it is empty."""
    separator = separator_of(text, required) or _COMMA
    stated = _SEP.match(text)
    return separator, _first_rows(text[stated.end() :] if stated else text, separator)[0]


def _first_rows(text: str, separator: str) -> tuple[list[str], list[str]]:
    """Return the header and the first row under it, as far as they can be read."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=separator, skipinitialspace=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            cells = list(map(str.strip, row))
            if any(cells):
                rows.append(cells)
            if len(rows) == 2:
                break
    except csv.Error:
        pass  # said of the whole table later
    return (*rows, [], [])[0], (*rows, [], [])[1]


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
        # Some programs write a second mark after the one of the encoding.
        text = read_text(path, code=problems.code).lstrip("\ufeff")
    except InputError as error:
        problems.found += error.problems
        return
    before = len(problems.found)
    separator = separator_of(text, required)
    if separator is None:
        remedy = "separate columns by commas, and quote names that hold one"
        problems.add(path, "found a header with commas and semicolons or tabs", remedy, line=1)
        return
    records = _records(path, problems, text, separator)
    begin, header = next(records, (1, []))
    if header:
        header, records = _without_blank_columns(header, records)
        _check_header(path, problems, begin, header, required=required, optional=optional)
    elif len(problems.found) == before:
        names = ",".join(required)
        remedy = f"begin it with the header {names}" if names else "begin it with a header"
        problems.add(path, "found no header, as the file is empty", remedy, line=begin)
    if len(problems.found) > before:
        return
    absent = dict.fromkeys((name for name in optional if name not in header), "")
    for line, cells in records:
        if len(cells) > 1 and [cells[0].lstrip("\ufeff"), *cells[1:]] == header:
            # As where files were joined.
            problems.add(path, "found the header again", "remove this line", line=line)
            continue
        if len(cells) != len(header):
            found = f"found {_count(len(cells), 'cell')} under {_count(len(header), 'column')}"
            kind = _SEPARATORS[separator]
            remedy = f"give each column one cell, and quote a cell that holds a {kind}"
            problems.add(path, found, remedy, line=line)
            continue
        values = dict(zip(header, cells, strict=True))
        values.update(absent)
        if "" in cells:
            for name in required:
                if not values[name]:
                    problems.add(path, "found an empty cell", "fill it", line=line, column=name)
        yield Row(line, values)


def _records(
    path: Path, problems: Problems, text: str, separator: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the stripped cells of each row and the line it begins on; blank rows are skipped."""
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        problems.add(path, "found a NUL character", "save the file as UTF-8 text", line=line)
        return
    if "\r" in text and "\n" not in text:
        remedy = "save the file with LF or CRLF (in Excel: Save As, CSV UTF-8)"
        problems.add(path, "found lines that end in a carriage return alone", remedy, line=1)
        return
    # Split at line feeds alone, so that a lone carriage return is refused, not taken for a row.
    lines = io.StringIO(text, newline="\n")
    skipped = 1 if _SEP.match(text) else 0
    if skipped:
        next(lines)
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    line = 1 + skipped
    try:
        for row in reader:
            cells = list(map(str.strip, row))
            if any(cells):
                yield line, cells
            line = reader.line_num + 1 + skipped
    except csv.Error as error:
        reason = str(error).partition(" - ")[0]  # what follows is advice to programmers
        remedy = (
            "close each quote, double those inside a quoted cell, and end lines with LF or CRLF"
        )
        problems.add(path, f"found a row that is not CSV ({reason})", remedy, line=line)


def _without_blank_columns(
    header: list[str], records: Iterator[tuple[int, list[str]]]
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return a header and the rows under it without the columns that hold nothing at all.

    Rows lose empty cells at their end that no column is above, too.
    """
    width = len(header)

    def fitted(records: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
        for line, cells in records:
            while len(cells) > width and not cells[-1]:
                cells.pop()
            yield line, cells

    if "" not in header:
        return header, fitted(records)
    rows = list(fitted(records))
    used = [
        bool(name) or any(len(cells) > place and cells[place] for _, cells in rows)
        for place, name in enumerate(header)
    ]
    kept = [place for place, is_used in enumerate(used) if is_used]
    last = kept[-1] + 1
    whole = (
        (line, [cells[place] for place in kept] if last <= len(cells) <= width else cells)
        for line, cells in rows
    )
    return [header[place] for place in kept], whole


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
        remedy = "rename or remove all but one"
        if not name:
            found = f"found {header.count(name)} columns that hold cells, but have no name"
            remedy = "name them, or empty them"
        problems.add(path, found, remedy, line=line)
    # A column that has a meaning of its own would be a misleading hint.
    free = [name for name in header if name not in required and name not in optional]
    for name in required:
        if name not in header:
            remedy = f"add it or rename one; {nearest(name, free or header)}"
            problems.add(path, f"found no column {name!r}", remedy, line=line)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

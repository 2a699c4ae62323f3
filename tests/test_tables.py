"""Tables and texts: what users write is read exactly, or refused with the place and the remedy."""

from __future__ import annotations

import csv
import io
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daydream.errors import InputError, Problems
from daydream.tables import (
    Row,
    csv_text,
    guarded,
    read_records,
    read_table,
    read_text,
    scan_table,
    unguarded,
)

BOM = b"\xef\xbb\xbf"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let paths be relative, as they are in a workflow."""
    monkeypatch.chdir(tmp_path)


def table(content: bytes | str) -> Path:
    path = Path("t.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(content: bytes | str, *required: str, optional: tuple[str, ...] = ()) -> list[Row]:
    return read_table(table(content), code="catalog", required=required, optional=optional)


def refusals(content: bytes | str, *required: str) -> list[str]:
    with pytest.raises(InputError) as error:
        read(content, *required)
    return str(error.value).split("\n")


# What is accepted


@pytest.mark.parametrize("mark", [b"", BOM], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "unended"])
def test_the_same_rows_whatever_the_form_of_the_file(mark: bytes, end: bytes, last: bool) -> None:
    """A byte order mark, CRLF and a missing last line end change nothing."""
    content = mark + end.join([b"id,name", b"a,\xc3\x84", b'b,"x, y"']) + (end if last else b"")
    assert read(content, "id", "name") == [
        Row(2, {"id": "a", "name": "Ä"}),
        Row(3, {"id": "b", "name": "x, y"}),
    ]


def test_a_row_is_frozen() -> None:
    """Nobody changes a row under another's hands."""
    [row] = read("id\na\n", "id")
    with pytest.raises(FrozenInstanceError):
        row.line = 3  # type: ignore[misc]


def test_blanks_around_cells_and_names_are_dropped() -> None:
    """Quoted or not; blanks inside stay."""
    rows = read('id , "name"\n\ta b  , " c, d "\n', "id")
    assert rows == [Row(2, {"id": "a b", "name": "c, d"})]


def test_further_columns_are_kept() -> None:
    """In the order of the header; what they hold is nobody's business here."""
    [row] = read("x,id,\n1,a,2\n", "id")
    assert list(row.values.items()) == [("x", "1"), ("id", "a"), ("", "2")]


def test_an_optional_column_that_is_not_there_counts_as_empty_cells() -> None:
    """An old table may lack it; one that is there may be empty."""
    assert read("id,parser\na,\n", "id", optional=("parser", "pool")) == [
        Row(2, {"id": "a", "parser": "", "pool": ""})
    ]


def test_a_header_alone_is_a_table_without_rows() -> None:
    """As is one that required nothing."""
    assert read("id,name\n", "id") == []
    assert read("id\n") == []


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_row_knows_the_line_it_begins_on(end: str) -> None:
    """Cells of several lines, a header of two and blank lines are counted as an editor does."""
    lines = ["", 'id,"two', 'lines"', 'a,"1', "2", '3"', "", "b,4", "", ""]
    rows = read(end.join(lines), "id")
    assert [(row.line, row.values["id"]) for row in rows] == [(4, "a"), (8, "b")]
    assert rows[0].values[f"two{end}lines"] == end.join("123")


def test_quotes() -> None:
    """Doubled ones inside a quoted cell are one; those inside an unquoted cell stay."""
    [row] = read('a,b\n"say ""hi""",5" disk\n')
    assert row.values == {"a": 'say "hi"', "b": '5" disk'}


cells = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(cells, cells), max_size=6),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    separator=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_a_csv_writer_writes_is_read(
    rows: list[tuple[str, str]], encoding: str, separator: str, end: str
) -> None:
    """Every text comes back without the blanks around it, and with the line it begins on.

    But for rows that hold blanks alone.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b"])
    expected = []
    for row in rows:
        line = file.getvalue().count("\n") + 1
        if any(map(str.strip, row)):
            expected.append(Row(line, {"a": row[0].strip(), "b": row[1].strip()}))
        writer.writerow(row)
    assert read(file.getvalue().encode(encoding)) == expected


# What spreadsheet programs make of a table


@pytest.mark.parametrize(
    "content",
    [
        "id,name\n,\na,x\n , \n\nb,y\n,,,\n",
        "id,name,,\na,x,,\nb,y,,\n,,,\n",
        ",id,name\n,a,x\n,b,y\n",
        "id,,name\na,,x\nb,,y\n",
        "id,name\na,x,,\nb,y\n",
        "id,name,,\na,x\nb,y,\n",
        "id;name\na;x\nb;y\n",
        "id\tname\na\tx\nb\ty\n",
        "sep=;\nid;name\na;x\nb;y\n",
        '"sep=\t"\r\nid\tname\r\na\tx\r\nb\ty\r\n',
        "SEP=,\nid,name\na,x\nb,y\n",
        '\n;;\n"id";name;\n"a";x;\n"b";y;\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_blank_rows_and_columns_and_any_separator(content: str, encoding: str) -> None:
    """The table is what it was before a program wrote it."""
    rows = read(content.encode(encoding), "id", "name")
    assert [row.values for row in rows] == [{"id": "a", "name": "x"}, {"id": "b", "name": "y"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_second_byte_order_mark_is_not_in_the_header(encoding: str) -> None:
    """As a program writes it that marks a text that is marked already."""
    (row,) = read("\ufeff\ufeffid,name\na,b\n".encode(encoding), "id", "name")
    assert row.values == {"id": "a", "name": "b"}


def test_a_row_below_a_stated_separator_knows_its_line() -> None:
    """The line ``sep=;`` is one of the file's lines; so are blank rows."""
    rows = read('sep=;\nid;name\n;\na;"1\n2"\nb;3\n', "id")
    assert [row.line for row in rows] == [4, 6]


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("a;b,c\nx;y,z\n", None),
        ("a;b,c\nx,z\n", ["a;b", "c"]),
        ("a;b,c\nx;y\n", ["a", "b,c"]),
        ("My picks; by hand\na\nb\n", ["My picks; by hand"]),
        ("My picks\na;b\n", ["My picks"]),
        ('"a;b",c\nx,y\n', ["a;b", "c"]),
        ('"a,b";c\nx;y\n', ["a,b", "c"]),
        ("a,\tb\nx,\ty\n", ["a", "b"]),
    ],
)
def test_the_separator_is_that_of_the_header(content: str, columns: list[str] | None) -> None:
    """Where two may be meant, the row below tells; if it does not, the table is refused."""
    if columns is not None:
        assert list(read(content)[0].values) == columns
        return
    assert refusals(content) == [
        "[catalog] t.csv, line 1: found a header with commas and semicolons or tabs; "
        "separate columns by commas, and quote names that hold one"
    ]


def test_a_column_that_is_required_tells_the_separator() -> None:
    """Whatever else a header holds."""
    assert read("id,notes; remarks\na,x; y\n", "id") == [
        Row(2, {"id": "a", "notes; remarks": "x; y"})
    ]


def test_a_cell_may_be_longer_than_pythons_limit() -> None:
    """An item may be a whole article."""
    [row] = read(f"id,text\na,{'x' * 200_000}\n", "id")
    assert len(row.values["text"]) == 200_000


# What is refused


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "",
            "t.csv, line 1: found no header, as the file is empty; "
            "begin it with the header id,name",
        ),
        (
            BOM,
            "t.csv, line 1: found no header, as the file is empty; "
            "begin it with the header id,name",
        ),
        (
            "\n\r\n\n",
            "t.csv, line 1: found no header, as the file is empty; "
            "begin it with the header id,name",
        ),
        (
            "id,nome\na,b\n",
            "t.csv, line 1: found no column 'name'; add it or rename one; did you mean 'nome'?",
        ),
        (
            "id\na\n",
            "t.csv, line 1: found no column 'name'; add it or rename one; known: 'id'",
        ),
        (
            "\nid,name,x,id,id\n",
            "t.csv, line 2: found the column 'id' 3 times; rename or remove all but one",
        ),
        (
            b"id,name\na,\xe9t\xe9\n",
            "t.csv, line 2: found the byte 0xe9 as byte 3, which is not UTF-8; "
            "save the file as UTF-8 (in Excel: Save As, CSV UTF-8)",
        ),
        (
            BOM + b"id,name\r\na,b\r\n\xff",
            "t.csv, line 3: found the byte 0xff as byte 1, which is not UTF-8; "
            "save the file as UTF-8 (in Excel: Save As, CSV UTF-8)",
        ),
        (
            "id,name".encode("utf-16")[:-1],
            "t.csv: begins as UTF-16, but is not; "
            "save the file as UTF-8 (in Excel: Save As, CSV UTF-8)",
        ),
        (
            "id,name\n".encode("utf-32"),
            "t.csv, line 1: found a NUL character; save the file as UTF-8 text",
        ),
        (
            "id,name\ra,b\r",
            "t.csv, line 1: found lines that end in a carriage return alone; "
            "save the file with LF or CRLF (in Excel: Save As, CSV UTF-8)",
        ),
        (
            "id;name\na;b\n\nc;d;e\n",
            "t.csv, line 4: found 3 cells under 2 columns; "
            "give each column one cell, and quote a cell that holds a semicolon",
        ),
        (
            "sep=;\nid;name\na;\n",
            "t.csv, line 3, column name: found an empty cell; fill it",
        ),
        (
            "id,,name,\na,1,b,2\n",
            "t.csv, line 1: found 2 columns that hold cells, but have no name; "
            "name them, or empty them",
        ),
        (
            b"id,name\na,b\nc\0,d\n",
            "t.csv, line 3: found a NUL character; save the file as UTF-8 text",
        ),
        (
            'id,name\n"a\nb",c,d\n',
            "t.csv, line 2: found 3 cells under 2 columns; "
            "give each column one cell, and quote a cell that holds a comma",
        ),
        (
            'id,name\n"a\nb",c\nd\n',
            "t.csv, line 4: found 1 cell under 2 columns; "
            "give each column one cell, and quote a cell that holds a comma",
        ),
        ("id,name\na,b\nc, \n", "t.csv, line 3, column name: found an empty cell; fill it"),
        ('id,name\n\n"a\nb",\n', "t.csv, line 3, column name: found an empty cell; fill it"),
        (
            'id,name\na,b\nc,"d\ne,f\ng,h\n',
            "t.csv, line 3: found a row that is not CSV (unexpected end of data); "
            "close each quote, double those inside a quoted cell, and end lines with LF or CRLF",
        ),
        (
            'id,name\na,b\nc,"d"e\nf\n',
            "t.csv, line 3: found a row that is not CSV (',' expected after '\"'); "
            "close each quote, double those inside a quoted cell, and end lines with LF or CRLF",
        ),
        (
            'id,"name\n',
            "t.csv, line 1: found a row that is not CSV (unexpected end of data); "
            "close each quote, double those inside a quoted cell, and end lines with LF or CRLF",
        ),
        (
            "id,name\na,b\rc,d\n",
            "t.csv, line 2: found a row that is not CSV (new-line character seen in unquoted "
            "field); "
            "close each quote, double those inside a quoted cell, and end lines with LF or CRLF",
        ),
    ],
)
def test_a_table_is_refused_in_one_line(content: bytes | str, message: str) -> None:
    """The file, the line, what stands there, and what to do."""
    assert refusals(content, "id", "name") == [f"[catalog] {message}"]


def test_an_empty_file_of_any_columns() -> None:
    """No column can be named then."""
    assert refusals("")[0].endswith("; begin it with a header")


def test_a_file_that_cannot_be_read() -> None:
    """It is missing, or a directory."""
    with pytest.raises(InputError) as error:
        read_table(Path("none.csv"), code="spec", required=())
    message = "[spec] none.csv: cannot be read (No such file or directory); "
    assert str(error.value) == message + "put a readable file there"
    Path("d.csv").mkdir()
    with pytest.raises(InputError, match=r"d\.csv: cannot be read \(Is a directory\)"):
        read_table(Path("d.csv"), code="spec", required=())


def test_all_problems_of_a_table_are_reported_together() -> None:
    """Each once, in the order of the lines."""
    found = refusals("id,name,x\n,,1\na,b\nc,d,\ne,,2\nf,g,h,i\n", "id", "name")
    assert [line.split(":")[0] for line in found] == [
        "[catalog] t.csv, line 2, column id",
        "[catalog] t.csv, line 2, column name",
        "[catalog] t.csv, line 3",
        "[catalog] t.csv, line 5, column name",
        "[catalog] t.csv, line 6",
    ]


def test_a_header_in_mid_file_is_named_once() -> None:
    """As where two files were joined, the second with a mark of its own."""
    [line] = refusals("id,name\na,b\n\ufeffid, name\nc,d\n", "id", "name")
    assert line == "[catalog] t.csv, line 3: found the header again; remove this line"
    assert len(read("name\nname\n", "name")) == 1, "a row of one column may say the same"


def test_all_problems_of_a_header_are_reported_together() -> None:
    """The rows below it cannot be judged then."""
    found = refusals("idd,x,x\na\n", "id", "name")
    assert [line.split(": ")[1].split(";")[0] for line in found] == [
        "found the column 'x' 2 times",
        "found no column 'id'",
        "found no column 'name'",
    ]


def test_the_nearest_column_is_none_that_has_a_meaning_of_its_own() -> None:
    """A combo's id is not the concept's."""
    [line] = refusals("concept_id,comboid\na,b\n", "combo_id", "concept_id")
    assert line.endswith("did you mean 'comboid'?")


def test_a_scan_yields_what_can_be_read_and_notes_the_rest() -> None:
    """So what else is wrong with a table is found in the same run; earlier problems stay."""
    problems = Problems("catalog")
    problems.add("other.csv", "found a", "do b")
    rows = scan_table(table("id,name\na,\nb\nc,d\n"), problems, required=("id", "name"))
    assert [row.values["id"] for row in rows] == ["a", "c"]
    assert [(problem.file, problem.line) for problem in problems.found] == [
        ("other.csv", None),
        ("t.csv", 2),
        ("t.csv", 3),
    ]
    with pytest.raises(InputError):
        problems.check()


# Texts


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        (b"a\r\nb\rc\n\n", "a\r\nb\rc\n\n"),
        (BOM + "é 🜁".encode(), "é 🜁"),
        (BOM + BOM, "\ufeff"),
        ("é 🜁\r\n".encode("utf-16"), "é 🜁\r\n"),
        (b"\xfe\xff" + "é".encode("utf-16-be"), "é"),
        (b" \0\x0b ", " \0\x0b "),
    ],
)
def test_a_text_is_read_as_it_is(content: bytes, text: str) -> None:
    """Just one byte order mark is dropped."""
    path = Path("x.txt")
    path.write_bytes(content)
    assert read_text(path, code="spec") == text


def test_a_text_is_refused_in_one_line() -> None:
    """What is not UTF-8, and what cannot be read."""
    path = Path("x.txt")
    path.write_bytes(BOM + b"ok\nab\xc3(\n")
    with pytest.raises(InputError) as error:
        read_text(path, code="spec")
    found = "found the byte 0xc3 as byte 3, which is not UTF-8"
    assert str(error.value) == f"[spec] x.txt, line 2: {found}; save the file as UTF-8"
    with pytest.raises(InputError, match=r"^\[spec\] none\.txt: cannot be read"):
        read_text(Path("none.txt"), code="spec")


# What is written

FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\r=1",
    "\n=1",
    "＝1",
    "- a",
    "-",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_is_guarded(text: str) -> None:
    """In the header, too; a table for programs has it as it is."""
    path = Path("t.csv")
    path.write_text(csv_text(["id", text], [["a", text]]), newline="")
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["id", f"'{text}"], ["a", f"'{text}"]]
    assert read_records(path) == (["id", text], [{"id": "a", text: text}])
    assert [row[0] for row in csv.reader(io.StringIO(csv_text(None, [[text]], exact=True)))] == [
        text
    ]


def test_numbers_are_never_guarded() -> None:
    """Nor is a text that is one, a text that merely holds such a sign, or an empty cell."""
    cells = [-1.5, 7, None, "-1.5", "+.5", "-1e-9", "a=1", "'tis", "", " =1", "d_39|grow"]
    assert csv_text(None, [cells]) == "-1.5,7,,-1.5,+.5,-1e-9,a=1,'tis,, =1,d_39|grow\n"


@given(st.text(st.sampled_from("'=+-@\t\r\n＝＋1.e,\"; a"), max_size=6))
def test_a_guarded_text_is_read_as_it_was_given(text: str) -> None:
    """Also one that began with an apostrophe before."""
    shown = guarded(text)
    assert isinstance(shown, str)
    assert unguarded(shown) == text


def test_the_rows_of_a_table_in_another_form() -> None:
    """As they are appended to one that is there; a table without rows is a header."""
    rows = csv_text(None, [["a", "b,c"], ["d", None]], separator=";", newline="\r\n")
    assert rows == "a;b,c\r\nd;\r\n"
    path = Path("t.csv")
    path.write_text(csv_text(["a", "b"], []))
    assert path.read_text() == "a,b\n"
    assert read_records(path) == (["a", "b"], [])
    path.write_text("")
    assert read_records(path) == ([], [])

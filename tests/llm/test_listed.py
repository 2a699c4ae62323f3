"""Objects with a long list in them, read as they come."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daydream.llm import listed
from daydream.llm.listed import Listed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def read(content: bytes, size: int = 7) -> tuple[list[str], dict[str, object]]:
    found = Listed(pieces(content, size), "results")
    return list(found), found.rest


@settings(max_examples=50)
@given(
    st.dictionaries(st.text(), VALUES),
    st.lists(VALUES),
    st.integers(1, 50),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_what_is_read_in_pieces_is_what_is_there(
    rest: dict[str, Any], values: list[Any], size: int, indent: int | None, plain: bool
) -> None:
    """Wherever the pieces end, and however it is written."""
    rest.pop("results", None)
    whole = {**rest, "results": values, "status": "completed"}
    content = json.dumps(whole, indent=indent, ensure_ascii=plain).encode("utf-8", "replace")
    kept = json.loads(content)
    rows, others = read(content, size)
    assert [json.loads(row) for row in rows] == kept.pop("results")
    assert others == kept
    assert not any("\n" in row for row in rows)


@pytest.mark.parametrize("value", [None, {}, "text"])
def test_another_value_in_place_of_the_list(value: object) -> None:
    found = Listed([json.dumps({"results": value}).encode()], "results")
    assert list(found) == []
    assert not found.found
    assert found.rest == {"results": value}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"1",
        b'{"results": [1, 2',
        b'{"results": [1 2]}',
        b'{"results": [1],',
        b'{"results": [tru]}',
        b'{"status": "x',
        b'{"status" 1}',
        b'{"results": ' + 100_000 * b"[",
    ],
)
def test_what_is_no_such_object_is_an_error(content: bytes) -> None:
    """Also one that ends early, as at a broken connection."""
    with pytest.raises(ValueError, match=r"JSON|nested"):
        read(content)


def test_values_are_lines_as_they_came() -> None:
    """But for what a line cannot hold: they were paid for, however they are written."""
    content = b'{"results": [{"a":1.10, "b": "\xff"}, {"text": "two\nlines"},\n {"c":\n1}]}'
    rows, _ = read(content)
    assert rows == ['{"a":1.10, "b": "\ufffd"}', '{"text": "two\\nlines"}', '{"c": 1}']


def test_a_value_without_an_end_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "MOST", 1000)
    chunks = iter([b'{"results": ["', *(20_000 * b"x" for _ in range(50))])
    with pytest.raises(ValueError, match="is not JSON"):
        list(Listed(chunks, "results"))
    assert sum(1 for _ in chunks) > 40, "it is not read to its end"


def test_one_value_is_held_at_a_time() -> None:
    row = json.dumps({"text": "x" * 100_000}).encode()
    chunks = (part for _ in range(300) for part in (row, b","))
    tracemalloc.start()
    content = Listed(_around(b'{"results": [', chunks, row + b"]}"), "results")
    count = sum(1 for _ in content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 301
    assert peak < 5_000_000


def _around(first: bytes, chunks: Iterator[bytes], last: bytes) -> Iterator[bytes]:
    yield first
    yield from chunks
    yield last

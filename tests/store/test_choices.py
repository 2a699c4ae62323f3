"""Which answer counts: a damaged file of choices is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daydream.errors import StoreError
from daydream.store.choices import Choice, choose, read_choices


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in an empty project."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()


def test_what_is_chosen_is_read_again() -> None:
    choose("d_1", Choice(sample=2, run="r"))
    choose("d_2", Choice(request="abc"))
    assert read_choices() == {"d_1": Choice(sample=2, run="r"), "d_2": Choice(request="abc")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"d_1": []}',
        '{"d_1": {"sample": "two"}}',
        '{"d_1": {"sample": -1}}',
        '{"d_1": {"sample": true}}',
        '{"d_1": {"sample": 1.5}}',
        '{"d_1": {"request": 7}}',
        '{"d_1": {"run": {}}}',
        '{"d_1": {"other": 1}}',
        json.dumps({"d_1": {"sample": 1}})[:-3],
        "[" * 100_000,
        "\udcff",
    ],
    ids=lambda text: ascii(text[:30]),
)
def test_a_damaged_file_is_one_line(text: str) -> None:
    """It is named, with what to do; no choice is guessed."""
    Path("data/choices.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StoreError) as error:
        read_choices()
    (line,) = str(error.value).splitlines()
    assert line.startswith("[store] data/choices.json: cannot be read (")
    assert line.endswith("restore or delete it")

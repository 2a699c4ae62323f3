"""`combos`: rows of the table of combos, made from the concepts."""

from __future__ import annotations

import csv
import io
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.cohorts import combos
from daydream.cohorts.combos import add_combos, combo_id
from daydream.errors import InputError
from daydream.tables import read_table
from project import Project
from test_import import experiment

TABLE = Path("data/combo_mappings.csv")


@pytest.fixture(autouse=True)
def _inside(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.dir)


def add(project: Project, size: int | None, level: str | None, *concepts: str) -> str:
    catalog = experiment(project).catalog
    return add_combos(catalog, TABLE, size=size, level=level, concepts=concepts or None)


def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(TABLE.read_bytes().decode("utf-8-sig"))))


def added() -> dict[str, tuple[str, ...]]:
    """Return the concepts of each combo that was made."""
    found: dict[str, tuple[str, ...]] = {}
    for row in rows():
        if row["combo_id"].startswith("combo_"):
            found[row["combo_id"]] = (*found.get(row["combo_id"], ()), row["concept_id"])
    return found


def test_every_choice_is_a_combo(project: Project) -> None:
    """In the order of the concepts; the catalog then has them, each under its id."""
    text = add(project, 2, "paragraph")
    assert text.startswith("3 combos of 2 of 3 concepts at level paragraph: 3 added to data/combo_")
    choices = list(combinations(["tide", "loom", "fog"], 2))
    assert added() == {combo_id(choice, "paragraph"): choice for choice in choices}
    row = rows()[-1]
    assert (row["version"], row["description_level"], row["k_max"]) == ("v1", "paragraph", "2")
    known = experiment(project).catalog.combos
    assert known[combo_id(("tide", "fog"), "paragraph")].concepts == (
        ("tide", "paragraph"),
        ("fog", "paragraph"),
    )


def test_given_concepts_keep_their_order(project: Project) -> None:
    """The order is part of a combo, as prompts show it."""
    add(project, 2, "paragraph", "fog", "tide")
    assert list(added().values()) == [("fog", "tide")]


def test_what_is_there_is_not_added_again(project: Project) -> None:
    """Under whatever id it is there: `pair` is tide and loom in sentences."""
    before = TABLE.read_bytes()
    assert "2 added" in add(project, 2, "sentence")
    assert ("tide", "loom") not in added().values()
    after = TABLE.read_bytes()
    assert after.startswith(before)
    assert "0 added to data/combo_mappings.csv, 3 there already" in add(project, 2, "sentence")
    assert TABLE.read_bytes() == after


@pytest.mark.parametrize(
    "before",
    [
        "\ufeffcombo_id,concept_id,description_level\r\npair,tide,sentence\r\n",
        "note,description_level,combo_id,concept_id\nmine,sentence,pair,tide",
        "combo_id,concept_id,description_level\n",
        "combo_id;concept_id;description_level;;\r\npair;tide;sentence;;\r\n;;;;\r\n",
        "sep=\t\ncombo_id\tconcept_id\tdescription_level\n",
    ],
)
def test_the_table_keeps_its_form(project: Project, before: str) -> None:
    """Its bytes, its columns in their order, its line ends; a last line without one gets it."""
    project.write(str(TABLE), before)
    add(project, 3, "sentence")
    text = TABLE.read_bytes().decode()
    assert text.startswith(before)
    newline = "\r\n" if "\r\n" in before else "\n"
    assert text.count("\n") == text.count(newline)
    there = [row.values for row in read_table(TABLE, code="test", required=())]
    assert [row["concept_id"] for row in there[-3:]] == ["tide", "loom", "fog"]
    assert {row["description_level"] for row in there} == {"sentence"}


def test_an_id_that_stands_for_another_combo_is_refused(project: Project) -> None:
    """Generations are named by it; nothing is written."""
    name = combo_id(("tide", "fog"), "sentence")
    project.write(str(TABLE), f"combo_id,concept_id,description_level\n{name},loom,sentence\n")
    before = TABLE.read_bytes()
    with pytest.raises(InputError, match=f"found '{name}' as loom, but it is the id of tide, fog"):
        add(project, 2, "sentence")
    assert TABLE.read_bytes() == before


@pytest.mark.parametrize(
    ("size", "level", "concepts", "message"),
    [
        (4, "sentence", (), "found 4 of 3 concepts; give a number from 1 to 3"),
        (0, "sentence", (), "found 0 of 3 concepts"),
        (2, "paragraf", (), "found 'paragraf', which is not a level of description; did you mean"),
        (2, "sentence", ("tide", "fgo"), "found 'fgo', which is not a concept; did you mean 'fog'"),
        (1, "sentence", ("tide", "tide"), "found 'tide' 2 times; give each concept once"),
        (None, "sentence", (), "found no size or no level"),
        (2, None, (), "found no size or no level"),
    ],
)
def test_what_cannot_be_is_refused(
    project: Project, size: int | None, level: str | None, concepts: tuple[str, ...], message: str
) -> None:
    """In one line, with what to do; nothing is written."""
    before = TABLE.read_bytes()
    with pytest.raises(InputError) as error:
        add(project, size, level, *concepts)
    assert message in str(error.value)
    assert TABLE.read_bytes() == before


def test_a_concept_without_a_text_is_refused(project: Project) -> None:
    """Another level would be another experiment; one that is not chosen does not matter."""
    path = project.path("data/1_raw/concepts/descriptions-paragraph/fog.txt")
    path.unlink()
    with pytest.raises(InputError, match="concept 'fog' has no text at level 'paragraph'"):
        add(project, 2, "paragraph")
    assert "1 added" in add(project, 2, "paragraph", "tide", "loom")


def test_too_many_are_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any is made: 2 of 1,000 concepts are half a million."""
    monkeypatch.setattr(combos, "LIMIT", 2)
    with pytest.raises(InputError, match="2 of 3 concepts make 3 combos; give fewer concepts"):
        add(project, 2, "sentence")


names = st.text(min_size=1, max_size=8)
concept_lists = st.lists(names, min_size=1, max_size=4, unique=True).map(tuple)


@given(st.tuples(concept_lists, names), st.tuples(concept_lists, names))
def test_ids_differ_exactly_if_combos_do(
    left: tuple[tuple[str, ...], str], right: tuple[tuple[str, ...], str]
) -> None:
    """Whatever the names hold: delimiters, slashes, nothing printable."""
    assert (combo_id(*left) == combo_id(*right)) == (left == right)


def test_ids_never_change() -> None:
    """They name generations that were paid for."""
    assert combo_id(("tide", "loom"), "paragraph") == "combo_1susrqbm2y65bf7z"


def test_the_command_adds_what_a_spec_may_name(project: Project) -> None:
    """It says what it has added, and runs before any cohort is compiled."""
    output = project.snakemake(
        "combos", "--config", "size=2", "level=paragraph", "concepts=[fog, tide]"
    )
    assert "1 combo of 2 of 2 concepts at level paragraph: 1 added" in output
    (name,) = added()
    assert f"  {name}  fog, tide" in output
    assert name in experiment(project).catalog.combos

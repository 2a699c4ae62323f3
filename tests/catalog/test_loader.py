"""Catalogs: existing tables and texts load as they are, and every mistake in them is one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from dataclasses import replace as replaced
from pathlib import Path

import pytest

from daydream.catalog.loader import load_catalog
from daydream.catalog.records import Catalog, Combo, Concept, Model, Template
from daydream.errors import InputError

ROOT = Path("data/1_raw")
COMBOS = Path("data/combo_mappings.csv")
STAGES = ["draft", "essay", "evaluation"]
CONCEPTS = f"{ROOT}/concepts_metadata.csv"
DRAFTS = f"{ROOT}/draft_templates.csv"
EVALUATIONS = f"{ROOT}/evaluation_templates.csv"
MODELS = f"{ROOT}/llm_models.csv"
REPLICATES = f"{ROOT}/replication_config.csv"
MAPPINGS = str(COMBOS)

FILES = {
    CONCEPTS: "concept_id,name\ntide,The tide\nloom,A loom\nfog,Fog\n",
    f"{ROOT}/concepts/descriptions-sentence/tide.txt": "It comes.\n",
    f"{ROOT}/concepts/descriptions-sentence/loom.txt": "It weaves.\n",
    f"{ROOT}/concepts/descriptions-sentence/fog.txt": "It hides.\n",
    f"{ROOT}/concepts/descriptions-paragraph/tide.txt": "It comes. It goes.\n",
    MAPPINGS: (
        "combo_id,version,concept_id,description_level,k_max,created_at\n"
        "pair,v1,tide,sentence,2,2026-11-01\n"
        "pair,v1,loom,sentence,2,2026-11-01\n"
        "deep,v1,tide,paragraph,1,2026-11-01\n"
    ),
    DRAFTS: (
        "template_id,template_name,description,parser,generator\n"
        'plain,Plain,"Joins\nthem",essay_block,llm\n'
        "same,,,,copy\n"
        "bare,,,,\n"
    ),
    f"{ROOT}/templates/draft/plain.txt": "{{ concepts }}",
    f"{ROOT}/templates/draft/same.txt": "",
    f"{ROOT}/templates/draft/bare.txt": "",
    f"{ROOT}/essay_templates.csv": "template_id\ngrow\n",
    f"{ROOT}/templates/essay/grow.txt": "{{ parent }}",
    EVALUATIONS: "template_id,score_min,score_max\njudge,-1,.5e1\nscore,,\n",
    f"{ROOT}/templates/evaluation/judge.txt": "{{ response }}",
    f"{ROOT}/templates/evaluation/score.txt": "{{ response }}",
    MODELS: (
        "id,model,provider,display_name,specialization\n"
        "m1,org/model-1:free,local,Model 1,general\n"
        "org/m2,model-2,local,,\n"
    ),
}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write sound catalogs into a working directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        write(name, text)


def write(name: str, content: str | bytes) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def append(name: str, *lines: str) -> None:
    write(name, FILES[name] + "".join(f"{line}\n" for line in lines))


def load(mappings: Path | None = COMBOS) -> Catalog:
    return load_catalog(ROOT, mappings, STAGES)


def refusals() -> list[str]:
    with pytest.raises(InputError) as error:
        load()
    assert error.value.code == "catalog"
    return str(error.value).split("\n")


# What is accepted


def test_concepts_and_combos() -> None:
    """A combo's concepts stand in the order of their rows."""
    catalog = load()
    assert catalog.concepts == {
        "tide": Concept(concept_id="tide", name="The tide"),
        "loom": Concept(concept_id="loom", name="A loom"),
        "fog": Concept(concept_id="fog", name="Fog"),
    }
    assert catalog.combos == {
        "pair": Combo(combo_id="pair", concepts=(("tide", "sentence"), ("loom", "sentence"))),
        "deep": Combo(combo_id="deep", concepts=(("tide", "paragraph"),)),
    }


def test_templates() -> None:
    """What the catalog leaves open has a default, whether its cell or its column is missing."""
    templates = load().templates
    assert list(templates) == STAGES
    assert templates["draft"]["plain"] == Template(
        stage="draft",
        template_id="plain",
        name="Plain",
        description="Joins\nthem",
        parser="essay_block",
        generator="llm",
        score_min=0,
        score_max=9,
        path=ROOT / "templates/draft/plain.txt",
    )
    assert [template.generator for template in templates["draft"].values()] == [
        "llm",
        "copy",
        "llm",
    ]
    assert templates["essay"]["grow"] == Template(
        stage="essay",
        template_id="grow",
        name="grow",
        description="",
        parser="identity",
        generator="llm",
        score_min=0,
        score_max=9,
        path=ROOT / "templates/essay/grow.txt",
    )
    scales = [(row.score_min, row.score_max) for row in templates["evaluation"].values()]
    assert scales == [(-1, 5), (0, 9)]


def test_models() -> None:
    """A model's id names no file, so it may have slashes."""
    assert load().models == {
        "m1": Model(
            model_id="m1",
            model="org/model-1:free",
            provider="local",
            display_name="Model 1",
            pool="",
            usd_per_mtok_in=None,
            usd_per_mtok_out=None,
        ),
        "org/m2": Model(
            model_id="org/m2",
            model="model-2",
            provider="local",
            display_name="org/m2",
            pool="",
            usd_per_mtok_in=None,
            usd_per_mtok_out=None,
        ),
    }


def test_prices_and_pools() -> None:
    """They are optional, cell by cell; a model may cost nothing."""
    write(
        MODELS,
        "id,model,provider,pool,usd_per_mtok_in,usd_per_mtok_out\n"
        "m1,x,local,big,0.25,2\nm2,x,local,,0,\n",
    )
    m1, m2 = load().models.values()
    assert (m1.pool, m1.usd_per_mtok_in, m1.usd_per_mtok_out) == ("big", 0.25, 2)
    assert (m2.pool, m2.usd_per_mtok_in, m2.usd_per_mtok_out) == ("", 0, None)


def test_replicates() -> None:
    """The table is optional, and need not name every stage."""
    assert load().replicates == {}
    write(REPLICATES, "stage,replicates\nessay,3\ndraft,01\n")
    assert load().replicates == {"essay": 3, "draft": 1}


def test_tables_are_all_that_were_read() -> None:
    """Each once, so that an edit of any is noticed; what is optional only if it is there."""
    tables = {name for name in FILES if name.endswith(".csv")}
    assert sorted(map(str, load().tables)) == sorted(tables)
    write(REPLICATES, "stage,replicates\n")
    assert Path(REPLICATES) in load().tables
    Path(DRAFTS).unlink()
    assert Path(DRAFTS) not in load().tables
    assert load().templates["draft"] == {}


def test_texts_are_not_demanded() -> None:
    """The tables are judged alone: no cohort may use the rows whose text is missing."""
    shutil.rmtree(ROOT / "templates")
    shutil.rmtree(ROOT / "concepts")
    append(MAPPINGS, "new,v1,tyde,haiku,1,", "new,v1,fog,x/../y,1,")
    assert load().combos["new"].concepts == (("tyde", "haiku"), ("fog", "x/../y"))
    assert load().combos["new"].lines == (5, 6)


def test_a_copy_without_a_text_has_no_path() -> None:
    """Its prompt is its parent's text; one with a text keeps it, be it a link to nothing."""
    assert load().templates["draft"]["same"].path == ROOT / "templates/draft/same.txt"
    text = ROOT / "templates/draft/same.txt"
    text.unlink()
    assert load().templates["draft"]["same"].path is None
    text.symlink_to("nowhere")
    assert load().templates["draft"]["same"].path == text


def test_records_know_their_line() -> None:
    """So that what is wrong with their use can say where they stand; equality is not that of it."""
    assert [row.line for row in load().templates["draft"].values()] == [2, 4, 5]
    assert load().combos["deep"].lines == (4,)


def test_concept_path() -> None:
    """A text is where its level and id say."""
    path = load().concept_path("tide", "paragraph")
    assert path == ROOT / "concepts/descriptions-paragraph/tide.txt"
    assert path.is_file()


def test_records_are_frozen() -> None:
    """What all jobs share cannot be changed by one of them."""
    catalog = load()
    for record, field in [
        (catalog, "root"),
        (catalog.concepts["tide"], "name"),
        (catalog.combos["pair"], "concepts"),
        (catalog.templates["draft"]["plain"], "parser"),
        (catalog.models["m1"], "pool"),
    ]:
        with pytest.raises(FrozenInstanceError):
            setattr(record, field, "x")


def test_byte_order_marks_and_crlf_change_nothing() -> None:
    """As spreadsheets write them."""
    plain = load()
    for name, text in FILES.items():
        if name.endswith(".csv"):
            write(name, b"\xef\xbb\xbf" + text.encode().replace(b"\n", b"\r\n"))
    found = load()
    assert found.templates["draft"]["plain"].description == "Joins\r\nthem"
    assert (found.concepts, found.combos, found.models, found.tables) == (
        plain.concepts,
        plain.combos,
        plain.models,
        plain.tables,
    )


def test_further_columns_and_blank_lines_are_ignored() -> None:
    """An existing table may have more than anyone asks for."""
    plain = load()
    write(CONCEPTS, "name,mood,concept_id\nThe tide,wet,tide\n\nA loom,dry,loom\nFog,,fog\n\n")
    assert load() == plain


def test_a_combos_rows_need_not_be_adjacent_and_may_differ_in_version() -> None:
    """The order of the rows is that of the concepts all the same."""
    append(MAPPINGS, "pair,v2,fog,sentence,3,")
    assert load().combos["pair"].concepts == (
        ("tide", "sentence"),
        ("loom", "sentence"),
        ("fog", "sentence"),
    )


@pytest.mark.parametrize("name", ["a b", "Ünïcödé 🜁", "می‌خواهم", "a.b", "a|b", "-x", "%2F", "~"])
def test_ids_that_are_file_names(name: str) -> None:
    """Whatever a file can be called, but for a leading dot."""
    append(CONCEPTS, f"{name},Name")
    append(MAPPINGS, f"{name},,{name},sentence,,")
    append(DRAFTS, f"{name},,,,")
    write(f"{ROOT}/concepts/descriptions-sentence/{name}.txt", "")
    write(f"{ROOT}/templates/draft/{name}.txt", "")
    catalog = load()
    assert catalog.combos[name].concepts == ((name, "sentence"),)
    assert catalog.templates["draft"][name].path.is_file()


def test_ids_may_differ_in_case_alone() -> None:
    """The names of their files do too."""
    append(CONCEPTS, "Tide,Another")
    append(DRAFTS, "Plain,,,,")
    write(f"{ROOT}/templates/draft/Plain.txt", "")
    catalog = load()
    assert {"tide", "Tide"} < catalog.concepts.keys()
    assert {"plain", "Plain"} < catalog.templates["draft"].keys()


def test_a_workflow_without_concepts() -> None:
    """It has no mappings configured, or neither of the two tables."""
    catalog = load(None)
    assert (catalog.concepts, catalog.combos) == ({}, {})
    assert Path(CONCEPTS) not in catalog.tables
    assert COMBOS not in catalog.tables
    COMBOS.unlink()
    Path(CONCEPTS).unlink()
    assert load() == replaced(catalog, combo_mappings=COMBOS)


def test_a_stage_is_a_name_like_any_other() -> None:
    """Adding one takes a table and texts, no code."""
    write(f"{ROOT}/revision_templates.csv", "template_id\npolish\n")
    write(f"{ROOT}/templates/revision/polish.txt", "{{ parent }}")
    catalog = load_catalog(ROOT, COMBOS, [*STAGES, "revision"])
    assert catalog.templates["revision"]["polish"].stage == "revision"


def test_loading_imports_the_standard_library_alone() -> None:
    """It runs whenever Snakemake reads the workflow."""
    scripts = Path(__file__).parents[2] / "scripts"
    code = (
        "import sys; before = set(sys.modules); import daydream.catalog; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(scripts)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['daydream']\n"


def test_the_same_catalogs_are_equal_and_fresh() -> None:
    """Nothing is remembered between two loads: an edit shows in the next one."""
    first = load()
    assert load() == first
    append(MAPPINGS, "new,v1,fog,sentence,1,")
    assert "new" in load().combos


# What is refused

Change = Callable[[], object]
FILE_NAMES = "leave out slashes, backslashes, control characters and a leading dot"
PRICE = "write USD for a million tokens, or leave the cell empty"


def replace(name: str, old: str, new: str) -> Change:
    assert old in FILES[name]
    return lambda: write(name, FILES[name].replace(old, new))


def adding(name: str, *lines: str) -> Change:
    return lambda: append(name, *lines)


def writing(name: str, content: str | bytes) -> Change:
    return lambda: write(name, content)


def removing(name: str) -> Change:
    return lambda: Path(name).unlink()


def priced(cell: str, column: str = "usd_per_mtok_in") -> Change:
    return writing(MODELS, f'id,model,provider,{column}\nm1,x,local,"{cell}"\n')


def scored(low: str, high: str) -> Change:
    row = f'judge,"{low}","{high}"'
    return writing(EVALUATIONS, f"template_id,score_min,score_max\n{row}\n")


MISSING = "cannot be read (No such file or directory); put a readable file there"

CASES: dict[str, tuple[Change, str]] = {
    # Concepts and combos.
    "no metadata": (removing(CONCEPTS), f"{CONCEPTS}: {MISSING}"),
    "no mappings": (removing(MAPPINGS), f"{MAPPINGS}: {MISSING}"),
    "no concept_id column": (
        replace(CONCEPTS, "concept_id", "concept"),
        f"{CONCEPTS}, line 1: found no column 'concept_id'; "
        "add it or rename one; did you mean 'concept'?",
    ),
    "concept twice": (
        adding(CONCEPTS, "fog,Mist"),
        f"{CONCEPTS}, line 5, column concept_id: found 'fog', which line 4 has already; "
        "give each once",
    ),
    "concept without a name": (
        replace(CONCEPTS, "Fog", ""),
        f"{CONCEPTS}, line 4, column name: found an empty cell; fill it",
    ),
    "concepts not UTF-8": (
        writing(CONCEPTS, b"concept_id,name\ntide,The tide\nloom,\xe9\n"),
        f"{CONCEPTS}, line 3: found the byte 0xe9 as byte 6, which is not UTF-8; "
        "save the file as UTF-8 (in Excel: Save As, CSV UTF-8)",
    ),
    "concept twice in a combo": (
        adding(MAPPINGS, "pair,v2,tide,paragraph,2,"),
        f"{MAPPINGS}, line 5, column concept_id: "
        "found 'tide', which line 2 has in combo 'pair' already; "
        "give each concept of a combo once",
    ),
    "mapping without a level": (
        adding(MAPPINGS, "pair,v1,fog,,2,"),
        f"{MAPPINGS}, line 5, column description_level: found an empty cell; fill it",
    ),
    "mapping without a concept": (
        adding(MAPPINGS, "pair,v1,,sentence,2,"),
        f"{MAPPINGS}, line 5, column concept_id: found an empty cell; fill it",
    ),
    "control character in a combo": (
        adding(MAPPINGS, '"a\nb",v1,fog,sentence,1,', '"a\nb",v1,loom,sentence,1,'),
        f"{MAPPINGS}, line 5, column combo_id: found 'a\\nb', which has a control character; "
        "leave it out",
    ),
    # Templates.
    "no template_id column": (
        replace(DRAFTS, "template_id", "templ_id"),
        f"{DRAFTS}, line 1: found no column 'template_id'; "
        "add it or rename one; did you mean 'templ_id'?",
    ),
    "template twice": (
        adding(DRAFTS, "plain,,,,"),
        f"{DRAFTS}, line 6, column template_id: found 'plain', which line 2 has already; "
        "give each once",
    ),
    "unknown generator": (
        replace(DRAFTS, "copy", "coppy"),
        f"{DRAFTS}, line 4, column generator: found 'coppy', which is not a generator; "
        "did you mean 'copy'?",
    ),
    "score of text": (
        scored("low", ""),
        f"{EVALUATIONS}, line 2, column score_min: found 'low', which is not a number; "
        "write one such as 9 or 0.5",
    ),
    "endless score": (
        scored("", "inf"),
        f"{EVALUATIONS}, line 2, column score_max: found 'inf', which is not a number; "
        "write one such as 9 or 0.5",
    ),
    "score too large": (
        scored("", "1e999"),
        f"{EVALUATIONS}, line 2, column score_max: found '1e999', which is not a number; "
        "write one such as 9 or 0.5",
    ),
    "swapped scale": (
        scored("9", "1"),
        f"{EVALUATIONS}, line 2, column score_max: found '1', which makes a scale from 9 to 1; "
        "let score_min (empty: 0) be less than score_max (empty: 9)",
    ),
    "empty scale": (
        scored("", "0"),
        f"{EVALUATIONS}, line 2, column score_max: found '0', which makes a scale from 0 to 0; "
        "let score_min (empty: 0) be less than score_max (empty: 9)",
    ),
    "half a scale": (
        scored("10", ""),
        f"{EVALUATIONS}, line 2, column score_min: found '10', which makes a scale from 10 to 9; "
        "let score_min (empty: 0) be less than score_max (empty: 9)",
    ),
    # Models.
    "no models": (removing(MODELS), f"{MODELS}: {MISSING}"),
    "model twice": (
        adding(MODELS, "m1,x,local,,"),
        f"{MODELS}, line 4, column id: found 'm1', which line 2 has already; give each once",
    ),
    "model without a provider": (
        adding(MODELS, "m3,x, ,,"),
        f"{MODELS}, line 4, column provider: found an empty cell; fill it",
    ),
    "control character in a model": (
        adding(MODELS, '"m\x1b3",x,local,,'),
        f"{MODELS}, line 4, column id: found 'm\\x1b3', which has a control character; "
        "leave it out",
    ),
    "negative price": (
        priced("-0.1", "usd_per_mtok_out"),
        f"{MODELS}, line 2, column usd_per_mtok_out: found '-0.1', which is not a price; {PRICE}",
    ),
    # Replicates.
    "replicates of no stage": (
        writing(REPLICATES, "stage,replicates\nessays,2\n"),
        f"{REPLICATES}, line 2, column stage: found 'essays', which is not a stage; "
        "did you mean 'essay'?",
    ),
    "replicates twice": (
        writing(REPLICATES, "stage,replicates\nessay,2\nessay,3\n"),
        f"{REPLICATES}, line 3, column stage: found 'essay', which line 2 has already; "
        "give each once",
    ),
    "no count of replicates": (
        writing(REPLICATES, "stage,replicates\nessay,\n"),
        f"{REPLICATES}, line 2, column replicates: found an empty cell; fill it",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_mistake_is_one_line(case: str) -> None:
    """It says where, what stands there and what to do, and nothing follows from it."""
    change, message = CASES[case]
    change()
    assert refusals() == [f"[catalog] {message}"]


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/b", "a\\b", ".x", "..", "a\nb", "a\x1bb", "a\x7fb", "a\x85b"]
)
def test_ids_that_cannot_name_a_file(name: str) -> None:
    """No text outside its directory is ever looked for."""
    append(CONCEPTS, f'"{name}",X')
    append(MAPPINGS, f'new,v1,"{name}",sentence,1,')
    append(DRAFTS, f'"{name}",,,,')
    assert refusals() == [
        f"[catalog] {file}, line {line}, column {column}: found {name!r}, "
        f"which cannot name a file; {FILE_NAMES}"
        for file, line, column in [(CONCEPTS, 5, "concept_id"), (DRAFTS, 6, "template_id")]
    ]


@pytest.mark.parametrize("cell", ["free", "nan", "inf", "1_0", "$1", "0x1", "٣", "1e999"])
def test_prices_that_are_no_numbers(cell: str) -> None:
    """One decimal form is understood, and no other is guessed at."""
    priced(cell)()
    message = f"{MODELS}, line 2, column usd_per_mtok_in: found {cell!r}, which is not a number"
    assert refusals() == [f"[catalog] {message}; write one such as 9 or 0.5"]


@pytest.mark.parametrize(("cell", "number"), [("1,5", "1.5"), ("-0,25", "-0.25"), (",5", ".5")])
def test_decimal_commas(cell: str, number: str) -> None:
    """As spreadsheets of half of the world write them, with semicolons between cells."""
    write(MODELS, f"id;model;provider;usd_per_mtok_in\nm1;x;local;{cell}\n")
    message = f"{MODELS}, line 2, column usd_per_mtok_in: found {cell!r}, which is not a number"
    assert refusals() == [f"[catalog] {message}; write a decimal point: {number}"]


@pytest.mark.parametrize("cell", ["0", "-1", "two", "1.0", "1_0", "+2", "٣", "1e3", "9" * 5000])
def test_counts_of_replicates_that_are_none(cell: str) -> None:
    """A whole number from 1 is one."""
    write(REPLICATES, f"stage,replicates\nessay,{cell}\n")
    found = f"found {cell!r}, which is not a number of replicates; write a whole number from 1"
    assert refusals() == [f"[catalog] {REPLICATES}, line 2, column replicates: {found}"]


def test_all_mistakes_in_all_catalogs_are_reported_together() -> None:
    """Those of a table's form and those of its content, of one table and of others."""
    append(CONCEPTS, "tide,")
    append(MAPPINGS, "new,v1,tyde,,1,", "pair,v1,tide,sentence,,")
    append(DRAFTS, "lost,,,,lim", ",x,,,")
    append(MODELS, "m1,,local,,", "short")
    write(EVALUATIONS, "")
    write(REPLICATES, "stage,replicates\nessays,0\n")
    assert [line.removeprefix("[catalog] ").split(": ")[0] for line in refusals()] == [
        f"{CONCEPTS}, line 5, column name",
        f"{CONCEPTS}, line 5, column concept_id",
        f"{MAPPINGS}, line 5, column description_level",
        f"{MAPPINGS}, line 6, column concept_id",
        f"{DRAFTS}, line 7, column template_id",
        f"{DRAFTS}, line 6, column generator",
        f"{EVALUATIONS}, line 1",
        f"{MODELS}, line 4, column model",
        f"{MODELS}, line 4, column id",
        f"{MODELS}, line 5",
        f"{REPLICATES}, line 2, column stage",
        f"{REPLICATES}, line 2, column replicates",
    ]

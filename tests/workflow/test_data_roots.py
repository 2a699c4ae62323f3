"""An existing data root works as it is, however a spreadsheet program left its tables."""

from __future__ import annotations

import csv
import io

import pytest

from support.project import Project

RAW = "data/1_raw"


def exported(rows: list[list[str]], *, separator: str = ";") -> str:
    """Return a table as a program writes it whose sheet is larger than the table."""
    width = max(map(len, rows)) + 2
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n")
    writer.writerows([*row, *[""] * (width - len(row))] for row in [*rows, [], []])
    return text.getvalue()


@pytest.fixture
def root(project: Project) -> Project:
    """Return a project whose tables went through a spreadsheet, and hold more than it needs."""
    header = ["template_id", "template_name", "description", "parser", "generator"]
    tables = {
        f"{RAW}/concepts_metadata.csv": [
            ["concept_id", "name", "mood"],
            ["tide", "Tide", "wet"],
            ["loom", "Loom; a machine", ""],
            [],
            ["fog", "Fog", ""],
            ["unwritten", "No text at any level", ""],
        ],
        "data/combo_mappings.csv": [
            ["combo_id", "version", "concept_id", "description_level", "k_max", "created_at"],
            *(["pair", "v1", name, "sentence", "2", "01.11.2026"] for name in ("tide", "loom")),
            *(["trio", "v1", name, "paragraph", "3", ""] for name in ("tide", "loom", "fog")),
            ["old", "v0", "gone", "sentence", "1", ""],
            ["older", "v0", "unwritten", "haiku", "1", ""],
        ],
        f"{RAW}/draft_templates.csv": [
            [*header, "notes"],
            ["plain", "Plain", "Joins\nthem", "", "llm", 'the "good" one'],
            ["lost", "Its text is gone", "", "parser_of_long_ago", "llm", ""],
        ],
        f"{RAW}/essay_templates.csv": [
            header,
            ["grow", "Grow", "", "identity", "llm"],
            ["same", "Copies; has no text", "", "", "copy"],
        ],
        f"{RAW}/evaluation_templates.csv": [
            [*header, "score_min", "score_max"],
            ["judge", "Judge", "", "in_last_line", "llm", "0", "9"],
            ["broken", "No template", "", "in_last_line", "llm", "", ""],
        ],
        f"{RAW}/llm_models.csv": [
            ["id", "model", "provider", "display_name", "specialization", "usd_per_mtok_in"],
            ["m1", "echo-1", "echo", "Echo", "general", "0.5"],
            ["retired", "x", "a provider nobody configured", "", "", ""],
        ],
    }
    for place, (name, rows) in enumerate(tables.items()):
        encoding = ("utf-8-sig", "utf-8", "utf-16")[place % 3]
        project.write(name, exported(rows, separator=";\t"[place % 2]).encode(encoding))
    project.write(f"{RAW}/llm_models.csv", "sep=;\r\n" + exported(tables[f"{RAW}/llm_models.csv"]))
    project.path(f"{RAW}/templates/essay/same.txt").unlink()
    project.write(f"{RAW}/templates/evaluation/broken.txt", "{% if %}")
    project.write("data/cohorts/c1/spec/combos.csv", exported([["combo"], ["pair"], [], ["trio"]]))
    project.spec["axes"]["combo_id"] = "@file:combos.csv"
    project.save()
    return project


def test_a_run_over_it(root: Project) -> None:
    """Every row that the cohort names is found, and nothing of the others is in the way."""
    root.snakemake()
    assert len(root.scores()) == 4
    assert root.calls() == 8
    assert len(root.store("draft/*/prompt.txt")) == 2
    assert all("Loom; a machine" in text for text in root.store("draft/*/prompt.txt").values())
    assert "Nothing to be done" in root.snakemake()


def test_a_copy_without_a_text(root: Project) -> None:
    """Its prompt is its parent's text, for all that tells of it; a text of its own then counts."""
    root.snakemake()
    rows = {row["gen_id"]: row for row in root.membership() if row["template_id"] == "same"}
    assert len(rows) == 2
    for name, row in rows.items():
        parent = root.read(f"data/gens/draft/{row['parent_gen_id']}/parsed.txt")
        for file in ("prompt.txt", "raw.txt", "parsed.txt"):
            assert root.read(f"data/gens/essay/{name}/{file}") == parent
    assert "gen_id=" not in root.snakemake("-n", "evaluations", "--config", "expand=pending")
    assert "same" in root.snakemake("explain", "--config", f"gen_id={name}")
    root.snakemake("plan")
    root.write(f"{RAW}/templates/essay/same.txt", "Same: {{ parent }}")
    root.snakemake()
    assert root.read(f"data/gens/essay/{name}/prompt.txt") == f"Same: {parent}"
    assert root.calls() == 8


def test_what_comes_into_use_is_demanded(root: Project) -> None:
    """All of it at once, where it stands; a dry run says it, too."""
    root.write("data/cohorts/c1/spec/combos.csv", "combo\nold\nolder\n")
    root.spec["axes"] |= {"draft_template": ["lost"], "evaluation_template": ["judge", "broken"]}
    root.save()
    output = root.snakemake("-n", code=1)
    found = [line.split(";")[0] for line in output.splitlines() if line.startswith("[")]
    assert found == [
        f"[catalog] {RAW}/draft_templates.csv, line 4, column parser: template 'lost' names the "
        "parser 'parser_of_long_ago', which nobody defines (2 generations use it)",
        f"[catalog] {RAW}/draft_templates.csv, line 4, column template_id: found 'lost', but there "
        f"is no {RAW}/templates/draft/lost.txt (2 generations use it)",
        f"[template] {RAW}/templates/evaluation/broken.txt, line 1: Expected an expression, got "
        "'end of statement block' (4 generations use it)",
        "[catalog] data/combo_mappings.csv, line 7, column concept_id: found 'gone', which is not "
        "a concept (1 generation uses it)",
        "[catalog] data/combo_mappings.csv, line 8, column description_level: found 'haiku', but "
        f"there is no {RAW}/concepts/descriptions-haiku/unwritten.txt (1 generation uses it)",
    ]
    assert root.calls() == 0

"""The examples: other chains than the demo's, each run by its one `--configfile`."""

from __future__ import annotations

import shutil

import pytest

from support.project import ROOT, Project

ANSWERS = """
def complete(body):
    with open("calls.log", "a") as log:
        log.write(f"{body.get('temperature')} {body['messages'][-1]['content']!r}\\n")
    return "Some sentence.\\nSCORE: 1"
"""


@pytest.fixture
def examples(project: Project) -> Project:
    """Return the repository's own catalogs and examples, with a model that answers at once."""
    for name in ("data/1_raw", "examples", "config/config.yaml", "data/combo_mappings.csv"):
        source, target = ROOT / name, project.path(name)
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    project.edit("config/config.yaml", "    type: local", "    type: function\n    path: m.py")
    project.write("m.py", ANSWERS)
    return project


def test_a_chain_of_four_stages_with_temperature_as_a_dimension(examples: Project) -> None:
    """Each link takes the one before it; a level of the dimension is in the call and in the key."""
    run = ("--configfile", "examples/revision/config.yaml")
    examples.snakemake(*run)
    gens = examples.path("data/gens")
    counts = {stage.name: len(list(stage.glob("*/parsed.txt"))) for stage in gens.iterdir()}
    assert counts == {"draft": 2, "essay": 2, "revision": 4, "evaluation": 4}
    log = examples.read("calls.log")
    assert log.count("\n0.2 ") + log.startswith("0.2 ") == 1
    assert log.count("1.0 ") == 1
    rows = examples.read("data/cohorts/revision/membership.csv").splitlines()
    assert rows[0].endswith(",temperature,key")
    assert {row.split(",")[-2] for row in rows if row.startswith("draft")} == {"0.2", "1.0"}
    header, *scores = examples.read(
        "data/cohorts/revision/reports/parsing/aggregated_scores.csv"
    ).splitlines()
    assert {"draft_temperature", "revision_template"} < set(header.split(","))
    assert len(scores) == 4
    output = examples.snakemake("-n", *run, "--config", "where={draft_temperature: 0.2}")
    assert "Nothing to be done" not in output  # the score table becomes that of a slice
    assert "gen_id=" not in output


def test_a_question_set_without_concepts(examples: Project) -> None:
    """The rows of a table are the first stage; an edited row asks again for its own alone."""
    run = ("--configfile", "examples/questions/config.yaml")
    examples.snakemake(*run)
    log = examples.read("calls.log")
    assert log.count("\n") == 4 * 2 * 2
    assert "Reference: Eight" in log
    examples.edit("examples/questions/items.csv", "a spider have", "a beetle have")
    examples.edit("examples/questions/items.csv", "Eight", "Six")
    examples.snakemake(*run)
    assert examples.read("calls.log").count("\n") == 4 * 2 * 2 + 2 * 2
    examples.edit("examples/questions/items.csv", "item_id,", "item,")
    output = examples.snakemake(*run, code=1)
    assert "items.csv, line 1" in output
    assert "Traceback" not in output


def test_a_level_that_is_no_setting_is_refused(examples: Project) -> None:
    """Where it stands, and what it should be."""
    examples.edit("examples/revision/spec/config.yaml", "[0.2, 1.0]", "[0.2, warm]")
    run = ("membership", "--configfile", "examples/revision/config.yaml")
    output = examples.snakemake(*run, code=1)
    assert "axes.draft_temperature[1]: found 'warm'; write a number" in output
    assert "Traceback" not in output

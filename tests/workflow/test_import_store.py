"""What Snakemake makes of an imported store."""

from __future__ import annotations

import json

import pytest

from daydream.planning.imports import import_store
from support.experiment import experiment
from support.project import Project
from support.source import Source, state
from support.workflow import reading


def test_metadata_has_the_form_of_any_other(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same keys as of a generation made here, and a mark."""
    monkeypatch.chdir(project.dir)
    Source.small(project)
    import_store(experiment(project), source="elsewhere", cohort="old")
    project.snakemake("essays")
    for stage, mode, imported in [
        ("draft", "llm", "d1"),
        ("essay", "llm", "e1"),
        ("essay", "copy", "copied"),
    ]:
        texts = [path.read_text() for path in project.path(f"data/gens/{stage}").glob("*/meta*")]
        metadata = {entry["gen_id"]: entry for entry in map(json.loads, texts)}
        theirs = metadata[imported]
        ours = next(e for e in metadata.values() if "imported" not in e and e["mode"] == mode)
        assert theirs.keys() - ours.keys() == {"imported"}
        assert ours.keys() <= theirs.keys()
        assert theirs["combo_id"] == "pair"


def test_an_imported_store_of_300_generations(project: Project) -> None:
    """All are reused and none is called again; a new evaluation template makes its own alone."""
    source = Source.small(project)
    for number in range(1, 60):
        draft = f"draft-{number:02}"
        source.add("draft", draft, combo_id=["pair", "trio"][number % 2], replicate=number)
        for essay, template, mode in (("long", "grow", "llm"), ("copy", "same", "copy")):
            name = f"{essay}-{number:02}"
            source.add("essay", name, draft, template_id=template, mode=mode)
            source.add("evaluation", f"of-{name}", name)
    project.snakemake("import_store", "--config", "source=elsewhere", "cohort=old")
    assert len(reading.table(project.path("data/cohorts/old/spec/membership.csv"))) == 300
    store = state(project.path("data/gens"))

    # Nothing is left to do but the membership's and the reports' tables.
    old = ("--config", "cohorts=[old]")
    output = project.snakemake(*old)
    assert "Nothing to be done" in project.snakemake(*old)
    assert not any(rule in output for rule in ("render_prompt", "generate_raw", "parse_response"))
    scores = reading.table(project.path("data/cohorts/old/reports/parsing/aggregated_scores.csv"))
    assert [row["score"] for row in scores] == ["7.0"] * 120
    project.snakemake("import_store", "--config", "source=elsewhere", "cohort=old")
    assert state(project.path("data/gens")) == store
    assert project.calls() == 0

    # A lost answer comes back, and with it what is made from it, without a call.
    raw = project.path("data/gens/draft/draft-01/raw.txt")
    raw.unlink()
    project.snakemake("drafts", *old)
    assert raw.read_bytes() == store[str(raw)][0]
    assert project.calls() == 0

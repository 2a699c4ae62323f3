"""`snakemake combos`."""

from __future__ import annotations

import csv

import pytest

from support.experiment import experiment
from support.project import Project


def test_the_command_adds_what_a_spec_may_name(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what it has added, and runs before any cohort is compiled."""
    output = project.snakemake(
        "combos", "--config", "size=2", "level=paragraph", "concepts=[fog, tide]"
    )
    assert "1 combo of 2 of 2 concepts at level paragraph: 1 added" in output
    with project.path("data/combo_mappings.csv").open(newline="") as file:
        (name,) = {row["combo_id"] for row in csv.DictReader(file)} - {"pair", "trio"}
    assert f"  {name}  fog, tide" in output
    monkeypatch.chdir(project.dir)
    assert name in experiment(project).catalog.combos

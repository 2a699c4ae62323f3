"""`snakemake diff`."""

from __future__ import annotations

import yaml

from support.project import Project


def test_the_comparison_in_a_terminal(project: Project) -> None:
    """Memberships that are not there are made, of cohorts that are not configured as well."""
    spec = {"axes": {**project.spec["axes"], "evaluation_replicate": [1, 2]}}
    project.write("data/cohorts/more/spec/config.yaml", yaml.safe_dump(spec, sort_keys=False))
    printed = project.snakemake("diff", "--config", "left=c1", "right=more")
    output = " ".join(printed.split())
    assert "generations both c1 only more only draft 2 0 0 essay 4 0 0 evaluation 4 0 4" in output
    assert "2 combo_id × 2 essay_template × 2 evaluation_replicate full factorial 8" in output
    assert "scored 0 unscored 8 12 calls left out 0" in output
    assert project.path("data/cohorts/c1/reports/diff/more.csv").exists()

"""`snakemake explain`."""

from __future__ import annotations

from support.experiment import evaluation
from support.project import Project


def test_the_tree_in_a_terminal(project: Project) -> None:
    """The command prints the tree to stdout; its verdict is what a run then does."""
    project.snakemake()
    project.edit("data/1_raw/templates/essay/grow.txt", "Grow this", "Let this grow")
    name = evaluation(project)
    output = project.snakemake("explain", "--config", f"gen_id={name}")
    assert f"   └── evaluation {name}" in output
    assert "changed    template  " in output
    assert "A run does 6 of 9 jobs and makes 1 call and 1 more at most" in output
    calls = project.calls()
    project.snakemake(f"data/gens/evaluation/{name}/parsed.txt")
    assert project.calls() - calls == 2

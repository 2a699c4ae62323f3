"""`snakemake figures`, and the report with them."""

from __future__ import annotations

from daydream.figures import FIGURES, FORMATS
from support.project import Project


def test_the_figures_of_a_run_and_their_report(project: Project) -> None:
    """`snakemake figures` draws all, and the report shows them with their captions."""
    project.snakemake("figures")
    made = {path.name for path in project.path("data/cohorts/c1/reports/figures").iterdir()}
    assert made == {f"{name}.{form}" for name in FIGURES for form in FORMATS}
    project.snakemake("figures", "--report", "report.html")
    page = project.read("report.html")
    for name in FIGURES:
        assert project.read(f"report/figures/{name}.rst").splitlines()[0][:40] in page, name

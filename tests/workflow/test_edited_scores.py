"""Scores that were edited by hand."""

from __future__ import annotations

import pytest

from support.project import Project


@pytest.mark.parametrize("value", ["77", "-1", "nan", "inf", "seven"])
def test_a_score_outside_the_scale_counts_as_missing(project: Project, value: str) -> None:
    """The error names the file, the value and the scale; the other scores stay."""
    project.snakemake()
    gen_id = project.membership()[-1]["gen_id"]
    path = f"data/gens/evaluation/{gen_id}/parsed.txt"
    project.write(path, f"{value}\n")
    output = project.snakemake()
    assert "aggregated_scores.csv (1 of its rows without a score: see their `error`)" in output
    rows = {row["gen_id"]: row for row in project.scores()}
    row = rows.pop(gen_id)
    assert row["score"] == ""
    if value == "seven":
        found = "does not hold a number"
    else:
        found = f"holds {value}, which is outside the scale from 0 to 9"
    assert row["error"] == f"{path} {found}; edited by hand: correct it, or delete the file"
    assert all(row["score"] and not row["error"] for row in rows.values())

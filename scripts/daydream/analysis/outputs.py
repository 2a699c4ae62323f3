"""The tables of a cohort's reports and of the union of cohorts, from files to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from daydream.analysis import union
from daydream.analysis.agreement import judge_agreement
from daydream.analysis.allocation import allocation
from daydream.analysis.comparisons import comparisons
from daydream.analysis.coverage import coverage
from daydream.analysis.frames import csv_of
from daydream.analysis.leaderboard import leaderboard
from daydream.analysis.scores import Scores, lacking, read_frame, read_scores, split_stages
from daydream.analysis.summary import (
    evaluation_model_template_pivot,
    final_results,
    generation_scores,
    perfect_scores,
)
from daydream.analysis.variance import variance
from daydream.analysis.writers import writer_judge
from daydream.files import write_text

Table = Callable[[Scores], pd.DataFrame]

# The tables of a cohort by name; each is a function of the scores of one stage.
TABLES: Mapping[str, Table] = {
    "generation_scores": generation_scores,
    "evaluation_model_template_pivot": evaluation_model_template_pivot,
    "final_results": final_results,
    "perfect_scores": perfect_scores,
    "leaderboard": leaderboard,
    "variance": variance,
    "allocation": allocation,
    "judge_agreement": judge_agreement,
    "writer_judge": writer_judge,
    "comparisons": comparisons,
    "coverage": coverage,
}
# Their own columns say what is missing: `missing`, or `evaluations` and `scored` of every row.
SAYING_IT: frozenset[Table] = frozenset({final_results, leaderboard, coverage})


def write_tables(scores: str, output: Mapping[str, str]) -> None:
    """Write the tables of a cohort: `output` has the path of each by its name in `TABLES`.

    Raises:
        InputError: the scores cannot be read.
    """
    stages = read_scores(scores)
    for name, path in output.items():
        _write(build(TABLES[name], stages), path)


def write_union(scores: Sequence[str], *, rows: str, template_model: str) -> None:
    """Write the union of cohorts' score tables, and its table of templates and models.

    Raises:
        InputError: a table cannot be read.
    """
    _write_rows(union.union([read_frame(path) for path in scores]), rows, template_model)


def write_view(
    scores: str, *, name: str, conditions: Mapping[str, Any], rows: str, template_model: str
) -> None:
    """Write the rows of a union that meet a view's `where` and `exclude`, and their table.

    Raises:
        InputError: the union cannot be read, or a condition names what there is not.
    """
    kept = union.view(
        read_frame(scores),
        where=conditions.get("where", {}),
        exclude=conditions.get("exclude", {}),
        source=f"config/config.yaml, views.{name}",
    )
    _write_rows(kept, rows, template_model)


def _write_rows(rows: pd.DataFrame, path: str, template_model_path: str) -> None:
    write_text(path, csv_of(rows))
    _write(build(union.template_model, split_stages(rows, path)), template_model_path)


def build(table: Table, stages: Sequence[Scores]) -> pd.DataFrame:
    """Return one table of all scored stages: its first column `stage` tells them apart.

    Its last, `slice`, is what the run left out (`reports.scores`), empty if that is nothing.
    The one before it, `partial`, says how many evaluations of the stage have no score, empty if
    all have one; tables whose own columns say it (`SAYING_IT`) do without.
    """
    parts = []
    for scores in stages:
        part = table(scores)
        part.insert(0, "stage", scores.stage.name)
        if table not in SAYING_IT:
            part["partial"] = lacking([scores])
        part["slice"] = " ".join(filter(None, scores.rows["slice"].unique()))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _write(table: pd.DataFrame, path: str) -> None:
    """Write a table as CSV; numbers have six digits."""
    write_text(path, csv_of(table, float_format="%.6g"))

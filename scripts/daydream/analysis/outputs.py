"""The tables of a cohort's reports and of the union of cohorts, from files to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from daydream.analysis import union
from daydream.analysis.agreement import judge_agreement
from daydream.analysis.allocation import allocation
from daydream.analysis.calibration import calibrated_means
from daydream.analysis.comparisons import comparisons
from daydream.analysis.coverage import coverage
from daydream.analysis.criteria import correlations, on_criterion
from daydream.analysis.diversity import diversity
from daydream.analysis.frames import csv_of, read_csv
from daydream.analysis.humans import human_agreement, read_ratings
from daydream.analysis.leaderboard import leaderboard
from daydream.analysis.novelty import Texts, joined, novelty, read_texts
from daydream.analysis.panels import ADJUSTED
from daydream.analysis.preferences import win_shares
from daydream.analysis.scores import Scores, lacking, read_frame, read_scores, split_stages
from daydream.analysis.summary import (
    evaluation_model_template_pivot,
    final_results,
    generation_scores,
    perfect_scores,
)
from daydream.analysis.variance import variance
from daydream.analysis.views import OF_TEXT, OF_TEXT_ALONE
from daydream.analysis.writers import writer_judge
from daydream.errors import Problems
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
# The tables of a cohort's texts; each is a function of all of them.
TEXT_TABLES: Mapping[str, Callable[[Texts], pd.DataFrame]] = {
    "novelty": novelty,
    "diversity": diversity,
}
# The tables of what people have said of texts; each is a function of the scores of one stage too.
RATING_TABLES: Mapping[str, Callable[..., pd.DataFrame]] = {
    "judge_agreement": human_agreement,
    "calibrated_means": calibrated_means,
    "win_shares": win_shares,
}
CORRELATIONS = "correlations"
# Their own columns say what is missing: `missing`, or `evaluations` and `scored` of every row.
SAYING_IT: frozenset[Table] = frozenset({final_results, leaderboard, coverage})


def write_tables(
    scores: str,
    output: Mapping[str, str],
    *,
    panel: str = ADJUSTED,
    texts: str = "",
    embeddings: str = "",
) -> None:
    """Write the tables of a cohort: `output` has the path of each by its name.

    `scores` and `texts` are the paths of its scores and of the table of its texts, `panel` the rule
    by which several judges are one (`daydream.analysis.panels`). Without texts,
    there are no tables of texts, and the others lack the columns that say how new each is. Without
    `embeddings`, the path of their matrix, the columns that compare meanings are empty.

    Raises:
        InputError: the scores cannot be read.
    """
    stages = _ruled(read_scores(scores), panel)
    read = read_texts(texts, embeddings) if texts else None
    if read is not None:
        known = read.novelty
        stages = [replace(each, rows=joined(each.rows, known, OF_TEXT)) for each in stages]
    for name, path in output.items():
        if read is not None and name in TEXT_TABLES:
            _write(TEXT_TABLES[name](read), path)
        else:
            _write(build(TABLES[name], stages), path)


def write_criteria(
    scores: str,
    output: Mapping[str, str],
    criteria: Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]],
    *,
    panel: str = ADJUSTED,
) -> None:
    """Write the tables of a cohort of each criterion besides the score; `output` as before.

    `criteria` are columns of the scores, with the ends of their scales by stage and template.

    Raises:
        InputError: the scores cannot be read.
    """
    rows = read_frame(scores)
    parts = {
        name.removeprefix("answer."): _ruled(
            split_stages(on_criterion(rows, name, scales), scores), panel
        )
        for name, scales in criteria.items()
    }
    for table, path in output.items():
        if table == CORRELATIONS:
            _write(correlations(rows, list(criteria)), path)
            continue
        made = []
        for criterion, stages in parts.items():
            part = build(TABLES[table], stages)
            part.insert(0, "criterion", criterion)
            made.append(part)
        _write(pd.concat(made, ignore_index=True), path)


def write_ratings_tables(
    scores: str, ratings: str, output: Mapping[str, str], *, panel: str = ADJUSTED
) -> None:
    """Write the tables of a cohort that compare people with its judges; `output` as before.

    `scores` and `ratings` are the paths of its scores and of its ratings (`reports.ratings`).

    Raises:
        InputError: one of them cannot be read.
    """
    stages = _ruled(read_scores(scores), panel)
    said = read_ratings(ratings)
    for name, path in output.items():
        _write(build(partial(RATING_TABLES[name], ratings=said), stages), path)


def write_union(
    scores: Sequence[str], novelty: Sequence[str] = (), *, rows: str, template_model: str
) -> None:
    """Write the union of cohorts' score tables, and its table of templates and models.

    `scores` and `novelty` are the paths of these tables of each cohort.

    Raises:
        InputError: a table cannot be read.
    """
    found = union.union([read_frame(path) for path in scores])
    if novelty:
        problems = Problems("scores")
        texts = pd.concat([read_csv(path, problems) for path in novelty], ignore_index=True)
        found = joined(found, texts.drop_duplicates("gen_id"), OF_TEXT_ALONE)
    _write_rows(found, rows, template_model)


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


def _ruled(stages: Sequence[Scores], panel: str) -> list[Scores]:
    return [replace(each, panel=panel) for each in stages]


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

"""What the figures are drawn from: the tables in the reports of a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from daydream.analysis.frames import read_csv
from daydream.analysis.panels import ADJUSTED
from daydream.analysis.scores import Scores, read_scores
from daydream.errors import Problems, nearest

# The columns that figures take of each table beside `stage`: texts, then numbers.
COLUMNS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "final_results": (
        ("dimension", "level"),
        ("count", "missing", "mean", "ci_low", "ci_high"),
    ),
    "leaderboard": (
        ("panel",),
        (
            *("group", "parents", "panel_score", "ci_low", "ci_high"),
            *("rank_low", "rank_high", "p_best", "shrunk_mean", "p_front", "usd_per_text"),
        ),
    ),
    "writer_judge": (
        ("writer", "judge_llm", "own"),
        ("parents", "preference", "ci_low", "ci_high"),
    ),
    "variance": (
        ("component", "note"),
        ("levels", "variance", "ci_low", "ci_high", "share"),
    ),
    "allocation": (
        ("dimension", "at_hand"),
        (
            *("combos", "texts", "judges", "replicates"),
            *("half_width", "detectable", "evaluations", "usd"),
        ),
    ),
    "judge_agreement": (
        ("measure", "judge", "other_judge"),
        ("value", "ci_low", "ci_high", "parents"),
    ),
    "comparisons": (
        ("dimension", "level", "other_level", "panel"),
        ("cells", "difference", "ci_low", "ci_high", "p_holm"),
    ),
    "diversity": (
        ("dimension", "level"),
        ("texts_per_combo", "effective", "ci_low", "ci_high", "prompt_share"),
    ),
    "calls": (
        ("gen_id", "llm_model_id", "mode", "slice"),
        ("prompt_tokens", "completion_tokens", "cost_usd"),
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """The tables of one cohort: the scores by scored stage, the others as they are in the files.

    In those a text is as it is, and a number that is not there is NaN.
    """

    cohort: str
    scores: list[Scores]
    final_results: pd.DataFrame
    leaderboard: pd.DataFrame
    writer_judge: pd.DataFrame
    variance: pd.DataFrame
    allocation: pd.DataFrame
    judge_agreement: pd.DataFrame
    comparisons: pd.DataFrame
    diversity: pd.DataFrame
    calls: pd.DataFrame

    @property
    def panel(self) -> str:
        """The rule by which judges are one (`panels`); empty if each counts by itself."""
        rules = self.comparisons["panel"].unique()
        return next((rule for rule in rules if rule not in ("", ADJUSTED)), "")


def read_tables(paths: Mapping[str, str], *, cohort: str) -> Tables:
    """Return the tables of a cohort; `paths` has the file of each by the name of its field.

    Raises:
        InputError: a table cannot be read, or lacks a column.
    """
    tables = {name: _read(paths[name], *columns) for name, columns in COLUMNS.items()}
    return Tables(cohort=cohort, scores=read_scores(paths["scores"]), **tables)


def _read(path: str, texts: tuple[str, ...], numbers: tuple[str, ...]) -> pd.DataFrame:
    problems = Problems("figures")
    table = read_csv(path, problems)
    for name in ("stage", *texts, *numbers):
        if name not in table:
            problems.add(path, f"lacks the column {name!r}", nearest(name, table.columns))
    problems.check()
    for name in numbers:
        table[name] = pd.to_numeric(table[name], errors="coerce")
    return table

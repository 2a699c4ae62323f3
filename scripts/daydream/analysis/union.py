"""Several cohorts' scores as one table, and views of it.

Cohorts share generations, so the union has each once. Its column ``cohorts`` names those that have
it, in place of ``cohort_id``. A view is a slice of the union and says so in its column ``slice``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from daydream.analysis.scores import NUMBERS, Scores
from daydream.analysis.views import may_be_missing, meant
from daydream.conditions import wanted
from daydream.errors import Problems, nearest


def union(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of all tables (as `read_frame` gives them), each `gen_id` once.

    Where a generation has a score in one table and none in another, the score is taken.

    Raises:
        InputError: tables have different scores of one generation.
    """
    rows = pd.concat(tables, ignore_index=True)
    _check_agreement(rows)
    texts = [name for name in rows.columns if name not in NUMBERS]
    rows[texts] = rows[texts].fillna("")
    cohorts = rows.groupby("gen_id")["cohort_id"].agg(lambda names: " ".join(names.unique()))
    best = rows.sort_values("score", key=pd.isna, kind="stable").drop_duplicates("gen_id")
    found = best.set_index("gen_id").loc[rows["gen_id"].unique()].reset_index()
    found = found.rename(columns={"cohort_id": "cohorts"})
    return found.assign(cohorts=found["gen_id"].map(cohorts))


def _check_agreement(rows: pd.DataFrame) -> None:
    """Reject two scores of one generation: one of the tables is out of date."""
    known = rows[rows["score"].notna()].drop_duplicates(["gen_id", "score"])
    twice = known[known["gen_id"].duplicated(keep=False)]
    problems = Problems("scores")
    for gen_id, both in twice.groupby("gen_id", sort=False):
        scores = (f"{score:g} in cohort {cohort}" for cohort, score in _pairs(both))
        found = f"found {' and '.join(scores)} for {gen_id}"
        remedy = "let snakemake make the score tables of both again"
        problems.add("aggregated_scores.csv", found, remedy, column="score")
    problems.check()


def _pairs(rows: pd.DataFrame) -> list[tuple[str, float]]:
    return list(zip(rows["cohort_id"], rows["score"], strict=True))


def view(
    rows: pd.DataFrame, *, where: Mapping[str, Any], exclude: Mapping[str, Any], source: str
) -> pd.DataFrame:
    """Return the rows that match `where` on each column it names and `exclude` on none.

    Conditions are those of `daydream.conditions`. Rows that are a slice already need not have every
    value.

    Raises:
        InputError: a column or value that there is not, with the nearest; `source` is where the
            conditions stand.
    """
    problems = Problems("config")
    kept = pd.Series(True, index=rows.index)
    whole = len(rows) > 0 and (rows["slice"] == "").all()
    for setting, conditions, keeps in (("where", where, True), ("exclude", exclude, False)):
        for name, condition in conditions.items():
            place = f"{setting}.{name}"
            if name not in rows:
                found = f"found {name!r}, which is not a column of the scores"
                problems.add(source, found, nearest(name, set(rows.columns)), column=place)
                continue
            cells = _texts(rows, name)
            occurring = set(cells)
            matching: set[str] = set()
            for pattern in wanted(condition):
                hits = meant(name, pattern, occurring)
                matching |= hits
                if whole and not hits and not may_be_missing(name, pattern):
                    found = f"found {pattern!r}, which no row has there"
                    problems.add(source, found, nearest(pattern, occurring), column=place)
            kept &= cells.isin(matching) == keeps
    problems.check()
    given = {"where": where, "exclude": exclude}
    own = {name: conditions for name, conditions in given.items() if conditions}
    note = json.dumps(own, ensure_ascii=False, sort_keys=True) if own else ""
    matching_rows = rows[kept]
    return matching_rows.assign(slice=(matching_rows["slice"] + " " + note).str.strip())


def _texts(rows: pd.DataFrame, name: str) -> pd.Series[str]:
    """Return a column as texts, in which a number that is not there is empty."""
    column = rows[name]
    return column.map(lambda value: "" if pd.isna(value) else str(value)).astype(str)


def template_model(scores: Scores) -> pd.DataFrame:
    """Return a row per template of each stage, and two columns per model: mean score and count.

    Means are on the scale of `value`. A model that a template never met has an empty cell and 0.
    """
    stages = [(stage.name, *stage.dimensions[:2]) for stage in scores.stages]
    models = dict.fromkeys(model for *_, llm in stages for model in scores.rows[llm].unique())
    records = []
    for name, template, llm in stages:
        for level, rows in scores.rows.groupby(template, sort=False):
            record: dict[str, object] = {"of_stage": name, "template": level}
            values = rows.groupby(llm)["value"]
            means, counts = values.mean(), values.count()
            for model in models:
                record[model], record[f"{model}_n"] = means.get(model), counts.get(model, 0)
            records.append(record)
    names = [each for model in models for each in (model, f"{model}_n")]
    table = pd.DataFrame(records, columns=["of_stage", "template", *names])
    return table.assign(score_min=scores.low, score_max=scores.high)

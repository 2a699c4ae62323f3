"""What each judge gives to the texts of each template."""

from __future__ import annotations

import math

import altair as alt
import pandas as pd

from daydream.analysis.scores import Scores, cells
from daydream.figures.layout import (
    Panel,
    dimension_name,
    few,
    figure,
    message,
    prefix,
    score_notes,
    scored_counts,
    units,
)
from daydream.figures.matrix import matrix_panel
from daydream.figures.tables import Tables
from daydream.figures.theme import SEQUENTIAL
from daydream.text import plural

MAX_TEMPLATES, MAX_JUDGES = 40, 24


def template_judge(tables: Tables) -> alt.VConcatChart:
    """Return a panel a stage before the scored one: its templates by the judges."""
    panels: list[Panel] = []
    for scores in tables.scores:
        panels += _panels(scores, start=prefix(scores, tables.scores))
    return figure(
        panels,
        title=(
            f"Mean score by template and judge ({units(tables.scores)}): "
            f"{scored_counts(tables.scores)}"
        ),
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "A judge is a model with an evaluation template; each text counts once, however often "
            "the judge scored it. Rows go from the highest mean to the lowest; –: no score.",
        ],
    )


def _panels(scores: Scores, *, start: str) -> list[Panel]:
    found = cells(scores)
    if found.empty:
        return [message(f"{start}no evaluation has a score yet.")]
    if len(scores.stages) == 1:
        return [message(f"{start}no template comes before the scored stage.")]
    made = scores.rows.drop_duplicates("parent").set_index("parent")
    judges = scores.judges[:MAX_JUDGES]
    more = len(scores.judges) > len(judges)
    of_judges = f" (the first {len(judges)} of {len(scores.judges)})" if more else ""
    stages = [stage.dimensions[0] for stage in scores.stages[:-1]]
    groups = [found.assign(label=found["parent"].map(made[stage])) for stage in stages]
    means = [_means(group) for group in groups]
    low, high = _domain(scores, pd.concat([each["value"] for each in means]))
    panels: list[Panel] = []
    for stage, group, cell in zip(stages, groups, means, strict=True):
        templates, shown = few(_templates(scores, stage), most=MAX_TEMPLATES)
        texts = group.groupby("label")["parent"].nunique()
        grid = pd.MultiIndex.from_product([templates.index, judges], names=["label", "column"])
        panels.append(
            matrix_panel(
                cell.reindex(grid).reset_index(),
                rows=list(templates.index),
                columns=judges,
                title=f"{start}{dimension_name(stage)}{shown} by judge{of_judges}",
                value="mean score",
                scale=alt.Scale(scheme=SEQUENTIAL, domain=[low, high]),
                dark=f"datum.value > {low + 0.6 * (high - low)}",
                ends=[plural(texts.get(name, 0), "text") for name in templates.index],
                show_columns=not panels,
                show_legend=stage == stages[-1],
            )
        )
    return panels


def _means(found: pd.DataFrame) -> pd.DataFrame:
    """Return mean and number of texts by template (``label``) and judge (``column``)."""
    groups = found.rename(columns={"judge": "column"}).groupby(["label", "column"], sort=False)
    return groups.agg(value=("value", "mean"), n=("parent", "nunique"))


def _templates(scores: Scores, stage: str) -> pd.DataFrame:
    """Return the means of a stage's templates, the highest first, those without a score last."""
    means = scores.rows.groupby(stage, sort=False)["value"].mean()
    return means[means.index != ""].sort_values(ascending=False, kind="stable").to_frame()


def _domain(scores: Scores, values: pd.Series[float]) -> tuple[float, float]:
    """Return the ends of the colours: the values', rounded outwards, within the scale."""
    step = 1.0 if scores.high - scores.low > 2 else 0.1
    low = max(math.floor(values.min() / step) * step, scores.low)
    high = min(math.ceil(values.max() / step) * step, scores.high)
    return (low, high) if high > low else (scores.low, scores.high)

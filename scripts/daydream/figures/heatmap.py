"""Mean scores by the templates of each stage, with each judge and with each writing model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from daydream.analysis.scores import Scores, StageColumns, cells
from daydream.figures.layout import (
    Panel,
    dimension_name,
    elided,
    few,
    figure,
    judge_names,
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

MAX_TEMPLATES, MAX_COLUMNS = 40, 24
COLOURS = "Colours span the whole scale."


def template_judge(tables: Tables) -> alt.VConcatChart:
    """Return a panel a stage before the scored one: its templates by the judges."""
    panels: list[Panel] = []
    finding = ""
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        found = cells(scores)
        names = judge_names(scores)
        stages = _several(scores)
        if reason := _nothing(scores, found):
            panels.append(message(f"{start}{reason}"))
            continue
        finding = finding or _favourites(scores, found, stages)
        for number, stage in enumerate(stages):
            panels.append(
                _panel(
                    scores,
                    found.assign(column=found["judge"].map(names)),
                    stage,
                    columns=[*names.values()],
                    title=f"{start}{dimension_name(stage.dimensions[0])} by judge",
                    show_columns=not number,
                    show_legend=number == len(stages) - 1,
                )
            )
    return figure(
        panels,
        title=(
            f"{finding or 'Mean score by template and judge'} ({units(tables.scores)}): "
            f"{scored_counts(tables.scores)}"
        ),
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "A judge is a model · an evaluation template; each text counts once, however often "
            f"the judge scored it. Rows go from the highest mean to the lowest; –: no score. "
            f"{COLOURS}",
        ],
    )


def template_model(tables: Tables) -> alt.VConcatChart:
    """Return a panel a stage before the scored one: its templates by the models that wrote it."""
    panels: list[Panel] = []
    finding = ""
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        found = cells(scores)
        if reason := _nothing(scores, found):
            panels.append(message(f"{start}{reason}"))
            continue
        finding = finding or _best_pair(scores, found, _several(scores))
        means = found.groupby("parent", sort=False, as_index=False)["value"].mean()
        for stage in _several(scores):
            template, model, *_ = stage.dimensions
            made = scores.rows.drop_duplicates("parent").set_index("parent")
            panels.append(
                _panel(
                    scores,
                    means.assign(column=means["parent"].map(made[model])),
                    stage,
                    columns=list(scores.rows[model].unique()),
                    title=f"{start}{dimension_name(template)} by {dimension_name(model)}",
                )
            )
    return figure(
        panels,
        title=(
            f"{finding or 'Mean score by template and model'} ({units(tables.scores)}): "
            f"{scored_counts(tables.scores)}"
        ),
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Each text counts once, with the mean of its judges. Means are not corrected for "
            "combos or judges: see the comparisons. Rows go from the highest mean to the lowest; "
            f"–: no score. {COLOURS}",
        ],
    )


def _favourites(scores: Scores, found: pd.DataFrame, stages: Sequence[StageColumns]) -> str:
    """Return which template each judge prefers, of the stage where means differ most.

    `found` are the cells of `cells`. Only combos count that all templates have. The text is empty
    if there are none, or no templates differ.
    """
    made = scores.rows.drop_duplicates("parent").set_index("parent")
    of = _widest(
        {stage.dimensions[0]: _means(found, made, [stage.dimensions[0]]) for stage in stages}
    )
    if not of:
        return ""
    texts = found.assign(label=found["parent"].map(made[of]))
    levels = texts.groupby(texts["parent"].map(made["combo_id"]))["label"].transform("nunique")
    texts = texts[levels == texts["label"].nunique()]
    if texts.empty:
        return ""
    means = texts.groupby(["judge", "label"], sort=False)["value"].mean().unstack("label")
    first = means.idxmax(axis=1).value_counts()
    (best,) = elided([str(first.index[0])])
    best, judges = f"{dimension_name(of).lower()} {best}", int(first.sum())
    if judges == 1:
        return f"Highest mean: {best}"
    if len(first) == 1:
        return f"Each of {judges} judges gives {best} the highest mean"
    return f"{first.iloc[0]} of {judges} judges give {best} the highest mean"


def _best_pair(scores: Scores, found: pd.DataFrame, stages: Sequence[StageColumns]) -> str:
    """Return what has the highest mean, of the stage where means differ most."""
    made = scores.rows.drop_duplicates("parent").set_index("parent")
    means = {stage.name: _means(found, made, stage.dimensions[:2]) for stage in stages}
    of = _widest(means)
    if not of:
        return ""
    best = means[of].index[int(means[of].to_numpy().argmax())]
    template, model = elided([str(name) for name in best])
    return f"Highest mean by {of}: template {template}, model {model}"


def _means(found: pd.DataFrame, made: pd.DataFrame, dimensions: Sequence[str]) -> pd.Series[float]:
    """Return the mean of the texts by the levels of some dimensions, each text once."""
    texts = found.groupby("parent", sort=False)["value"].mean()
    return texts.groupby([made[name].reindex(texts.index) for name in dimensions]).mean()


def _widest(means: Mapping[str, pd.Series[float]]) -> str:
    """Return whose means lie furthest apart; empty if all are equal."""
    spread = {name: float(each.max() - each.min()) for name, each in means.items()}
    widest = max(spread, key=lambda name: spread[name])
    return widest if spread[widest] > 0 else ""


def _several(scores: Scores) -> Sequence[StageColumns]:
    """Return the stages before the scored one; those of one template only if there is no other."""
    stages = scores.stages[:-1]
    several = [stage for stage in stages if scores.rows[stage.dimensions[0]].nunique() > 1]
    return several or list(stages[-1:])


def _nothing(scores: Scores, found: pd.DataFrame) -> str:
    """Return why there is nothing to draw, if so."""
    if found.empty:
        return "no evaluation has a score yet."
    return "" if scores.stages[:-1] else "no template comes before the scored stage."


def _panel(
    scores: Scores,
    found: pd.DataFrame,
    stage: StageColumns,
    *,
    columns: Sequence[str],
    title: str,
    show_columns: bool = True,
    show_legend: bool = True,
) -> Panel:
    """Return the means of `found` by the templates of a stage and by its ``column``."""
    of = stage.dimensions[0]
    made = scores.rows.drop_duplicates("parent").set_index("parent")[of]
    group = found.assign(label=found["parent"].map(made))
    templates, cut = few(_templates(scores, of), most=MAX_TEMPLATES)
    shown = list(columns[:MAX_COLUMNS])
    more = f" (the first {len(shown)} of {len(columns)})" if len(columns) > len(shown) else ""
    groups = group.groupby(["label", "column"], sort=False)
    means = groups.agg(value=("value", "mean"), n=("parent", "nunique"))
    grid = pd.MultiIndex.from_product([templates.index, shown], names=["label", "column"])
    texts = group.groupby("label")["parent"].nunique()
    return matrix_panel(
        means.reindex(grid).reset_index(),
        rows=list(templates.index),
        columns=shown,
        title=f"{title}{cut}{more}",
        value="mean score",
        scale=alt.Scale(range=SEQUENTIAL, domain=[scores.low, scores.high]),
        ends=[plural(texts.get(name, 0), "text") for name in templates.index],
        show_columns=show_columns,
        show_legend=show_legend,
    )


def _templates(scores: Scores, stage: str) -> pd.DataFrame:
    """Return the means of a stage's templates, the highest first, those without a score last."""
    means = scores.rows.groupby(stage, sort=False)["value"].mean()
    return means[means.index != ""].sort_values(ascending=False, kind="stable").to_frame()

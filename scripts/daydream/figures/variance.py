"""Where the variance of the scores comes from."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from daydream.analysis.scores import StageColumns
from daydream.figures.intervals import bounds, interval_note, interval_panel
from daydream.figures.layout import (
    Panel,
    dimension_name,
    figure,
    message,
    of_stage,
    one_line,
    prefix,
    scale_name,
    score_notes,
    scored_counts,
)
from daydream.figures.tables import Tables
from daydream.text import percent

FEW_LEVELS = "fewer than two degrees of freedom, or nothing that varies"
MEANINGS = {
    "residual": "residual (text × judge)",
    "replicate": "replicate (same judge again)",
}


def variance(tables: Tables) -> alt.VConcatChart:
    """Return a panel per scored stage and a row per component, as standard deviations."""
    panels: list[Panel] = []
    parts = [
        (scores, _components(of_stage(tables.variance, scores), scores.stages[:-1]))
        for scores in tables.scores
    ]
    for scores, rows in parts:
        start = prefix(scores, tables.scores)
        if scores.scored.empty:
            panels.append(message(f"{start}no evaluation has a score yet."))
            continue
        panels.append(
            interval_panel(
                rows,
                title=f"{start}standard deviation of each component",
                unit=f"standard deviation ({scale_name(scores)}), 95 % interval",
                domain=(0, max(bounds(rows, [0])[1], 0.1)),
            )
        )
    return figure(
        panels,
        title=f"Where the differences between scores come from: {scored_counts(tables.scores)}",
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "A random-effects model: how far scores move with each template, model, text and "
            "judge, all else alike. Right: part of the variance. Italics: why none is estimated.",
            interval_note(pd.concat([rows for _, rows in parts]), reason=FEW_LEVELS),
        ],
    )


def _components(rows: pd.DataFrame, stages: Sequence[StageColumns]) -> pd.DataFrame:
    texts = {stage.name: f"{dimension_name(stage.name)} (text)" for stage in stages}
    names = {**texts, **MEANINGS}
    notes = [_readable(note, rows["component"]) for note in rows["note"]]
    roots = {
        name: np.sqrt(rows[column].clip(lower=0))
        for name, column in (("value", "variance"), ("ci_low", "ci_low"), ("ci_high", "ci_high"))
    }
    shares = ["" if pd.isna(share) else percent(share) for share in rows["share"]]
    return rows.assign(
        **roots,
        label=[names.get(name, component_name(name)) for name in rows["component"]],
        text=[
            share + (f", {note}" if share and note else "")
            for share, note in zip(shares, notes, strict=True)
        ],
        note=notes,
        marked=True,
    )


def component_name(component: str) -> str:
    """Return what a reader calls a component: ``combo_id:draft_llm`` is combo × draft model."""
    return " × ".join(dimension_name(part) for part in component.split(":"))


def _readable(note: str, components: pd.Series[str]) -> str:
    """Return a note with the components that it names in the words of the figure."""
    for name in sorted(components, key=len, reverse=True):
        note = note.replace(name, component_name(name))
    return one_line(note)

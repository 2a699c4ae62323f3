"""How different the texts of a combo are, and what of them is their prompt's."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.figures.intervals import bounds, interval_panel
from daydream.figures.layout import (
    Panel,
    dimension_name,
    figure,
    message,
    one_line,
    score_notes,
)
from daydream.figures.tables import Tables
from daydream.text import percent

# Rows beyond this are left out, the least different ones.
MOST = 30


def novelty(tables: Tables) -> alt.VConcatChart:
    """Return two panels per stage of texts: distinct texts per combo, and shares of the prompt."""
    panels: list[Panel] = []
    found: list[str] = []
    for stage, rows in tables.diversity.groupby("stage", sort=False):
        shown = _labelled(rows)
        name = one_line(str(stage))
        several = shown[shown["effective"].notna()].nlargest(MOST, "effective")
        if several.empty:
            panels.append(message(f"{name}: no combo has two texts of one level."))
        else:
            of_all = several[several["dimension"] == "overall"]
            found += [
                f"{number:.3g} of {texts:.3g} ({name})"
                for number, texts in zip(
                    of_all["effective"], of_all["texts_per_combo"], strict=True
                )
            ]
            panels.append(_distinct(several, name))
        panels.append(_of_prompt(shown.nsmallest(MOST, "prompt_share"), name))
    if not panels:
        panels.append(message("there is no text yet."))
    finding = f"Distinct texts per combo: {', '.join(found)}" if found else "How new the texts are"
    return figure(
        panels,
        title=finding,
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Distinct texts: their effective number per combo (1: all the same), by runs of five "
            "characters, with 95 % intervals for new combos. From the prompt: the part of a text "
            "that stands in its prompt, in runs of 24 characters or more. Copies are left out.",
        ],
    )


def _labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with labels; a dimension with one level says what all texts say."""
    levels = rows.groupby("dimension")["level"].transform("nunique")
    rows = rows[(levels > 1) | (rows["dimension"] == "overall")]
    labels = [
        "all texts"
        if dimension == "overall"
        else f"{dimension_name(dimension)} · {one_line(level)}"
        for dimension, level in zip(rows["dimension"], rows["level"], strict=True)
    ]
    return rows.assign(label=labels, note="", marked=True)


def _distinct(rows: pd.DataFrame, stage: str) -> Panel:
    texts = [f"of {number:.3g}" for number in rows["texts_per_combo"]]
    shown = rows.assign(value=rows["effective"], text=texts)
    return interval_panel(
        shown,
        title=f"{stage}: distinct texts per combo",
        unit="effective number of distinct texts, 95 % interval for new combos",
        domain=(1.0, max(bounds(shown, [1.0])[1], float(rows["texts_per_combo"].max()))),
        references=(1.0,),
    )


def _of_prompt(rows: pd.DataFrame, stage: str) -> Panel:
    texts = [percent(share) for share in rows["prompt_share"].fillna(0)]
    nan = float("nan")
    shown = rows.assign(value=rows["prompt_share"], ci_low=nan, ci_high=nan, text=texts)
    return interval_panel(
        shown,
        title=f"{stage}: part of the text that stands in its prompt",
        unit="mean share of a text's characters",
        domain=(0.0, 1.0),
    )

"""Whom each judging model favours: a forest plot."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.figures.intervals import interval_note, interval_panel
from daydream.figures.layout import (
    Panel,
    figure,
    message,
    of_stage,
    prefix,
    scale_name,
    score_notes,
    scored_counts,
)
from daydream.figures.tables import Tables
from daydream.text import plural

MAX_PAIRS = 40


def writer_judge(tables: Tables) -> alt.VConcatChart:
    """Return a panel per scored stage, with a row per writing model and judging model."""
    panels: list[Panel] = []
    shown = [pd.DataFrame(columns=["value", "ci_low"])]
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        table = of_stage(tables.writer_judge, scores)
        pairs = table[table["preference"].notna()]
        if pairs.empty:
            panels.append(
                message(f"{start}needs two models that write and two that judge texts of both.")
            )
            continue
        own = pairs["own"] == "true"
        order = pairs.assign(other=~own, size=-pairs["preference"].abs())
        rows = order.sort_values(["other", "size"], kind="stable").head(MAX_PAIRS)
        rows = rows.assign(
            label=rows["judge_llm"]
            + [" on its own texts" if each == "true" else " on " for each in rows["own"]]
            + rows["writer"].where(rows["own"] != "true", ""),
            value=rows["preference"],
            text=[plural(texts, "text") for texts in rows["parents"]],
            note="",
            marked=rows["own"] == "true",
        )
        shown.append(rows)
        panels.append(
            interval_panel(
                rows,
                title=f"{start}what a judge gives this writer beyond what writer and judge explain",
                unit=f"preference ({scale_name(scores)}), 95 % interval for new combos",
            )
        )
    return figure(
        panels,
        title=f"{_finding(shown)}: {scored_counts(tables.scores)}",
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Filled: the judge is the model that wrote the texts. A preference does not say who is "
            "right: the judge may see what others miss. Preferences are relative, and add up to "
            "zero: one judge's large one makes others look as if they had some, too.",
            interval_note(pd.concat(shown)),
        ],
    )


def _finding(shown: list[pd.DataFrame]) -> str:
    rows = pd.concat(shown)
    if "own" not in rows:
        return "Whom judges favour"
    own = rows[(rows["own"] == "true") & rows["ci_low"].notna()]
    if own.empty:
        return "Whom judges favour"
    favoured = int((own["ci_low"] > 0).sum())
    if not favoured:
        return "No judge is seen to favour its own texts"
    if len(own) < 3:
        return "A writer and a judge of the same model go together"
    return f"Texts and judges of the same model go together in {favoured} of {len(own)} models"

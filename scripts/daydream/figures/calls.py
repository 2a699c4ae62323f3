"""What the models took: tokens and cost."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.figures.bars import bars_panel
from daydream.figures.layout import (
    Panel,
    figure,
    message,
    one_line,
    slice_notes,
    tooltips,
)
from daydream.figures.tables import Tables
from daydream.text import plural

MAX_MODELS = 40
MEASURES = {
    "prompt_tokens": ("prompt tokens", ",.0f", "~s"),
    "completion_tokens": ("completion tokens", ",.0f", "~s"),
    "cost_usd": ("cost, USD", "$,.4~f", "$~s"),
}


def calls(tables: Tables) -> alt.VConcatChart:
    """Return a panel per measure, with a row per model and a colour per stage."""
    table = tables.calls
    answered = table[table["mode"] == "llm"]
    models = _models(answered)
    shown = models[:MAX_MODELS]
    panels: list[Panel] = []
    for measure in MEASURES:
        if answered[measure].notna().any():
            rows = answered[answered["llm_model_id"].isin(shown)]
            panels.append(_panel(rows, measure, shown, legend=not panels))
    if not panels:
        told = "no provider has counted tokens" if shown else "no model has answered yet"
        panels.append(message(f"{told}."))
    return figure(
        panels,
        title=f"What the models took: {plural(len(answered), 'answer')} of "
        f"{plural(len(models), 'model')}",
        notes=[
            _missing(table),
            f"Cohort {one_line(tables.cohort)}.",
            *slice_notes(table["slice"]),
            _unpriced(answered),
            "Sums over the answers in use, those that a parser rejected included; answers that "
            "were replaced are in data/ledger.jsonl alone.",
            f"The {MAX_MODELS} with most tokens are shown." if len(models) > len(shown) else "",
        ],
    )


def _models(answered: pd.DataFrame) -> list[str]:
    """Return the models, the one that took most tokens first."""
    tokens = answered["prompt_tokens"].fillna(0) + answered["completion_tokens"].fillna(0)
    totals = tokens.groupby(answered["llm_model_id"], sort=False).sum()
    return list(totals.sort_values(ascending=False, kind="stable").index)


def _missing(table: pd.DataFrame) -> str:
    waiting = int((table["mode"] == "").sum())
    if not waiting:
        return ""
    have = "has" if waiting == 1 else "have"
    return f"Partial: {waiting:,} of {plural(len(table), 'generation')} {have} no answer."


def _unpriced(answered: pd.DataFrame) -> str:
    count = int(answered["cost_usd"].isna().sum())
    if not count:
        return ""
    what = "all answers" if count == len(answered) else plural(count, "answer")
    return f"The price of {what} is unknown: llm_models.csv or the provider does not tell."


def _panel(answered: pd.DataFrame, measure: str, models: list[str], *, legend: bool) -> Panel:
    title, form, axis = MEASURES[measure]
    groups = answered.groupby(["llm_model_id", "stage"], sort=False)[measure]
    sums = groups.agg(size="sum", answers="size", known="count").reset_index()
    totals = sums.groupby("llm_model_id")[["size", "answers", "known"]].sum().loc[models]
    numbers = zip(totals["size"], totals["answers"], totals["known"], strict=True)
    return bars_panel(
        sums[sums["known"] > 0].rename(columns={"llm_model_id": "label", "stage": "part"}),
        labels=models,
        parts=list(answered["stage"].unique()),
        ends=[_total(*each, in_usd=measure == "cost_usd") for each in numbers],
        title=title,
        unit=None,
        longest=totals["size"].max(),
        format=axis,
        hints=tooltips(
            {"label": "model", "part": "stage", "size": title, "answers": "answers"}, size=form
        ),
        legend=legend,
    )


def _total(total: float, answers: int, known: int, *, in_usd: bool) -> str:
    if not known:
        return "unknown"
    number = f"{total:,.0f}"
    if in_usd:
        number = f"${total:,.2f}" if total >= 1 else f"${total:.3g}"
    return number + (f" (+ {answers - known:,} unknown)" if answers > known else "")

"""How the scores spread, overall and at each level of each dimension."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from daydream.analysis.scores import Scores
from daydream.figures.intervals import interval_ends, interval_note
from daydream.figures.layout import (
    Panel,
    dimension_name,
    few,
    figure,
    message,
    of_stage,
    panel_title,
    prefix,
    row_texts,
    rows_axis,
    rows_height,
    score_notes,
    scored_counts,
    tooltips,
    units,
)
from daydream.figures.tables import Tables
from daydream.figures.theme import INK, PALE_BLUE, ROW, WIDTH

MAX_LEVELS = 24
# A scale of whole points has a bar a point up to so many; any other scale so many bars.
MAX_POINTS, BARS = 21, 20
ALL, NONE = "all scores", "(none)"


def score_distributions(tables: Tables) -> alt.VConcatChart:
    """Return a panel per dimension and a row per level: scores as bars, mean and interval."""
    panels: list[Panel] = []
    shown = [pd.DataFrame(columns=["mean", "ci_low"])]
    single: list[str] = []
    for scores in tables.scores:
        start = prefix(scores, tables.scores)
        if scores.scored.empty:
            panels.append(message(f"{start}no evaluation has a score yet."))
            continue
        parts, alone = _parts(tables, scores)
        bins = _Bins(scores)
        panels += [_panel(scores, bins, rows, title=start + of) for of, rows in parts.items()]
        shown += parts.values()
        single += alone
    return figure(
        panels,
        title=f"How the scores spread ({units(tables.scores)}): {scored_counts(tables.scores)}",
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "Bars: how often each score was given, the tallest of each row equally tall. "
            "Dot and line: mean and its 95 % interval. Rows: from the highest mean to the lowest.",
            interval_note(pd.concat(shown).rename(columns={"mean": "value"})),
            f"With one level, and so without a panel: {', '.join(single)}." if single else "",
        ],
    )


def _parts(tables: Tables, scores: Scores) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return the rows of each panel by its title, and the dimensions of a single level."""
    results = of_stage(tables.final_results, scores)
    results = results.sort_values("mean", ascending=False, kind="stable")
    overall = results[results["dimension"] == "overall"]
    parts, single = {"overall": overall.assign(label=ALL)}, []
    for dimension in ("combo_id", *scores.dimensions):
        rows = results[results["dimension"] == dimension]
        if len(rows) < 2:
            single.append(dimension_name(dimension))
            continue
        rows, shown = few(rows, most=MAX_LEVELS)
        labels = rows["level"].where(rows["level"] != "", NONE)
        parts[f"by {dimension_name(dimension)}{shown}"] = rows.assign(label=labels)
    return parts, single


class _Bins:
    """The bars that scores are counted in: their centres, and the width of one in pixels."""

    def __init__(self, scores: Scores) -> None:
        values = scores.scored["value"]
        self.low = min(scores.low, values.min())
        self.high = max(scores.high, values.max())
        points = self.high - self.low + 1
        if (values % 1 == 0).all() and self.low % 1 == 0 and points <= MAX_POINTS:
            self.edges = np.arange(self.low - 0.5, self.high + 1)
        else:
            self.edges = np.linspace(self.low, self.high, BARS + 1)
        self.centres = (self.edges[1:] + self.edges[:-1]) / 2
        self.domain = [float(self.edges[0]), float(self.edges[-1])]
        self.thickness = WIDTH / len(self.centres) - 2

    def count(self, values: pd.Series[float]) -> pd.DataFrame:
        """Return the bars of some scores that are not empty."""
        counts = np.histogram(values, self.edges)[0]
        bars = pd.DataFrame({"centre": self.centres, "count": counts})
        bars["share"] = counts / max(counts.sum(), 1)
        bars["height"] = (ROW - 4) * counts / max(counts.max(), 1)
        return bars[bars["count"] > 0]


def _panel(scores: Scores, bins: _Bins, rows: pd.DataFrame, *, title: str) -> Panel:
    dimension = rows["dimension"].iloc[0]
    by = scores.scored.assign(overall="").groupby(dimension)["value"]
    groups = dict(list(by))
    bars = pd.concat(
        [
            bins.count(groups[level]).assign(label=label)
            for level, label in zip(rows["level"], rows["label"], strict=True)
            if level in groups
        ]
    )
    numbers = zip(rows["mean"], rows["count"], rows["missing"], strict=True)
    labels = list(rows["label"])
    y = rows_axis(labels)
    x = alt.X("centre:Q", title=None, scale=alt.Scale(domain=bins.domain, nice=False, zero=False))
    means = tooltips(
        {"label": "level", "mean": "mean", "ci_low": "95 % from", "ci_high": "95 % to"},
        mean=".2f",
        ci_low=".2f",
        ci_high=".2f",
    )
    known = rows[rows["mean"].notna()]
    bounded = known[known["ci_low"].notna()]
    bounded = bounded.assign(low=bounded["ci_low"], high=bounded["ci_high"])
    return alt.layer(
        alt.Chart(bars)
        .mark_tick(orient="vertical", thickness=bins.thickness, color=PALE_BLUE, opacity=1)
        .encode(
            x=x,
            y=y,
            size=alt.Size("height:Q", scale=None),
            tooltip=tooltips(
                {"label": "level", "centre": "score", "count": "evaluations", "share": "share"},
                share=".0%",
                centre=".3~f",
            ),
        ),
        alt.Chart(bounded)
        .mark_rule(color=INK, strokeWidth=2)
        .encode(x=alt.X("ci_low:Q", title=None), x2="ci_high:Q", y=y, tooltip=means),
        *interval_ends(bounded, y=y, colour=INK, unit=None, hints=means),
        alt.Chart(known)
        .mark_circle(color=INK, size=60, opacity=1, stroke="white", strokeWidth=1.5)
        .encode(x="mean:Q", y=y, tooltip=means),
        *row_texts(labels, ends=[_counts(*each) for each in numbers]),
    ).properties(width=WIDTH, height=rows_height(len(rows)), title=panel_title(title))


def _counts(mean: float, count: float, missing: float) -> str:
    text = "" if pd.isna(mean) else f"mean {mean:.2f}, "
    text += f"n = {count:,.0f}"
    return text + (f", {missing:,.0f} missing" if missing else "")

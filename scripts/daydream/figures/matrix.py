"""Numbers in the cells of a matrix, coloured and written: the panel of a heat map."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from daydream.figures.layout import Panel, elided, panel_title, row_texts, rows_axis, tooltips
from daydream.figures.theme import CELL, EMPTY, FONT, MUTED, ROW


def matrix_panel(
    cells: pd.DataFrame,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    value: str,
    scale: alt.Scale,
    ends: Sequence[str] = (),
    counted: str = "texts",
    show_columns: bool = True,
    show_legend: bool = True,
) -> Panel:
    """Return a panel of `rows` and `columns`; a cell whose value is NaN is grey.

    `cells` has the columns ``label`` (the row), ``column``, ``value`` and ``n`` (of `counted`), and
    ``text`` if numbers are not to be written with two digits; `value` says what the value is. The
    colours of `scale` are light, so that black stands out on each. `ends` are texts that stand at
    the ends of rows.
    """
    if "text" not in cells:
        cells = cells.assign(text=[f"{each:.2f}" for each in cells["value"]])
    known, empty = cells[cells["value"].notna()], cells[cells["value"].isna()]
    names = pd.DataFrame({"column": columns, "text": elided(columns, letters=32)})
    x = alt.X(
        "column:N",
        sort=None,
        scale=alt.Scale(domain=list(columns)),
        axis=alt.Axis(title=None, labels=False, ticks=False, domain=False),
    )
    y = rows_axis(rows)
    hints = tooltips(
        {"label": "row", "column": "column", "value": value, "n": counted}, value=".3~f"
    )
    legend = alt.Legend(title=value, orient="bottom", gradientLength=180, tickCount=5)
    colour = alt.Color("value:Q", scale=scale, legend=legend if show_legend else None)
    heads = alt.Chart(names if show_columns else names.head(0)).mark_text(style="head")
    return alt.layer(
        alt.Chart(empty).mark_rect(fill=EMPTY, stroke="white", strokeWidth=1.5).encode(x=x, y=y),
        alt.Chart(empty).mark_text(text="–", color=MUTED).encode(x=x, y=y),
        alt.Chart(known)
        .mark_rect(stroke="white", strokeWidth=1.5)
        .encode(x=x, y=y, color=colour, tooltip=hints),
        alt.Chart(known)
        .mark_text(font=FONT, fontSize=11.5)
        .encode(
            x=x,
            y=y,
            text="text:N",
            color=alt.value("black"),
            tooltip=hints,
        ),
        heads.encode(x=x, y=alt.value(-8), text="text:N"),
        *row_texts(rows, ends=ends, width=CELL * len(columns)),
    ).properties(width=CELL * len(columns), height=(ROW + 2) * len(rows), title=panel_title(title))

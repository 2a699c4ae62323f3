"""What figures share: their headings, rows with names, and charts that say there is nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import TypeAlias

import altair as alt
import pandas as pd

from daydream.analysis.scores import Scores, lacking
from daydream.figures.theme import EMPTY, INK, MUTED, ROW, WIDTH
from daydream.text import plural

TITLE_WIDTH = 60
NOTE_WIDTH = 88
# One chart of a figure; what altair makes of layers is the second or the third.
Panel: TypeAlias = alt.Chart | alt.LayerChart | alt.FacetChart


def figure(panels: Sequence[Panel], *, title: str, notes: Iterable[str]) -> alt.VConcatChart:
    """Return panels below each other under a title that says what is shown, with units and n."""
    lines = [line for note in notes if note for line in textwrap.wrap(note, NOTE_WIDTH)]
    heading = alt.TitleParams(text=textwrap.wrap(title, TITLE_WIDTH), subtitle=lines)
    chart: alt.VConcatChart = alt.vconcat(*panels, title=heading).resolve_scale(
        color="independent", size="independent"
    )
    return chart


def panel_title(text: str) -> alt.TitleParams:
    """Return the title of one panel of a figure."""
    return alt.TitleParams(
        text=sentence(text),
        fontSize=13,
        color=INK,
        anchor="start",
        frame="group",
        offset=8,
    )


def message(text: str) -> Panel:
    """Return a panel that says why there is nothing to draw."""
    marks = alt.Chart(pd.DataFrame({"text": [sentence(text)]})).mark_text(
        align="left", color=MUTED, fontSize=14
    )
    panel: alt.Chart = marks.encode(text="text:N", x=alt.value(14), y=alt.value(28)).properties(
        width=WIDTH, height=56, view=alt.ViewConfig(fill=EMPTY)
    )
    return panel


def rows_axis(labels: Iterable[str]) -> alt.Y:
    """Return the encoding of rows by ``label``, in the given order; `row_texts` has their names."""
    axis = alt.Axis(title=None, labels=False)
    return alt.Y("label:N", sort=None, scale=alt.Scale(domain=list(labels)), axis=axis)


def row_texts(
    labels: Sequence[str],
    *,
    shown: Sequence[str] | None = None,
    ends: Sequence[str] = (),
    width: float = WIDTH,
) -> list[alt.Chart]:
    """Return layers with the names of rows on the left, and `ends` right of a panel's `width`.

    The names are `shown`, or else the labels, shortened.
    """
    y = rows_axis(labels)
    sides = (("name", shown or elided(labels), -10.0), ("aside", ends, width + 10))
    return [
        alt.Chart(pd.DataFrame({"label": labels, "text": texts}))
        .mark_text(style=style)
        .encode(x=alt.value(x), y=y, text="text:N", tooltip=tooltips({"label": "row"}))
        for style, texts, x in sides
        if texts
    ]


def elided(names: Sequence[str], *, letters: int = 40) -> list[str]:
    """Return names of at most so many letters, that can still be told apart if possible.

    If one is too long, what all begin or end with loses its middle; then what is still too long
    its own.
    """
    lines = [one_line(name) for name in names]
    if len({*lines}) > 1 and max(map(len, lines)) > letters:
        before = _in_common(lines)
        after = _in_common([line[before:][::-1] for line in lines])
        own = [line[before : len(line) - after] for line in lines]
        room = max((letters - max(map(len, own))) // 2, 3)
        start, end = _cut(lines[0][:before], room), _cut(lines[0][len(lines[0]) - after :], room)
        lines = [start + line + end for line in own]
    return [_cut(line, letters) for line in lines]


def _in_common(lines: Sequence[str]) -> int:
    """Return how many letters all lines begin with."""
    same = takewhile(lambda letters: len({*letters}) == 1, zip(*lines, strict=False))
    return sum(1 for _ in same)


def _cut(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    return f"{text[: letters // 2]}…{text[len(text) - (letters - 1) // 2 :]}"


def rows_height(count: int) -> float:
    """Return the height of a panel of so many rows."""
    return ROW * count + 4


def one_line(text: str) -> str:
    """Return a text without line breaks and control characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def sentence(text: str) -> str:
    """Return a text in one line that begins with a capital."""
    line = one_line(text)
    return line[:1].upper() + line[1:]


def dimension_name(column: str) -> str:
    """Return what a reader calls a dimension: ``draft_llm`` is the draft model."""
    return column.removesuffix("_id").replace("_llm", "_model").replace("_", " ")


def judge_names(scores: Scores) -> dict[str, str]:
    """Return what a reader calls each judge, in the design's order: model · template."""
    template, llm, *further = scores.stage.dimensions
    kinds = scores.rows.drop_duplicates("judge").set_index("judge")[[llm, template, *further]]
    return {
        str(judge): " · ".join(map(str, parts)) for judge, *parts in kinds.itertuples(name=None)
    }


def scored_counts(stages: Sequence[Scores]) -> str:
    """Return how many evaluations of how many texts have a score."""
    scored = [scores.scored for scores in stages]
    evaluations = sum(len(rows) for rows in scored)
    texts = sum(rows["parent"].nunique() for rows in scored)
    return f"{plural(evaluations, 'evaluation')} of {plural(texts, 'text')}"


def scale_name(scores: Scores) -> str:
    """Return the unit of the scores."""
    if (scores.low, scores.high) == (0, 1):
        return "share of the scale, 0 to 1"
    return f"points, {scores.low:g} to {scores.high:g}"


def units(stages: Sequence[Scores]) -> str:
    """Return the unit of the scores of all stages, if they have one."""
    names = {scale_name(scores) for scores in stages}
    return names.pop() if len(names) == 1 else "each stage on its own scale"


def score_notes(cohort: str, stages: Sequence[Scores]) -> list[str]:
    """Return what every figure of scores says: what is missing, and whose they are."""
    missing = lacking(stages)
    notes = [f"Partial: {missing}." if missing else "", f"Cohort {one_line(cohort)}."]
    slices = [text for scores in stages for text in scores.rows["slice"].unique()]
    return notes + slice_notes(slices)


def slice_notes(slices: Iterable[str]) -> list[str]:
    """Return a note for each slice that there is."""
    return [
        f"A slice, not the whole cohort: {one_line(text)}" for text in sorted({*slices}) if text
    ]


def of_stage(table: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """Return the rows of a table that are of a scored stage."""
    return table[table["stage"] == scores.stage.name]


def prefix(scores: Scores, stages: Sequence[Scores]) -> str:
    """Return what the titles of a stage's panels begin with: its name, if there are several."""
    return f"{one_line(scores.stage.name)}: " if len(stages) > 1 else ""


def few(rows: pd.DataFrame, *, most: int) -> tuple[pd.DataFrame, str]:
    """Return the first and last rows if there are more than `most`, and what they are."""
    if len(rows) <= most:
        return rows, ""
    half = most // 2
    kept = pd.concat([rows.head(half), rows.tail(half)])
    return kept, f" ({half} highest and {half} lowest of {len(rows):,})"


def tooltips(names: Mapping[str, str], **formats: str) -> list[alt.Tooltip]:
    """Return tooltips: titles by column, and the number formats of some columns."""
    return [
        alt.Tooltip(column, title=title, format=formats.get(column, alt.Undefined))
        for column, title in names.items()
    ]

"""How far the judges agree, how each one deviates, and which of them go together."""

from __future__ import annotations

import altair as alt
import pandas as pd

from daydream.analysis.scores import Scores
from daydream.figures.intervals import interval_note, interval_panel
from daydream.figures.layout import (
    Panel,
    figure,
    judge_names,
    message,
    of_stage,
    prefix,
    score_notes,
    scored_counts,
)
from daydream.figures.matrix import matrix_panel
from daydream.figures.tables import Tables
from daydream.figures.theme import DIVERGING
from daydream.text import plural

MAX_JUDGES = 24
# Below the first no conclusion, from the second on reliable: Krippendorff, Content Analysis, 2004,
# section 11.4.
TENTATIVE, RELIABLE = 0.667, 0.8
ALPHAS = {"alpha": "all judges", "alpha_template": "judges of ", "alpha_replicates": "repeats of "}


def judge_agreement(tables: Tables) -> alt.VConcatChart:
    """Return panels of Krippendorff's alpha, of the judges' biases, and of their correlations."""
    panels: list[Panel] = []
    intervals = [pd.DataFrame(columns=["value", "ci_low"])]
    judges = sum(len(scores.judges) for scores in tables.scores)
    parts = [(scores, _named(tables.judge_agreement, scores)) for scores in tables.scores]
    for scores, table in parts:
        start = prefix(scores, tables.scores)
        if scores.scored.empty:
            panels.append(message(f"{start}no evaluation has a score yet."))
            continue
        alphas, biases = _alphas(table), _biases(table)
        panels.append(
            interval_panel(
                alphas,
                title=f"{start}Krippendorff's alpha (1: agreement, 0: chance; lines at 0, "
                f"{TENTATIVE} and {RELIABLE})",
                unit="alpha, 95 % interval",
                domain=(min(-0.2, _lowest(alphas)), 1),
                references=(0, TENTATIVE, RELIABLE),
            )
        )
        panels.append(
            interval_panel(
                biases,
                title=f"{start}how much more a judge gives than the others for the same texts",
                unit=f"bias in {'points' if scores.high - scores.low != 1 else 'shares'}, "
                f"95 % interval",
            )
        )
        panels += _correlations(scores, table, start=start)
        intervals += [alphas, biases]
    return figure(
        panels,
        title=f"How far the judges agree: {plural(judges, 'judge')}, "
        f"{scored_counts(tables.scores)}",
        notes=[
            *score_notes(tables.cohort, tables.scores),
            "A judge is a model with an evaluation template; its repeated scores of one text are "
            "averaged first, save for the alpha of repeats.",
            interval_note(pd.concat(intervals)),
        ],
    )


def _named(table: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """Return the rows of a stage, with the names of judges that readers know them by."""
    rows, names = of_stage(table, scores), judge_names(scores)
    return rows.assign(
        judge=[names.get(judge, judge) for judge in rows["judge"]],
        other_judge=[names.get(judge, judge) for judge in rows["other_judge"]],
    )


def _alphas(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["measure"].isin(ALPHAS)]
    templates = rows["measure"] == "alpha_template"
    if templates.sum() < 2:  # the judges of the only template are all judges
        rows = rows[~templates]
    repeats = rows["measure"] == "alpha_replicates"
    if rows.loc[repeats, "value"].isna().all():  # one row says it for all judges
        rows = rows.assign(judge=rows["judge"].mask(repeats, "any judge"))
        rows = rows.drop_duplicates(["measure", "judge"])
    return rows.assign(
        label=rows["measure"].map(ALPHAS) + rows["judge"],
        text=[plural(parents, "text") for parents in rows["parents"]],
        note=rows["measure"].map(
            {
                "alpha": "needs two texts with two judges, and scores that differ",
                "alpha_template": "needs two texts with two judges, and scores that differ",
                "alpha_replicates": "needs repeated scores of two texts",
            }
        ),
        marked=True,
    )


def _biases(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["measure"] == "bias"].head(MAX_JUDGES)
    spreads = table[table["measure"] == "spread"].set_index("judge")["value"]
    return rows.assign(
        label=rows["judge"],
        text=[
            plural(parents, "text") + ("" if pd.isna(spread) else f", sd {spread:.2f}")
            for parents, spread in zip(rows["parents"], rows["judge"].map(spreads), strict=True)
        ],
        note="shares no text with another judge",
        marked=True,
    )


def _lowest(rows: pd.DataFrame) -> float:
    lowest = rows[["value", "ci_low"]].min().min()
    return 0.0 if pd.isna(lowest) else float(lowest)


def _correlations(scores: Scores, table: pd.DataFrame, *, start: str) -> list[Panel]:
    judges = [*judge_names(scores).values()][:MAX_JUDGES]
    pairs = table[table["measure"] == "pearson"][["judge", "other_judge", "value", "parents"]]
    pairs = pairs.set_axis(["label", "column", "value", "n"], axis=1)
    if pairs["value"].isna().all():
        return []
    # Below the diagonal alone: above it stands the same.
    pairs = pairs.rename(columns={"label": "column", "column": "label"})
    return [
        matrix_panel(
            pairs,
            rows=judges[1:],
            columns=judges[:-1],
            title=f"{start}Pearson's correlation of two judges over the texts of both",
            value="correlation",
            scale=alt.Scale(range=DIVERGING, domain=[-1, 0, 1], interpolate="rgb"),
        )
    ]

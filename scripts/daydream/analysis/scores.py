"""The score table as the statistics see it: one `Scores` for each scored stage.

The table is `aggregated_scores.csv` of one cohort (`reports.scores` describes it) or the union
of several. Which stages and dimensions there are is read from its header: a stage is a name with
the columns ``<stage>_template``, ``<stage>_llm`` and ``<stage>_replicate``; whatever else begins
with its name is a further dimension of it.

A `Scores` has a row for every evaluation that the design asks for, scored or not, with these
columns beside those of the file:

    parent   what was judged: the parent_gen_id, or the combo where the scored stage is the first
    root     the generation of the first stage that it descends from
    judge    ``<llm>_<template>`` and the further dimensions of the scored stage
    share    the score on its own template's scale, from 0 to 1; NaN if there is none
    value    the score on one scale for all rows: the templates' own if they agree, else 0 to 1

Replicates are not a dimension: they repeat the same cell of the design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from daydream.analysis.frames import read_csv
from daydream.errors import Problems, nearest

CODE = "scores"
IDENTITY = ("gen_id", "parent_gen_id", "combo_id")
NUMBERS = ("score", "score_min", "score_max", "parent_chars", "parent_usd")
NEEDED = (*IDENTITY, *NUMBERS, "error", "slice")
# In place of the model and the further dimensions of a stage that took over its parent's text: the
# text is the work of none of them, and copies under several models are one recipe.
COPIED = "(copy)"
# Columns that belong to no stage, even if one should have such a name.
GENERAL = frozenset(
    (*NEEDED, "cohort_id", "cohorts", "edited", "usd", "prompt_tokens", "completion_tokens")
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StageColumns:
    """The columns of one stage: `dimensions` are template, model and its further ones."""

    name: str
    gen_id: str
    dimensions: tuple[str, ...]
    replicate: str


# Two are the same only if they are one: comparing their rows says nothing.
@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scores:
    """The evaluations of one scored stage; `stages` is the chain that leads to it, itself last.

    `low` and `high` are the ends of the scale of `value`; `panel` is the rule by which several
    judges are one (`panels`).
    """

    rows: pd.DataFrame
    stages: tuple[StageColumns, ...]
    low: float
    high: float
    panel: str = "adjusted"

    @property
    def stage(self) -> StageColumns:
        """The scored stage."""
        return self.stages[-1]

    @property
    def recipe(self) -> list[str]:
        """The dimensions of the stages that made what was judged."""
        return [name for stage in self.stages[:-1] for name in stage.dimensions]

    @property
    def dimensions(self) -> list[str]:
        """Every dimension but the combo and the replicates, in the chain's order."""
        return [name for stage in self.stages for name in stage.dimensions]

    @property
    def replicates(self) -> list[str]:
        """The replicate columns, in the chain's order."""
        return [stage.replicate for stage in self.stages]

    @property
    def lineage(self) -> list[str]:
        """The columns that say what a parent is: its combo and all of its ancestry."""
        names = ["combo_id"]
        for stage in self.stages[:-1]:
            names += [stage.gen_id, *stage.dimensions, stage.replicate]
        return names

    @property
    def scored(self) -> pd.DataFrame:
        """The rows that have a score."""
        return self.rows[self.rows["value"].notna()]

    @property
    def judges(self) -> list[str]:
        """The judges that the design names, in its order."""
        return list(self.rows["judge"].unique())


def lacking(stages: Sequence[Scores]) -> str:
    """Return how many evaluations of how many have no score, in words; empty if all have one."""
    planned = sum(len(scores.rows) for scores in stages)
    missing = planned - sum(len(scores.scored) for scores in stages)
    if not missing:
        return ""
    noun, verb = (
        ("evaluation" if planned == 1 else "evaluations"),
        ("has" if missing == 1 else "have"),
    )
    return f"{missing:,} of {planned:,} {noun} {verb} no score"


def cells(scores: Scores) -> pd.DataFrame:
    """Return the scores by parent and judge, over the replicates of the evaluation.

    Columns: ``parent, judge, combo_id, root, chars, usd``; the means ``value``, ``share`` and
    ``score`` (on the judge's own scale); ``score_low, score_high, n``. A cell without any score has
    no row.
    """
    groups = scores.scored.groupby(["parent", "judge"], sort=False)
    return groups.agg(
        combo_id=("combo_id", "first"),
        root=("root", "first"),
        chars=("parent_chars", "first"),
        usd=("parent_usd", "first"),
        value=("value", "mean"),
        score=("score", "mean"),
        share=("share", "mean"),
        score_low=("score", "min"),
        score_high=("score", "max"),
        n=("score", "size"),
    ).reset_index()


def read_scores(path: str | Path) -> list[Scores]:
    """Return the scores of a file, one `Scores` per scored stage, in the order of the chain.

    Raises:
        InputError: the file is not a table of scores; every problem found.
    """
    return split_stages(read_frame(path), str(path))


def read_frame(path: str | Path) -> pd.DataFrame:
    """Return the table of a file: texts as they are, NaN for a score that is not there.

    Raises:
        InputError: the file is missing, empty, damaged, or lacks a column.
    """
    problems = Problems(CODE)
    frame = read_csv(path, problems)
    for name in NEEDED:
        if name not in frame:
            problems.add(path, f"lacks the column {name!r}", nearest(name, frame.columns))
    problems.check()
    for name in NUMBERS:
        numbers = pd.to_numeric(frame[name], errors="coerce")
        for row in np.flatnonzero(numbers.isna() & ~frame[name].isin(["", "nan"])):
            found = f"found {frame[name].iloc[row]!r} for {frame['gen_id'].iloc[row]}"
            problems.add(path, found, "give a number, or nothing", column=name)
        frame[name] = numbers
    problems.check()
    _drop_infinite(frame)
    return frame


def _drop_infinite(frame: pd.DataFrame) -> None:
    """Make a score that is not a finite number a missing one, in place, and say so."""
    frame.loc[np.isinf(frame["score"]), "score"] = np.nan
    unexplained = frame["score"].isna() & (frame["error"] == "")
    frame.loc[unexplained, "error"] = "the score is not a finite number"


def split_stages(frame: pd.DataFrame, source: str) -> list[Scores]:
    """Return the scores of a table as `read_frame` gives it, one `Scores` per scored stage.

    A table without rows is taken as one of its last stage, so that its reports have a header.

    Raises:
        InputError: the header names no stage; `source` is the name of the table to report.
    """
    stages = _stages(list(frame.columns))
    if not stages:
        problems = Problems(CODE)
        found = "names no stage: no <stage>_template with <stage>_llm and <stage>_replicate"
        problems.add(source, found, "let snakemake make it again")
        problems.check()
    found_scores = []
    for stage in stages:
        scored_here = frame[stage.name + "_template"] != ""
        if stage.gen_id in frame:
            scored_here &= frame[stage.gen_id] == ""
        if scored_here.any():
            found_scores.append(_scores(frame[scored_here], stage, stages))
    return found_scores or [_scores(frame, stages[-1], stages)]


def _stages(header: Sequence[str]) -> list[StageColumns]:
    names = [name for name in header if name not in GENERAL]
    stages = [
        name.removesuffix("_template")
        for name in names
        if name.endswith("_template")
        and {name.removesuffix("template") + other for other in ("llm", "replicate")} <= {*names}
    ]
    own: dict[str, list[str]] = {stage: [] for stage in stages}
    for name in names:
        owners = [stage for stage in stages if name.startswith(f"{stage}_")]
        if owners:
            own[max(owners, key=len)].append(name)
    return [
        StageColumns(
            name=stage,
            gen_id=f"{stage}_gen_id",
            dimensions=tuple(
                name
                for name in columns
                if name.removeprefix(f"{stage}_") not in ("gen_id", "replicate", "mode")
            ),
            replicate=f"{stage}_replicate",
        )
        for stage, columns in own.items()
    ]


def _scores(frame: pd.DataFrame, scored: StageColumns, stages: Sequence[StageColumns]) -> Scores:
    chain = [
        stage
        for stage in stages
        if stage is not scored and (frame.empty or (frame[f"{stage.name}_template"] != "").any())
    ]
    rows = _without_copiers(frame, chain)
    scored = StageColumns(
        name=scored.name,
        gen_id="gen_id",
        dimensions=scored.dimensions,
        replicate=scored.replicate,
    )
    rows["parent"] = rows["parent_gen_id"].where(rows["parent_gen_id"] != "", rows["combo_id"])
    rows["root"] = rows[chain[0].gen_id if chain else "gen_id"]
    rows["judge"] = _judges(rows, scored)
    width = rows["score_max"] - rows["score_min"]
    rows["share"] = (rows["score"] - rows["score_min"]) / width.where(width > 0)
    scales = rows[["score_min", "score_max"]].drop_duplicates()
    one_scale = len(scales) == 1
    rows["value"] = rows["score"] if one_scale else rows["share"]
    low, high = scales.iloc[0] if one_scale else (0.0, 1.0)
    return Scores(rows=rows, stages=(*chain, scored), low=float(low), high=float(high))


def _without_copiers(frame: pd.DataFrame, chain: Sequence[StageColumns]) -> pd.DataFrame:
    """Return the rows in which `COPIED` stands for what had no part in a copied text."""
    rows = frame.copy()
    for stage in chain:
        mode = f"{stage.name}_mode"
        if mode in rows:
            copied = rows[mode] == "copy"
            rows.loc[copied, list(stage.dimensions[1:])] = COPIED
    return rows


def _judges(rows: pd.DataFrame, scored: StageColumns) -> pd.Series[str]:
    """Return the judge of each row; its parts are joined by ``|`` if ``_`` made two judges one."""
    template, llm, *further = scored.dimensions
    parts = [llm, template, *further]
    kinds = rows[parts].drop_duplicates()
    delimiter = "|" if kinds.agg("_".join, axis=1).duplicated().any() else "_"
    names = rows[parts[0]]
    for part in parts[1:]:
        names = names + delimiter + rows[part]
    return names

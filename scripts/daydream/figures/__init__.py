"""Figures of a cohort: each a function of tables, drawn as HTML, SVG and PNG.

`tables` reads what the reports hold, `theme` has the look, `layout` and `intervals` the parts that
figures share, and each figure a module of its topic; `outputs` draws and writes them.

Names that catalogs give (templates, models, cohorts) are only ever values in a chart's data, never
names of its columns or parts of its expressions, where dots, quotes and brackets have a meaning.
"""

from __future__ import annotations

# Here, where the rules may read it: the modules import pandas, which the workflow's own process
# does without.
FIGURES = (
    "leaderboard",
    "cost_quality",
    "score_distributions",
    "template_judge",
    "template_model",
    "judge_agreement",
    "variance",
    "allocation",
    "writer_judge",
    "comparisons",
    "novelty",
    "calls",
    "failures",
)
FORMATS = ("html", "svg", "png")

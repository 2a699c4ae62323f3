"""Statistics of the scores: tables with their uncertainty.

`scores` reads the score table, `jackknife` makes intervals and tests for new combos, `strata` those
for the combos at hand, and each table has a module of its topic; `outputs` makes and writes them.
docs/results.md describes every column.
"""

from __future__ import annotations

from collections.abc import Mapping

# The tables of a cohort and their folders below its reports. Here, where the rules may read it:
# the modules import pandas, which the workflow's own process does without.
FOLDERS: Mapping[str, str] = {
    "generation_scores": "summary",
    "evaluation_model_template_pivot": "summary",
    "final_results": "summary",
    "perfect_scores": "summary",
    "leaderboard": "summary",
    "variance": "analysis",
    "allocation": "analysis",
    "judge_agreement": "analysis",
    "writer_judge": "analysis",
    "comparisons": "analysis",
    "coverage": "analysis",
    "novelty": "analysis",
    "diversity": "analysis",
}
# Those that are also made of each criterion on which judges give numbers besides the score, in the
# folder `criteria`.
CRITERIA = (
    "final_results",
    "leaderboard",
    "variance",
    "judge_agreement",
    "writer_judge",
    "comparisons",
    "correlations",
)
# The tables of what people have said of texts, in the folder `ratings`.
OF_RATINGS = ("judge_agreement", "calibrated_means", "win_shares")

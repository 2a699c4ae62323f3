"""Score tables with known effects, as the workflow would write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

STAGES = ("draft", "essay", "evaluation")
# The levels of each dimension: full crossing, a third draft template nowhere.
LEVELS = {
    "combo_id": 6,
    "draft_template": 2,
    "draft_llm": 2,
    "draft_replicate": 1,
    "essay_template": 2,
    "essay_llm": 1,
    "essay_replicate": 1,
    "evaluation_template": 2,
    "evaluation_llm": 2,
    "evaluation_replicate": 2,
}


def simulated(
    rng: np.random.Generator,
    *,
    levels: Mapping[str, int] | None = None,
    sd: Mapping[str, float] | None = None,
    fixed: Callable[[pd.DataFrame], pd.Series] | None = None,
    mean: float = 5.0,
    missing: float = 0.0,
) -> pd.DataFrame:
    """Return a score table of a fully crossed design, as `read_frame` gives one.

    `levels` overrides how many levels each dimension of `LEVELS` has, `sd` has the standard
    deviation of a random effect by component: a column, a generation stage, ``residual`` or
    ``replicate``; `fixed` adds an effect of its own. Of the scores, `missing` is the part left out.
    """
    counts = {**LEVELS, **(levels or {})}
    axes = [np.arange(counts[name]) for name in counts]
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(len(axes), -1)
    codes = pd.DataFrame(dict(zip(counts, grid, strict=True)))
    rows = pd.DataFrame({"gen_id": [f"v_{n}" for n in range(len(codes))]})
    made: list[str] = ["combo_id"]
    parents = {}
    for stage in STAGES:
        made += [name for name in counts if name.startswith(f"{stage}_")]
        parents[stage] = codes.groupby(made).ngroup()
    rows["parent_gen_id"] = "e_" + parents["essay"].astype(str)
    rows["cohort_id"] = "c1"
    rows["combo_id"] = "combo" + codes["combo_id"].astype(str)
    for stage in STAGES:
        if stage != "evaluation":
            rows[f"{stage}_gen_id"] = stage[0] + "_" + parents[stage].astype(str)
        rows[f"{stage}_template"] = stage[0] + "t" + codes[f"{stage}_template"].astype(str)
        rows[f"{stage}_llm"] = stage[0] + "m" + codes[f"{stage}_llm"].astype(str)
        rows[f"{stage}_replicate"] = (codes[f"{stage}_replicate"] + 1).astype(str)
        if stage != "draft":
            rows[f"{stage}_mode"] = "llm"
    value = pd.Series(mean, index=rows.index)
    cell = rows.groupby(["parent_gen_id", "evaluation_template", "evaluation_llm"]).ngroup()
    for name, spread in (sd or {}).items():
        groups = {"residual": cell, "replicate": pd.Series(rows.index), **parents}
        level = groups[name] if name in groups else codes[name]
        value += rng.normal(0, spread, int(level.max()) + 1)[level]
    if fixed is not None:
        value += fixed(rows)
    rows["score"] = value.where(rng.random(len(rows)) >= missing)
    rows["score_min"], rows["score_max"] = 0.0, 9.0
    rows["parent_chars"], rows["parent_usd"] = 1000.0, 0.01
    rows["error"] = np.where(rows["score"].isna(), "missing evaluation", "")
    rows["edited"] = ""
    rows["usd"] = rows["prompt_tokens"] = rows["completion_tokens"] = ""
    rows["slice"] = ""
    return rows

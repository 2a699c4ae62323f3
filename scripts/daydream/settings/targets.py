"""The options of single targets, given with ``--config``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from daydream.settings.fields import Count, Flag, Id, Name, OneOrMany, Section, Text


class TargetOptions(Section):
    """The options of single targets, given with --config."""

    size: Count | None = Field(
        default=None, description="`combos`: how many concepts each combo has."
    )
    level: Text | None = Field(
        default=None, description="`combos`: the description level of the concepts."
    )
    concepts: Annotated[tuple[Id, ...], Field(min_length=1), OneOrMany] | None = Field(
        default=None, description="`combos`: the concepts to combine; all of them if not given."
    )
    left: Id | None = Field(default=None, description="`diff`: the first cohort.")
    right: Id | None = Field(default=None, description="`diff`: the second cohort.")
    gen_id: Id | None = Field(default=None, description="`explain`, `restore`: the generation.")
    request: Id | None = Field(
        default=None,
        description="`restore`: the hash of the answer's request, or its first characters.",
    )
    source: Text | None = Field(
        default=None, description="`import_store`: the data root to import."
    )
    cohort: Name | None = Field(
        default=None, description="`import_store`: the cohort that it becomes."
    )
    confirm: Flag = Field(default=False, description="`prune`: whether to put aside what it lists.")
    count: Count = Field(default=30, description="`top`: how many texts to list.")
    by: Text = Field(
        default="shrunk_mean",
        description="`top`: the column of `generation_scores.csv` to rank them by.",
    )

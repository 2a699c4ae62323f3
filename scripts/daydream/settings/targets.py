"""The options of single targets, given with ``--config``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from daydream.settings.fields import (
    Count,
    Flag,
    Id,
    Name,
    NumberFrom0,
    OneOrMany,
    Positive,
    Section,
    Text,
)


class Components(Section):
    """Variances of the scores, in squared points of the scale."""

    combo: NumberFrom0 = Field(
        default=0,
        description="How far a level varies from combo to combo, beyond what all levels do: half "
        "of what the difference of two varies.",
    )
    text: NumberFrom0 = Field(
        default=0, description="How far texts of one combo and recipe differ."
    )
    judge: NumberFrom0 = Field(
        default=0,
        description="How far a level varies from judge to judge; 0 speaks of the judges "
        "used alone.",
    )
    residual: NumberFrom0 = Field(
        default=0, description="What a judge finds in a text beyond that."
    )
    replicate: NumberFrom0 = Field(
        default=0, description="How far repeated judgements of a text by a judge differ."
    )

    def __bool__(self) -> bool:
        """Tell whether any variance is stated."""
        return any(self.model_dump().values())


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
    cancel: Id | None = Field(
        default=None,
        description="`batches`: the batch to cancel, or `all`.",
    )
    confirm: Flag = Field(default=False, description="`prune`: whether to put aside what it lists.")
    half_width: Positive | None = Field(
        default=None,
        description="`allocate`: half of the widest interval of a difference that is enough, in "
        "points of the scale.",
    )
    components: Components = Field(
        default_factory=Components,
        description="`allocate`: variances to plan with, instead of those of the scores.",
    )
    usd_per_text: NumberFrom0 | None = Field(
        default=None,
        description="`allocate`: what a text costs, with its drafts; with `components`.",
    )
    usd_per_judgement: NumberFrom0 | None = Field(
        default=None, description="`allocate`: what a judgement costs; with `components`."
    )
    follow: Positive = Field(
        default=30, description="`follow`: the seconds from one page to the next."
    )
    count: Count = Field(default=30, description="`top`: how many texts to list.")
    by: Text = Field(
        default="shrunk_mean",
        description="`top`: the column of `generation_scores.csv` to rank them by.",
    )

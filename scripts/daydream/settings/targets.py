"""What single targets are told with ``--config``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from daydream.settings.fields import Count, Id, Name, OneOrMany, Section, Text


class TargetOptions(Section):
    """What single targets are told with --config."""

    size: Count | None = Field(
        default=None, description="`combos`: so many concepts in each combo."
    )
    level: Text | None = Field(
        default=None, description="`combos`: the level of their descriptions."
    )
    concepts: Annotated[tuple[Id, ...], Field(min_length=1), OneOrMany] | None = Field(
        default=None, description="`combos`: only combos of these; without it, of all."
    )
    left: Id | None = Field(default=None, description="`diff`: one cohort …")
    right: Id | None = Field(default=None, description="`diff`: … and the other.")
    gen_id: Id | None = Field(default=None, description="`explain`, `restore`: the generation.")
    request: Id | None = Field(
        default=None,
        description="`restore`: the hash of the answer's request, or the beginning of it.",
    )
    source: Text | None = Field(
        default=None, description="`import_store`: the data root to import …"
    )
    cohort: Name | None = Field(default=None, description="`import_store`: … as this cohort.")
    count: Count = Field(default=30, description="`top`: so many texts.")
    by: Text = Field(
        default="adjusted_mean",
        description="`top`: the column of `generation_scores.csv` that ranks them.",
    )

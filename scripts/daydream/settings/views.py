"""Views: conditions on the columns of the score table of all cohorts."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from daydream.settings.fields import Conditions, Section, invalid


class View(Section):
    """A part of the score table of all cohorts."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    where: Conditions = Field(
        default_factory=dict, description="Keeps the rows that match on every column named."
    )
    exclude: Conditions = Field(
        default_factory=dict, description="Leaves out the rows that match on any column named."
    )

    @model_validator(mode="after")
    def _has_conditions(self) -> Self:
        if not self.where and not self.exclude:
            raise invalid("give `where`, `exclude` or both")
        return self

"""Slices and views: conditions on the dimensions of generations, or on the columns of scores."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from daydream.settings.fields import Conditions, Section, refusal


class View(Section):
    """A part of the table of all cohorts' scores."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    where: Conditions = Field(
        default_factory=dict, description="A row is kept if it matches on every column named …"
    )
    exclude: Conditions = Field(default_factory=dict, description="… and here on none.")

    @model_validator(mode="after")
    def _has_conditions(self) -> Self:
        if not self.where and not self.exclude:
            raise refusal("give `where`, `exclude` or both")
        return self

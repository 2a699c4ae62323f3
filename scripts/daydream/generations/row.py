"""A generation as a row of text cells: its own dimensions, and the id of its parent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from daydream.generations.keys import KeyCodec, stage_fields
from daydream.settings import Stage

IDENTITY = (
    "stage",
    "gen_id",
    "cohort_id",
    "parent_gen_id",
    "combo_id",
    "template_id",
    "llm_model_id",
    "replicate",
)


class Generation(NamedTuple):
    """One row of a membership, all cells text; `dimensions` are those of its stage, in order."""

    stage: str
    gen_id: str
    cohort_id: str
    parent_gen_id: str
    combo_id: str
    template_id: str
    llm_model_id: str
    replicate: str
    dimensions: tuple[str, ...]
    key: str

    @property
    def subject(self) -> str:
        """What the generation is made from: its parent's id, or the combo at the first stage."""
        return self.parent_gen_id or self.combo_id

    @property
    def key_values(self) -> tuple[str, ...]:
        """The values of the generation's key, in the field order of its stage."""
        own = (self.template_id, self.llm_model_id, self.replicate)
        return (self.subject, *own, *self.dimensions)


def codec(stage: Stage) -> KeyCodec:
    """Return the codec of a stage's keys."""
    return KeyCodec(stage_fields(root=stage.parent is None, dimensions=stage.dimensions))


def further_dimensions(stages: Mapping[str, Stage]) -> list[str]:
    """Return the dimensions beyond template, model and replicate, of all stages, each once."""
    return list(dict.fromkeys(name for stage in stages.values() for name in stage.dimensions))


def own_axes(stage: Stage) -> list[str]:
    """Return the design axes of a stage: ``<stage>_template``, ``_llm``, ``_replicate``, ..."""
    own = ("template", "llm", "replicate", *stage.dimensions)
    return [f"{stage.name}_{dimension}" for dimension in own]


def from_metadata(
    metadata: Mapping[str, Any], *, cohort: str, stages: Mapping[str, Stage]
) -> Generation:
    """Return the row of a generation that exists, from its metadata.json.

    Raises:
        KeyError: the metadata lack something, or name an unknown stage.
    """
    stage = stages[metadata["stage"]]
    generation = Generation(
        stage=stage.name,
        gen_id=metadata["gen_id"],
        cohort_id=cohort,
        parent_gen_id=metadata["parent_gen_id"] or "",
        combo_id=metadata["combo_id"],
        template_id=metadata["template_id"],
        llm_model_id=metadata["llm_model_id"],
        replicate=str(metadata["replicate"]),
        dimensions=tuple(metadata["dimensions"][name] for name in stage.dimensions),
        key="",
    )
    return generation._replace(key=codec(stage).encode_values(generation.key_values))


def with_ancestors(rows: Mapping[str, Generation], chosen: Iterable[str]) -> set[str]:
    """Return the ids of the `chosen` and of all their ancestors; `rows` are by id."""
    kept: set[str] = set()
    for wanted in chosen:
        name = wanted
        while name and name not in kept:
            kept.add(name)
            name = rows[name].parent_gen_id
    return kept

"""The catalogs: the tables and texts that the dimensions of a cohort refer to.

    <root>/concepts_metadata.csv                          concept_id, name
    <root>/concepts/descriptions-<level>/<concept_id>.txt
    <combo_mappings>                                      combo_id, concept_id, description_level
    <root>/<stage>_templates.csv                          template_id, parser, generator, ...
    <root>/templates/<stage>/<template_id>.txt
    <root>/schemas/<schema>.json                          JSON Schemas of answers (optional)
    <root>/llm_models.csv                                 id, model, provider, ...
    <root>/replication_config.csv                         stage, replicates (optional)
    <items>                                               item_id, and whatever templates name

The tables are small records here, by id and in the order of their rows. Only the tables are read,
and only their form is judged: a row that no cohort uses may name a concept, a parser or a text that
is not there. `cohorts.uses` judges what rows of a cohort use. A combo has a row for each of its
concepts, which need not be adjacent. A workflow may take the rows of a table of items instead of
combos: all their columns are kept, for templates to name. Templates and concepts name their text,
so their ids must be file names; the ids of models, combos and items may be any text. Other columns
are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ITEM = "item_id"


Generator = Literal["llm", "copy"]
LEVEL_DIRECTORY = "descriptions-"
MODELS_TABLE = "llm_models.csv"
SCHEMAS = "schemas"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """A concept; its texts are files, one for each level of description."""

    concept_id: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Combo:
    """Concepts in order, each as (concept_id, level of description), and on which lines."""

    combo_id: str
    concepts: tuple[tuple[str, str], ...]
    lines: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A template of a stage; `score_min` and `score_max` bound what a score may be.

    `path` is None for a copy without a text of its own, whose prompt is its parent's text. `schema`
    names the JSON Schema of its answers, and `json_path` says where in them the score or the text
    is; both are empty if the catalog does not tell.
    """

    stage: str
    template_id: str
    name: str
    description: str
    parser: str
    generator: Generator
    score_min: float
    score_max: float
    path: Path | None
    schema: str = ""
    json_path: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model; prices are in USD per million tokens, None where the catalog does not tell.

    Tokens of the prompt that the provider reads from its cache or writes to it, and those of the
    answer that went into reasoning, may have prices of their own.
    """

    model_id: str
    model: str
    provider: str
    display_name: str
    pool: str
    usd_per_mtok_in: float | None
    usd_per_mtok_out: float | None
    usd_per_mtok_cached_in: float | None = None
    usd_per_mtok_reasoning: float | None = None
    usd_per_mtok_cache_write: float | None = None
    usd_per_mtok_cache_write_1h: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """All catalogs by id. `tables`: the tables that were read."""

    root: Path
    combo_mappings: Path | None
    concepts: Mapping[str, Concept]
    combos: Mapping[str, Combo]
    items: Mapping[str, Mapping[str, str]]
    templates: Mapping[str, Mapping[str, Template]]
    models: Mapping[str, Model]
    replicates: Mapping[str, int]
    tables: tuple[Path, ...]

    @property
    def subjects(self) -> Mapping[str, object]:
        """What first-stage generations are made from, by the id in their column `combo_id`."""
        return self.items or self.combos

    def concept_path(self, concept_id: str, level: str) -> Path:
        """Return the file of a concept's text at a level."""
        return self.root / "concepts" / f"{LEVEL_DIRECTORY}{level}" / f"{concept_id}.txt"

    def levels(self, concept_id: str) -> list[str]:
        """Return the levels of description at which there is a text of a concept, sorted."""
        directories = (self.root / "concepts").glob(f"{LEVEL_DIRECTORY}*")
        return sorted(
            directory.name.removeprefix(LEVEL_DIRECTORY)
            for directory in directories
            if (directory / f"{concept_id}.txt").is_file()
        )

    def schema_path(self, name: str) -> Path:
        """Return the file of a JSON Schema of answers."""
        return self.root / SCHEMAS / f"{name}.json"

    def templates_table(self, stage: str) -> Path:
        """Return the table of a stage's templates, which may be missing if no cohort uses it."""
        return templates_table_of(self.root, stage)

    @property
    def models_table(self) -> Path:
        """The table of the models."""
        return self.root / MODELS_TABLE


def is_file_name(name: str) -> bool:
    """Tell whether a file of a directory can be called so, and neither lie elsewhere nor hide."""
    return not (name.startswith(".") or "/" in name or "\\" in name or CONTROL.search(name))


def templates_table_of(root: Path, stage: str) -> Path:
    """Return the table of a stage's templates."""
    return root / f"{stage}_templates.csv"

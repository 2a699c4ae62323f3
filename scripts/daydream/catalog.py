"""The catalogs: the tables and texts that a cohort's dimensions refer to.

    <raw_dir>/concepts_metadata.csv                         concept_id, name
    <raw_dir>/concepts/descriptions-<level>/<concept_id>.txt
    <raw_dir>/<stage>_templates.csv                         template_id, parser, generator, ...
    <raw_dir>/templates/<stage>/<template_id>.txt
    <raw_dir>/llm_models.csv                                id, model, provider, ...
    <raw_dir>/replication_config.csv (optional)             stage, replicates
    <combo_mappings>                                        combo_id, concept_id, description_level

Further columns are ignored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daydream.errors import Problems, nearest
from daydream.tables import Row, scan_table

CODE = "catalog"
GENERATORS = ("llm", "copy")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept; its texts are files, one a level of description."""

    concept_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Combo:
    """Concepts in order, each as (concept_id, level of description)."""

    combo_id: str
    concepts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A template of a stage; `score_min` and `score_max` bound what a score may be."""

    stage: str
    template_id: str
    name: str
    description: str
    parser: str
    generator: str
    score_min: float
    score_max: float
    path: Path


@dataclass(frozen=True, slots=True)
class Model:
    """A model; prices are USD a million tokens, None where unknown."""

    model_id: str
    model: str
    provider: str
    display_name: str
    pool: str
    usd_per_mtok_in: float | None
    usd_per_mtok_out: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """All catalogs, by id. `files` are the tables and texts that they consist of."""

    root: Path
    concepts: Mapping[str, Concept]
    combos: Mapping[str, Combo]
    templates: Mapping[str, Mapping[str, Template]]
    models: Mapping[str, Model]
    replicates: Mapping[str, int]
    files: tuple[Path, ...]

    def concept_path(self, concept_id: str, level: str) -> Path:
        """Return the file of a concept's text at a level."""
        return _concept_path(self.root, concept_id, level)


def load_catalog(root: Path, combo_mappings: Path, stages: Sequence[str]) -> Catalog:
    """Read all catalogs.

    Raises:
        InputError: everything that is wrong with any of them.
    """
    reader = _Reader()
    concepts, combos = _load_concepts(root, combo_mappings, reader)
    templates = {stage: _load_templates(root, stage, reader) for stage in stages}
    models = _load_models(root / "llm_models.csv", reader)
    replicates = _load_replicates(root / "replication_config.csv", stages, reader)
    reader.problems.check()
    texts = [template.path for of_stage in templates.values() for template in of_stage.values()]
    used = dict.fromkeys(pair for combo in combos.values() for pair in combo.concepts)
    texts += [_concept_path(root, *pair) for pair in used]
    return Catalog(
        root=root,
        concepts=concepts,
        combos=combos,
        templates=templates,
        models=models,
        replicates=replicates,
        files=(*reader.files, *texts),
    )


class _Reader:
    """Reads tables, and remembers which ones and all that was wrong with them."""

    def __init__(self) -> None:
        self.problems = Problems(CODE)
        self.files: list[Path] = []

    def rows(self, path: Path, *required: str, optional: Sequence[str] = ()) -> list[Row]:
        """Return the usable rows of a table."""
        self.files.append(path)
        return scan_table(path, self.problems, required=required, optional=optional)

    def unique(
        self, path: Path, column: str, rows: Iterable[Row], *, files: bool = False
    ) -> dict[str, Row]:
        """Return the rows by id, which is there once and, with `files`, names files."""
        found: dict[str, Row] = {}
        for row in rows:
            name = row.values[column]
            if name in found:
                text = f"found {name!r}, which line {found[name].line} has already"
                self.problems.add(path, text, "give each id once", line=row.line, column=column)
            elif _CONTROL.search(name) or (files and not _is_file_name(name)):
                text = f"found {name!r}, which cannot name {'a file' if files else 'anything'}"
                remedy = "leave out control characters, slashes and a leading dot"
                self.problems.add(path, text, remedy, line=row.line, column=column)
            else:
                found[name] = row
        return found


def _is_file_name(name: str) -> bool:
    return "/" not in name and "\\" not in name and not name.startswith(".")


def _concept_path(root: Path, concept_id: str, level: str) -> Path:
    return root / "concepts" / f"descriptions-{level}" / f"{concept_id}.txt"


def _load_concepts(
    root: Path, combo_mappings: Path, reader: _Reader
) -> tuple[dict[str, Concept], dict[str, Combo]]:
    metadata = root / "concepts_metadata.csv"
    if not metadata.exists() and not combo_mappings.exists():
        return {}, {}
    rows = reader.rows(metadata, "concept_id", "name")
    unique = reader.unique(metadata, "concept_id", rows, files=True)
    concepts = {name: Concept(name, row.values["name"]) for name, row in unique.items()}
    texts = _concept_texts(root)
    combos: dict[str, dict[str, str]] = {}
    add = reader.problems.add
    for row in reader.rows(combo_mappings, "combo_id", "concept_id", "description_level"):
        combo_id, concept = row.values["combo_id"], row.values["concept_id"]
        level = row.values["description_level"]
        combo = combos.setdefault(combo_id, {})
        if _CONTROL.search(combo_id):
            found = f"found {combo_id!r}, which holds control characters"
            add(combo_mappings, found, "leave them out", line=row.line, column="combo_id")
        if concept not in concepts:
            found = f"found {concept!r}, which is no concept"
            add(
                combo_mappings,
                found,
                nearest(concept, concepts),
                line=row.line,
                column="concept_id",
            )
        elif concept in combo:
            found = f"found {concept!r} twice in combo {combo_id!r}"
            remedy = "give each concept of a combo once"
            add(combo_mappings, found, remedy, line=row.line, column="concept_id")
        elif concept not in texts.get(level, ()):
            there = [name for name, ids in texts.items() if concept in ids]
            found = f"found {level!r}, but {_concept_path(root, concept, level)} does not exist"
            remedy = f"write it, or use a level that is there: {', '.join(sorted(there)) or 'none'}"
            add(combo_mappings, found, remedy, line=row.line, column="description_level")
        combo.setdefault(concept, level)
    return concepts, {name: Combo(name, tuple(combo.items())) for name, combo in combos.items()}


def _concept_texts(root: Path) -> dict[str, set[str]]:
    """Return, by level, the ids of the concepts that have a text: a directory scan a level."""
    prefix = "descriptions-"
    directories = (root / "concepts").glob(f"{prefix}*")
    return {
        directory.name.removeprefix(prefix): {
            path.stem for path in directory.iterdir() if path.suffix == ".txt"
        }
        for directory in directories
    }


def _load_templates(root: Path, stage: str, reader: _Reader) -> dict[str, Template]:
    path = root / f"{stage}_templates.csv"
    templates = {}
    rows = reader.rows(path, "template_id")
    for name, row in reader.unique(path, "template_id", rows, files=True).items():
        text = root / "templates" / stage / f"{name}.txt"
        if not text.is_file():
            found = f"found {name!r}, but {text} does not exist"
            reader.problems.add(path, found, "write it", line=row.line, column="template_id")
        generator = row.values.get("generator") or "llm"
        if generator not in GENERATORS:
            found = f"found {generator!r}, which is no generator"
            remedy = f"use one of {', '.join(GENERATORS)}"
            reader.problems.add(path, found, remedy, line=row.line, column="generator")
        low = _number(path, row, "score_min", reader.problems, default=0.0)
        high = _number(path, row, "score_max", reader.problems, default=9.0)
        if low is not None and high is not None and low >= high:
            found = f"found score_min {low:g}, which is not below score_max {high:g}"
            reader.problems.add(path, found, "swap them", line=row.line, column="score_min")
        templates[name] = Template(
            stage=stage,
            template_id=name,
            name=row.values.get("template_name") or name,
            description=row.values.get("description", ""),
            parser=row.values.get("parser") or "identity",
            generator=generator,
            score_min=low or 0.0,
            score_max=high or 0.0,
            path=text,
        )
    return templates


def _number(
    path: Path, row: Row, column: str, problems: Problems, *, default: float | None
) -> float | None:
    cell = row.values.get(column, "")
    if not cell:
        return default
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        problems.add(path, f"found {cell!r}", "give a number", line=row.line, column=column)
        return default
    return value


def _load_models(path: Path, reader: _Reader) -> dict[str, Model]:
    models = {}
    for name, row in reader.unique(
        path, "id", reader.rows(path, "id", "model", "provider")
    ).items():
        prices = {}
        for column in ("usd_per_mtok_in", "usd_per_mtok_out"):
            price = _number(path, row, column, reader.problems, default=None)
            if price is not None and price < 0:
                found = f"found {price:g}"
                reader.problems.add(path, found, "give a price", line=row.line, column=column)
            prices[column] = price
        models[name] = Model(
            name,
            row.values["model"],
            row.values["provider"],
            row.values.get("display_name") or name,
            row.values.get("pool", ""),
            prices["usd_per_mtok_in"],
            prices["usd_per_mtok_out"],
        )
    return models


def _load_replicates(path: Path, stages: Sequence[str], reader: _Reader) -> dict[str, int]:
    if not path.exists():
        return {}
    replicates = {}
    rows = reader.rows(path, "stage", "replicates")
    for stage, row in reader.unique(path, "stage", rows).items():
        count = row.values["replicates"]
        if stage not in stages:
            found = f"found {stage!r}, which is no stage"
            reader.problems.add(path, found, nearest(stage, stages), line=row.line, column="stage")
        if not count.isdecimal() or int(count) < 1:
            found = f"found {count!r}, which counts nothing"
            remedy = "give a whole number from 1"
            reader.problems.add(path, found, remedy, line=row.line, column="replicates")
        else:
            replicates[stage] = int(count)
    return replicates

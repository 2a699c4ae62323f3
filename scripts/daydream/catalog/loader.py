"""Reading the tables of a data root into a `Catalog`, with everything that is wrong with them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from daydream.catalog.records import (
    CONTROL,
    ITEM,
    MODELS_TABLE,
    Catalog,
    Combo,
    Concept,
    Generator,
    Model,
    Template,
    is_file_name,
    templates_table_of,
)
from daydream.errors import Problems, nearest
from daydream.tables import Row, decimal_comma, scan_table

CODE = "catalog"


_GENERATORS: dict[str, Generator] = {"llm": "llm", "copy": "copy"}


_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


_WHOLE = re.compile(r"[0-9]{1,9}")


def load_catalog(
    root: Path, combo_mappings: Path | None, stages: Sequence[str], *, items: Path | None = None
) -> Catalog:
    """Read the tables of a workflow with these stages.

    A workflow without concepts has no `combo_mappings`, or neither that file nor the metadata; one
    with `items` takes these instead. A stage whose table is missing has no templates.

    Raises:
        InputError: everything that is wrong with the form of any of them.
    """
    loader = _Loader(root)
    concepts, combos = loader.concepts_and_combos(combo_mappings if items is None else None)
    by_item = loader.items(items)
    templates = {stage: loader.templates(stage) for stage in stages}
    models = loader.models()
    replicates = loader.replicates(stages)
    loader.problems.check()
    return Catalog(
        root=root,
        combo_mappings=combo_mappings,
        concepts=concepts,
        combos=combos,
        items=by_item,
        templates=templates,
        models=models,
        replicates=replicates,
        tables=tuple(loader.tables),
    )


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)  # a link to nothing is a text that is missing


def read_number(path: Path, row: Row, column: str, problems: Problems) -> float | None:
    """Return the finite number in a cell, or None if it is empty; note anything else."""
    cell = row.values[column]
    if not cell:
        return None
    number = float(cell) if _DECIMAL.fullmatch(cell) else math.nan
    if math.isfinite(number):
        return number
    pointed = decimal_comma(cell)
    remedy = f"write a decimal point: {pointed}" if pointed else "write one such as 9 or 0.5"
    found = f"found {cell!r}, which is not a number"
    problems.add(path, found, remedy, line=row.line, column=column)
    return None


class _Loader:
    """Reads the tables, and remembers which ones and all that is wrong with them.

    What is refused stands in the results nevertheless, as nobody will see them: so a reference to
    it is not refused as well.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems = Problems(CODE)
        self.tables: list[Path] = []

    def concepts_and_combos(
        self, mappings: Path | None
    ) -> tuple[dict[str, Concept], dict[str, Combo]]:
        metadata = self.root / "concepts_metadata.csv"
        if mappings is None or not (mappings.exists() or metadata.exists()):
            return {}, {}
        rows = self._scan(metadata, required=("concept_id", "name"))
        by_id = self._by_id(metadata, "concept_id", rows, name_files=True)
        concepts = {
            name: Concept(concept_id=name, name=row.values["name"]) for name, row in by_id.items()
        }
        return concepts, self._combos(mappings)

    def _combos(self, path: Path) -> dict[str, Combo]:
        concepts: dict[str, dict[str, tuple[str, int]]] = {}
        columns = ("combo_id", "concept_id", "description_level")
        cells = itemgetter(*columns)
        for row in self._scan(path, required=columns):
            combo_id, concept, level = cells(row.values)
            if not (combo_id and concept and level):
                continue
            if combo_id not in concepts:
                concepts[combo_id] = {}
                self._check_id(path, row, "combo_id")
            if concept in concepts[combo_id]:
                first = concepts[combo_id][concept][1]
                why = f"which line {first} has in combo {combo_id!r} already"
                self._refuse(path, row, "concept_id", why, "give each concept of a combo once")
                continue
            concepts[combo_id][concept] = (level, row.line)
        return {
            name: Combo(
                combo_id=name,
                concepts=tuple((concept, level) for concept, (level, _) in rows.items()),
                lines=tuple(line for _, line in rows.values()),
            )
            for name, rows in concepts.items()
        }

    def items(self, path: Path | None) -> dict[str, dict[str, str]]:
        if path is None:
            return {}
        by_id = self._by_id(path, ITEM, self._scan(path, required=(ITEM,)))
        if not by_id and not self.problems.found:
            self.problems.add(path, "the table has no row", "give a row for each item", line=1)
        return {name: dict(row.values) for name, row in by_id.items()}

    def templates(self, stage: str) -> dict[str, Template]:
        path = templates_table_of(self.root, stage)
        if not path.exists():
            return {}
        optional = (
            "template_name",
            "description",
            "parser",
            "generator",
            "score_min",
            "score_max",
            "schema",
            "json_path",
        )
        rows = self._scan(path, required=("template_id",), optional=optional)
        by_id = self._by_id(path, "template_id", rows, name_files=True)
        directory = self.root / "templates" / stage
        templates = {}
        for name, row in by_id.items():
            text = directory / f"{name}.txt"
            generator = _GENERATORS.get(row.values["generator"] or "llm")
            if generator is None:
                remedy = nearest(row.values["generator"], _GENERATORS)
                self._refuse(path, row, "generator", "which is not a generator", remedy)
            score_min, score_max = self._scale(path, row)
            schema = row.values["schema"]
            if not is_file_name(schema):
                remedy = "write the name of a file in schemas/, without .json"
                self._refuse(path, row, "schema", "which cannot name a file", remedy)
            templates[name] = Template(
                stage=stage,
                template_id=name,
                name=row.values["template_name"] or name,
                description=row.values["description"],
                parser=row.values["parser"] or "identity",
                generator=generator or "llm",
                score_min=score_min,
                score_max=score_max,
                path=text if generator != "copy" or _is_there(text) else None,
                schema=schema,
                json_path=row.values["json_path"],
                line=row.line,
            )
        return templates

    def models(self) -> dict[str, Model]:
        path = self.root / MODELS_TABLE
        prices = (
            "usd_per_mtok_in",
            "usd_per_mtok_out",
            "usd_per_mtok_cached_in",
            "usd_per_mtok_reasoning",
            "usd_per_mtok_cache_write",
            "usd_per_mtok_cache_write_1h",
        )
        optional = ("display_name", "pool", *prices)
        rows = self._scan(path, required=("id", "model", "provider"), optional=optional)
        return {
            name: Model(
                model_id=name,
                model=row.values["model"],
                provider=row.values["provider"],
                display_name=row.values["display_name"] or name,
                pool=row.values["pool"],
                **{column: self._price(path, row, column) for column in prices},
            )
            for name, row in self._by_id(path, "id", rows).items()
        }

    def replicates(self, stages: Sequence[str]) -> dict[str, int]:
        path = self.root / "replication_config.csv"
        if not path.exists():
            return {}
        replicates = {}
        rows = self._scan(path, required=("stage", "replicates"))
        for stage, row in self._by_id(path, "stage", rows).items():
            if stage not in stages:
                self._refuse(path, row, "stage", "which is not a stage", nearest(stage, stages))
            count = row.values["replicates"]
            replicates[stage] = int(count) if _WHOLE.fullmatch(count) else 0
            if count and replicates[stage] < 1:
                why, remedy = "which is not a number of replicates", "write a whole number from 1"
                self._refuse(path, row, "replicates", why, remedy)
        return replicates

    def _scan(
        self, path: Path, *, required: Sequence[str], optional: Sequence[str] = ()
    ) -> Iterator[Row]:
        self.tables.append(path)
        return scan_table(path, self.problems, required=required, optional=optional)

    def _refuse(self, path: Path, row: Row, column: str, why: str, remedy: str) -> None:
        found = f"found {row.values[column]!r}, {why}"
        self.problems.add(path, found, remedy, line=row.line, column=column)

    def _by_id(
        self, path: Path, column: str, rows: Iterable[Row], *, name_files: bool = False
    ) -> dict[str, Row]:
        """Return the rows by their id; an id that an earlier row has is refused."""
        by_id: dict[str, Row] = {}
        for row in rows:
            name = row.values[column]
            if name in by_id:
                why = f"which line {by_id[name].line} has already"
                self._refuse(path, row, column, why, "give each once")
            elif name:
                by_id[name] = row
                self._check_id(path, row, column, names_file=name_files)
        return by_id

    def _check_id(self, path: Path, row: Row, column: str, *, names_file: bool = False) -> None:
        name = row.values[column]
        if names_file and not is_file_name(name):
            remedy = "leave out slashes, backslashes, control characters and a leading dot"
            self._refuse(path, row, column, "which cannot name a file", remedy)
        elif CONTROL.search(name):
            self._refuse(path, row, column, "which has a control character", "leave it out")

    def _number(self, path: Path, row: Row, column: str) -> float | None:
        return read_number(path, row, column, self.problems)

    def _scale(self, path: Path, row: Row) -> tuple[float, float]:
        """Return the bounds of a template's scores: from 0 to 9 where the cells are empty."""
        given = self._number(path, row, "score_min"), self._number(path, row, "score_max")
        low = 0.0 if given[0] is None else given[0]
        high = 9.0 if given[1] is None else given[1]
        if low >= high:
            column = "score_min" if given[1] is None else "score_max"
            why = f"which makes a scale from {low:g} to {high:g}"
            remedy = "let score_min (empty: 0) be less than score_max (empty: 9)"
            self._refuse(path, row, column, why, remedy)
        return low, high

    def _price(self, path: Path, row: Row, column: str) -> float | None:
        price = self._number(path, row, column)
        if price is not None and price < 0:
            remedy = "write USD for a million tokens, or leave the cell empty"
            self._refuse(path, row, column, "which is not a price", remedy)
        return price

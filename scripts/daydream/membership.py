"""The membership of a cohort: its generations as a table, `membership.csv`.

One row a generation, parents before children:

    stage, gen_id, cohort_id, parent_gen_id, combo_id, template_id, llm_model_id, replicate,
    <further dimensions of the stages>, key

A row holds the generation's own dimensions; its ancestors' are in their rows. `combo_id` alone is
repeated on every row. A further dimension that the row's stage does not have is empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from daydream.catalog import Catalog
from daydream.errors import Problems, nearest
from daydream.keys import KeyCodec, KeyCodecError, gen_id, is_gen_id, stage_fields
from daydream.settings import Stage
from daydream.tables import read_table

CODE = "membership"
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


def expand(
    rows: Iterable[Sequence[str]],
    axes: Sequence[str],
    *,
    cohort: str,
    stages: Iterable[Stage],
    parents: Sequence[Generation] = (),
) -> list[Generation]:
    """Return the generations of a design, each distinct one once, stage by stage.

    `rows` hold a value for each of `axes`: the `own_axes` of each of `stages`, of which a parent
    stands before its children, and ``combo_id``, unless the rows are laid upon each of `parents`.
    """
    levels = [_Level(stage, axes, cohort) for stage in stages]
    if parents:
        laid = list(rows)
        for parent in parents:
            for row in laid:
                _add(levels, row, {parent.stage: parent.gen_id}, parent.combo_id)
    else:
        combo = list(axes).index("combo_id")
        for row in rows:
            _add(levels, row, {None: row[combo]}, row[combo])
    return [generation for level in levels for generation in level.generations.values()]


def _add(
    levels: Iterable[_Level], row: Sequence[str], ids: dict[str | None, str], combo: str
) -> None:
    """Add what `row` names at each level; `ids` holds what each stage's children are made from."""
    for level in levels:
        ids[level.name] = level.id_of(row, ids[level.parent], combo)


class _Level:
    """The generations of one stage while a design is expanded, by the values of their keys."""

    def __init__(self, stage: Stage, axes: Sequence[str], cohort: str) -> None:
        self.name = stage.name
        self.parent = stage.parent
        self.prefix = stage.prefix
        self.cohort = cohort
        self.codec = codec(stage)
        self.own = itemgetter(*(list(axes).index(axis) for axis in own_axes(stage)))
        self.generations: dict[tuple[str, ...], Generation] = {}

    def id_of(self, row: Sequence[str], subject: str, combo: str) -> str:
        """Return the id of the generation that `row` names here; a new one is added."""
        values = (subject, *self.own(row))
        known = self.generations.get(values)
        if known is None:
            key = self.codec.encode_values(values)
            known = self.generations[values] = Generation(
                stage=self.name,
                gen_id=gen_id(stage=self.name, prefix=self.prefix, key=key),
                cohort_id=self.cohort,
                parent_gen_id="" if self.parent is None else subject,
                combo_id=combo,
                template_id=values[1],
                llm_model_id=values[2],
                replicate=values[3],
                dimensions=values[4:],
                key=key,
            )
        return known.gen_id


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


def membership_text(generations: Iterable[Generation], stages: Mapping[str, Stage]) -> str:
    """Return a membership table as the text of its file."""
    further = further_dimensions(stages)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*IDENTITY, *further, "key"])
    if not further:
        writer.writerows([(*row[:8], row[9]) for row in generations])
    else:
        for row in generations:
            own = dict(zip(stages[row.stage].dimensions, row.dimensions, strict=True))
            writer.writerow([*row[:8], *(own.get(name, "") for name in further), row.key])
    return text.getvalue()


def read_membership(path: Path, stages: Mapping[str, Stage]) -> list[Generation]:
    """Return the rows of a membership that this workflow wrote.

    Raises:
        InputError: the header is not that of these stages, or a row's key is not that of its
            columns, as after an edit by hand or under another configuration.
    """
    further = further_dimensions(stages)
    header = [*IDENTITY, *further, "key"]
    problems = Problems(CODE)
    remedy = "delete the file and run snakemake again, which writes it anew"
    places = {
        name: [len(IDENTITY) + further.index(dimension) for dimension in stage.dimensions]
        for name, stage in stages.items()
    }
    codecs = {name: codec(stage) for name, stage in stages.items()}
    generations = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        if next(reader, None) != header:
            problems.add(path, f"the header is not {','.join(header)}", remedy, line=1)
            problems.check()
        for row in reader:
            stage = row[0]
            if stage not in stages or len(row) != len(header):
                problems.add(path, f"found the row {row}", remedy, line=reader.line_num)
                continue
            generation = Generation(
                intern(stage),
                row[1],
                intern(row[2]),
                row[3],
                intern(row[4]),
                intern(row[5]),
                intern(row[6]),
                intern(row[7]),
                tuple(row[place] for place in places[stage]),
                row[-1],
            )
            if codecs[stage].encode_values(generation.key_values) != generation.key:
                found = f"found {generation.key!r}, which is not the key of the row's columns"
                problems.add(path, found, remedy, line=reader.line_num, column="key")
            generations.append(generation)
    problems.check()
    return generations


@dataclass(frozen=True, slots=True)
class _Given:
    """A row of a membership given by hand, with the line it stands on."""

    line: int
    generation: Generation


def read_given_membership(
    path: Path, *, cohort: str, stages: Mapping[str, Stage], catalog: Catalog
) -> list[Generation]:
    """Return the rows of ``spec/membership.csv``: a cohort given as it is, ids included.

    `cohort_id` and `key` may be left out; where they stand they must agree with the rest.

    Raises:
        InputError: every contradiction in the file, with line and column.
    """
    problems = Problems(CODE)
    further = further_dimensions(stages)
    required = ("stage", "gen_id", "combo_id", "template_id", "replicate")
    optional = ("cohort_id", "parent_gen_id", "llm_model_id", *further, "key")
    given: dict[str, _Given] = {}
    unknown: dict[tuple[str, str, str], list[int]] = {}
    for row in read_table(path, code=CODE, required=required, optional=optional):
        values = row.values
        stage = stages.get(values["stage"])
        if stage is None:
            found = f"found {values['stage']!r}, which is no stage"
            remedy = nearest(values["stage"], stages)
            problems.add(path, found, remedy, line=row.line, column="stage")
            continue
        generation = Generation(
            stage=stage.name,
            gen_id=values["gen_id"],
            cohort_id=cohort,
            parent_gen_id=values.get("parent_gen_id", ""),
            combo_id=values["combo_id"],
            template_id=values["template_id"],
            llm_model_id=values.get("llm_model_id", ""),
            replicate=values["replicate"],
            dimensions=tuple(values.get(name, "") for name in stage.dimensions),
            key="",
        )
        generation = generation._replace(key=codec(stage).encode_values(generation.key_values))
        for column, found, remedy in _contradictions(
            generation, values, stage=stage, cohort=cohort, given=given
        ):
            problems.add(path, found, remedy, line=row.line, column=column)
        for finding in catalog_contradictions(generation, catalog):
            unknown.setdefault(finding, []).append(row.line)
        given.setdefault(generation.gen_id, _Given(row.line, generation))
    for (column, found, remedy), lines in unknown.items():
        more = f" (in {len(lines):,} rows)" if len(lines) > 1 else ""
        problems.add(path, f"{found}{more}", remedy, line=lines[0], column=column)
    problems.found.sort(key=lambda problem: problem.line or 0)
    if not given and not problems.found:
        problems.add(path, "the table has no row", "give a row for each generation", line=1)
    problems.check()
    order = {name: index for index, name in enumerate(stages)}
    rows = [entry.generation for entry in given.values()]
    return sorted(rows, key=lambda generation: order[generation.stage])


def _contradictions(
    generation: Generation,
    values: Mapping[str, str],
    *,
    stage: Stage,
    cohort: str,
    given: Mapping[str, _Given],
) -> Iterable[tuple[str, str, str]]:
    """Yield (column, what was found, what to do) for what contradicts itself in a given row."""
    row_id, parent_id = generation.gen_id, generation.parent_gen_id
    if not is_gen_id(row_id):
        form = "use up to 64 letters, digits, _ and -, beginning with a letter or digit"
        yield "gen_id", f"found {row_id!r}, which cannot name a directory", form
    if row_id in given:
        line = given[row_id].line
        yield "gen_id", f"found {row_id!r}, which line {line} has already", "give each id once"
    if values.get("cohort_id") not in (None, "", cohort):
        found = f"found {values['cohort_id']!r}, but the cohort is {cohort!r}"
        yield "cohort_id", found, f"write {cohort!r} or leave the column out"
    if not generation.replicate.isdecimal() or int(generation.replicate) < 1:
        found = f"found {generation.replicate!r}, which counts nothing"
        yield "replicate", found, "give a whole number from 1"
    if values.get("key"):
        try:
            codec(stage).decode(values["key"])
            wrong = values["key"] != generation.key
        except KeyCodecError:
            wrong = True
        if wrong:
            found = f"found {values['key']!r}, but the columns make {generation.key!r}"
            yield "key", found, "correct one of them, or leave the column out"
    yield from _parent_contradictions(generation, stage, parent_id, given)


def _parent_contradictions(
    generation: Generation, stage: Stage, parent_id: str, given: Mapping[str, _Given]
) -> Iterable[tuple[str, str, str]]:
    if stage.parent is None:
        if parent_id:
            found = f"found {parent_id!r}, but stage {stage.name!r} has no parent"
            yield "parent_gen_id", found, "leave the cell empty"
        return
    parent = given.get(parent_id)
    if parent is None:
        found = f"found {parent_id!r}, which no row above has as gen_id"
        yield "parent_gen_id", found, f"add the {stage.parent} above this line"
    elif parent.generation.stage != stage.parent:
        found = f"found {parent_id!r}, which line {parent.line} has as {parent.generation.stage}"
        yield "parent_gen_id", found, f"name a generation of stage {stage.parent}"
    elif parent.generation.combo_id != generation.combo_id:
        theirs = parent.generation.combo_id
        found = (
            f"found {generation.combo_id!r}, but the parent's (line {parent.line}) is {theirs!r}"
        )
        yield "combo_id", found, "give parent and child one combo"


def catalog_contradictions(
    generation: Generation, catalog: Catalog
) -> Iterable[tuple[str, str, str]]:
    """Yield (column, what was found, what to do) for references that the catalogs do not know."""
    templates = catalog.templates[generation.stage]
    template = templates.get(generation.template_id)
    if template is None:
        found = f"found {generation.template_id!r}, which is no {generation.stage} template"
        yield "template_id", found, nearest(generation.template_id, templates)
    if generation.combo_id not in catalog.subjects:
        found = f"found {generation.combo_id!r}, which is no {'item' if catalog.items else 'combo'}"
        yield "combo_id", found, nearest(generation.combo_id, catalog.subjects)
    calls = template is None or template.generator == "llm"
    if generation.llm_model_id not in catalog.models and (calls or generation.llm_model_id):
        found = f"found {generation.llm_model_id!r}, which is no model"
        yield "llm_model_id", found, nearest(generation.llm_model_id, catalog.models)

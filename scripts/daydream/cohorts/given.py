"""A cohort given as rows: `spec/membership.csv`, taken as it is or rejected with all faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from daydream.catalog.records import Catalog
from daydream.errors import Problems, nearest
from daydream.generations.keys import is_gen_id
from daydream.generations.row import Generation, codec, further_dimensions
from daydream.settings import Stage
from daydream.tables import read_table

CODE = "membership"


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
            found = f"found {values['stage']!r}, which is not a stage"
            remedy = nearest(values["stage"], stages)
            problems.add(path, found, remedy, line=row.line, column="stage")
            continue
        generation = _generation(values, stage, cohort)
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


def _generation(values: Mapping[str, str], stage: Stage, cohort: str) -> Generation:
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
    return generation._replace(key=codec(stage).encode_values(generation.key_values))


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
    if values.get("key") not in (None, "", generation.key):
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
        kind = f"a template of stage {generation.stage!r}"
        found = f"found {generation.template_id!r}, which is not {kind}"
        yield "template_id", found, nearest(generation.template_id, templates)
    if generation.combo_id not in catalog.subjects:
        kind = "an item" if catalog.items else "a combo"
        found = f"found {generation.combo_id!r}, which is not {kind}"
        yield "combo_id", found, nearest(generation.combo_id, catalog.subjects)
    calls = template is None or template.generator == "llm"
    if generation.llm_model_id not in catalog.models and (calls or generation.llm_model_id):
        found = f"found {generation.llm_model_id!r}, which is not a model"
        yield "llm_model_id", found, nearest(generation.llm_model_id, catalog.models)

"""Compiling a cohort: from its spec bundle and the catalogs to membership.csv and manifest.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

from daydream.catalog.records import Catalog
from daydream.cohorts.complete import complete
from daydream.cohorts.given import read_given_membership
from daydream.cohorts.membership import generations_of_design
from daydream.cohorts.sources import check_cohorts, sources, spec_dir
from daydream.cohorts.spec import Spec, load_spec
from daydream.cohorts.uses import texts
from daydream.errors import InputError, Problem, Problems, StoreError
from daydream.files import file_sha256
from daydream.generations.row import Generation, from_metadata, own_axes, with_ancestors
from daydream.settings import Settings, Stage
from daydream.store.layout import generation_file, read_json


def manifest(
    cohort: str, rows: Sequence[Generation], *, settings: Settings, catalog: Catalog
) -> dict[str, object]:
    """Return what stands in manifest.json: how many rows there are, and what they are made from.

    That are the spec, the tables, and of the texts those that these rows use, which must be there.
    """
    files = [*sources(settings, cohort), *catalog.tables, *texts(rows, catalog)]
    return {
        "cohort": cohort,
        "generations": dict(Counter(map(itemgetter(0), rows))),
        "levels": _levels_of(rows, settings.stages),
        "sha256": {str(path): file_sha256(path) for path in sorted(set(files))},
    }


def compile_cohorts(
    settings: Settings, catalog: Catalog, cohorts: Iterable[str]
) -> dict[str, list[Generation]]:
    """Return the rows of each cohort.

    Raises:
        InputError: what is wrong with any of their specs, each said once.
    """
    rows = {}
    problems: dict[Problem, None] = {}
    for cohort in cohorts:
        try:
            rows[cohort] = cohort_rows(cohort, settings=settings, catalog=catalog)
        except InputError as error:
            for problem in error.problems:
                problems[replace(problem, code=problem.code or error.code)] = None
    if problems:
        raise InputError(next(iter(problems)).code, problems)
    return rows


def cohort_rows(
    cohort: str, *, settings: Settings, catalog: Catalog, within: tuple[str, ...] = ()
) -> list[Generation]:
    """Return the generations of a cohort: those given or designed, and those of its base cohorts.

    `within` are the cohorts whose specs are being read, which must not name each other in a circle.

    Raises:
        InputError: what is wrong with the spec, or with that of a cohort that it names.
    """
    given = spec_dir(settings, cohort) / "membership.csv"
    if given.is_file():
        stages = settings.stages
        return read_given_membership(given, cohort=cohort, stages=stages, catalog=catalog)
    spec = load_spec(spec_dir(settings, cohort) / "config.yaml", list(settings.stages))
    others = {
        name: _rows_of_other(name, spec.path, settings, catalog, within=(*within, cohort))
        for name in (*spec.base, *spec.minus)
    }
    taken = [row._replace(cohort_id=cohort) for name in spec.base for row in others[name]]
    designed = _designed(spec, cohort, settings, catalog) if spec.design.axes else []
    rows = {row.gen_id: row for row in (*taken, *designed)}
    if spec.minus:
        left_out = {row.gen_id for name in spec.minus for row in others[name]}
        kept = with_ancestors(rows, rows.keys() - left_out)
        rows = {name: row for name, row in rows.items() if name in kept}
    if not rows:
        problems = Problems("spec")
        problems.add(spec.path, "no generation is left", "take less away", column="minus")
        problems.check()
    order = {name: place for place, name in enumerate(settings.stages)}
    return sorted(rows.values(), key=lambda row: order[row.stage])


def _rows_of_other(
    other: str, path: Path, settings: Settings, catalog: Catalog, *, within: tuple[str, ...]
) -> list[Generation]:
    if other in within:
        problems = Problems("spec")
        found = f"found {other!r}, which takes from this cohort: {' -> '.join((*within, other))}"
        problems.add(path, found, "break the circle", column="base")
        problems.check()
    check_cohorts(settings, [other])
    return cohort_rows(other, settings=settings, catalog=catalog, within=within)


def _designed(
    spec: Spec, cohort: str, settings: Settings, catalog: Catalog
) -> Iterable[Generation]:
    """Yield what the spec's own axes make, after the generations that they are laid upon."""
    lineages = _existing(spec, cohort, settings.stages)
    stages, design = complete(spec, settings.stages, catalog)
    yield from (row for lineage in lineages for row in lineage)
    yield from generations_of_design(
        design.rows(),
        list(design.axes),
        cohort=cohort,
        stages=stages.values(),
        parents=[lineage[-1] for lineage in lineages],
    )


def _existing(spec: Spec, cohort: str, stages: Mapping[str, Stage]) -> list[list[Generation]]:
    """Return the lineage of each generation of the spec's block ``from``, as the store has it."""
    if spec.parents is None:
        return []
    problems = Problems("spec")
    lineages = []
    for name in spec.parents.gen_ids:
        try:
            lineages.append(_stored_lineage(spec.parents.stage, name, cohort, stages))
        except (StoreError, KeyError):
            found = f"found {name!r}, which the store does not hold as {spec.parents.stage}"
            problems.add(
                spec.path, found, "make it first, or correct the id", column="from.gen_ids"
            )
    problems.check()
    return lineages


def _stored_lineage(
    stage: str, gen_id: str, cohort: str, stages: Mapping[str, Stage]
) -> list[Generation]:
    metadata = read_json(generation_file(stage, gen_id, "metadata.json"))
    row = from_metadata(metadata, cohort=cohort, stages=stages)
    parent = stages[stage].parent
    if parent is None:
        return [row]
    return [*_stored_lineage(parent, row.parent_gen_id, cohort, stages), row]


def _levels_of(
    generations: Iterable[Generation], stages: Mapping[str, Stage]
) -> dict[str, list[str]]:
    """Return the levels that occur on each axis, in order of appearance."""
    levels: dict[str, dict[str, None]] = {"combo_id": {}}
    axes = {name: own_axes(stage) for name, stage in stages.items()}
    for row in generations:
        levels["combo_id"][row.combo_id] = None
        for axis, value in zip(axes[row.stage], row.key_values[1:], strict=True):
            levels.setdefault(axis, {})[value] = None
    return {axis: list(values) for axis, values in levels.items()}

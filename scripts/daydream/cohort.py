"""Compiling a cohort: from its spec bundle and the catalogs to membership.csv and manifest.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from daydream.catalog import Catalog
from daydream.config import Settings, Stage, chain
from daydream.design import Design
from daydream.errors import Problems, nearest
from daydream.files import file_sha256, read_text, write_json
from daydream.membership import (
    Generation,
    expand,
    own_axes,
    read_given_membership,
    write_membership,
)
from daydream.prompts import check
from daydream.spec import Spec, load_spec

COHORTS = Path("data/cohorts")


def spec_dir(cohort: str) -> Path:
    """Return the directory of a cohort's spec bundle."""
    return COHORTS / cohort / "spec"


def spec_files(cohort: str) -> list[Path]:
    """Return every file of a cohort's spec bundle, sorted."""
    return sorted(path for path in spec_dir(cohort).rglob("*") if path.is_file())


def check_cohorts(cohorts: Iterable[str]) -> None:
    """Refuse cohorts that have no spec, or two.

    Raises:
        InputError: every such cohort.
    """
    problems = Problems("cohort")
    known = [path.parent.name for path in COHORTS.glob("*/spec")]
    for cohort in cohorts:
        directory = spec_dir(cohort)
        forms = [(directory / name).is_file() for name in ("config.yaml", "membership.csv")]
        if not any(forms):
            found = f"cohort {cohort!r} has neither config.yaml nor membership.csv here"
            problems.add(directory, found, f"write its spec; {nearest(cohort, known)}")
        if all(forms):
            found = f"cohort {cohort!r} has both config.yaml and membership.csv"
            problems.add(directory, found, "keep one: a design, or its rows given by hand")
    problems.check()


def compile_cohort(
    cohort: str, *, settings: Settings, catalog: Catalog, membership: Path, manifest: Path
) -> None:
    """Write the membership of a cohort and, beside it, the manifest of what it was made from.

    Raises:
        InputError: what is wrong with the spec, with everything found in one go.
    """
    given = spec_dir(cohort) / "membership.csv"
    if given.is_file():
        stages = settings.stages
        generations = read_given_membership(given, cohort=cohort, stages=stages, catalog=catalog)
        levels = _levels_of(generations)
    else:
        spec = load_spec(spec_dir(cohort) / "config.yaml", list(settings.stages))
        stages, design = _complete(spec, settings.stages, catalog)
        generations = expand(
            design.rows(), list(design.axes), cohort=cohort, stages=stages.values()
        )
        levels = {axis: list(values) for axis, values in design.axes.items()}
    _check_templates(generations, catalog)
    write_membership(membership, generations, settings.stages)
    files = [*spec_files(cohort), *catalog.files]
    write_json(
        manifest,
        {
            "cohort": cohort,
            "generations": dict(Counter(generation.stage for generation in generations)),
            "levels": levels,
            "sha256": {str(path): file_sha256(path) for path in files},
        },
    )


def _levels_of(generations: Iterable[Generation]) -> dict[str, list[str]]:
    levels: dict[str, dict[str, None]] = {"combo_id": {}}
    for row in generations:
        levels["combo_id"][row.combo_id] = None
        own = {"template": row.template_id, "llm": row.llm_model_id, "replicate": row.replicate}
        for dimension, value in own.items():
            levels.setdefault(f"{row.stage}_{dimension}", {})[value] = None
    return {axis: list(values) for axis, values in levels.items()}


def _check_templates(generations: Iterable[Generation], catalog: Catalog) -> None:
    """Refuse a cohort one of whose templates cannot be compiled, before any job meets it."""
    used = {(generation.stage, generation.template_id) for generation in generations}
    for stage, template_id in sorted(used):
        path = catalog.templates[stage][template_id].path
        check(read_text(path), str(path))


def _complete(
    spec: Spec, stages: Mapping[str, Stage], catalog: Catalog
) -> tuple[dict[str, Stage], Design]:
    """Return the stages a spec has, and its design with an axis for each of their dimensions.

    A replicate without an axis counts to the catalog's default, or 1; a model without one is empty,
    which only copies may be.
    """
    problems = Problems("spec")
    axes = dict(spec.design.axes)
    present = {name: stage for name, stage in stages.items() if f"{name}_template" in axes}
    allowed = {"combo_id", *(axis for stage in present.values() for axis in own_axes(stage))}
    for axis in axes:
        if axis not in allowed:
            found = f"found the axis {axis!r}, which is no dimension of the cohort's stages"
            problems.add(spec.path, found, nearest(axis, allowed), column=f"axes.{axis}")
    for name, stage in present.items():
        for ancestor in chain(stages, name):
            if ancestor.name not in present:
                found = f"stage {name!r} is there, but its ancestor {ancestor.name!r} is not"
                remedy = f"add the axis {ancestor.name}_template"
                problems.add(spec.path, found, remedy, column="axes")
        replicates = catalog.replicates.get(name, 1)
        counted = tuple(str(number) for number in range(1, replicates + 1))
        axes.setdefault(f"{name}_replicate", counted)
        axes.setdefault(f"{name}_llm", ("",))
        for dimension in stage.dimensions:
            if f"{name}_{dimension}" not in axes:
                found = f"stage {name!r} has the dimension {dimension!r}, which has no axis"
                remedy = f"add the axis {name}_{dimension}"
                problems.add(spec.path, found, remedy, column="axes")
    for axis in ("combo_id", f"{next(iter(stages))}_template"):
        if axis not in axes:
            problems.add(spec.path, f"there is no axis {axis!r}", "add it", column="axes")
    _check_levels(spec.path, axes, present, catalog, problems)
    problems.check()
    return present, Design(axes=axes, relations=spec.design.relations)


def _check_levels(
    path: Path,
    axes: Mapping[str, tuple[str, ...]],
    stages: Mapping[str, Stage],
    catalog: Catalog,
    problems: Problems,
) -> None:
    """Note every level that the catalogs do not know."""
    known: dict[str, tuple[str, Iterable[str]]] = {"combo_id": ("combo", catalog.combos)}
    for name in stages:
        known[f"{name}_template"] = (f"{name} template", catalog.templates[name])
        known[f"{name}_llm"] = ("model", catalog.models)
    for axis, (noun, values) in known.items():
        stage = axis.removesuffix("_llm")
        for level in axes.get(axis, ()):
            if level in values:
                continue
            if level == "" and axis.endswith("_llm"):
                calling = [
                    template
                    for template in axes[f"{stage}_template"]
                    if template in catalog.templates[stage]
                    and catalog.templates[stage][template].generator == "llm"
                ]
                if calling:
                    found = f"template {calling[0]!r} calls a model, but there is no axis {axis!r}"
                    problems.add(path, found, f"add the axis {axis}", column="axes")
                continue
            found = f"found {level!r}, which is no {noun}"
            problems.add(path, found, nearest(level, values), column=f"axes.{axis}")

"""Completing a spec's design: an axis for each dimension of its stages, and known levels alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from daydream.catalog.records import Catalog
from daydream.cohorts.join import Design
from daydream.cohorts.spec import Spec
from daydream.cohorts.spec.values import Value
from daydream.errors import Problems, nearest
from daydream.generations.row import own_axes
from daydream.settings import Stage, as_setting, chain
from daydream.tables import decimal_comma

# The axes whose levels are combos or items.
_SUBJECTS = ("combo_id", "item_id")


def complete(
    spec: Spec, stages: Mapping[str, Stage], catalog: Catalog
) -> tuple[dict[str, Stage], Design]:
    """Return the stages a spec has, and its design with an axis for each of their dimensions.

    A replicate without an axis counts to the catalog's default, or 1; a model without one is empty,
    which only copies may be.
    """
    problems = Problems("spec")
    axes = dict(spec.design.axes)
    present = {name: stage for name, stage in stages.items() if f"{name}_template" in axes}
    there = set() if spec.parents is None else {s.name for s in chain(stages, spec.parents.stage)}
    for name in there & present.keys():
        found = f"found an axis of stage {name!r}, whose generations `from` gives"
        _refuse(problems, spec.place(f"{name}_template"), found, "take it away")
    subject = [] if there else ["combo_id"]
    allowed = {*subject, *(axis for stage in present.values() for axis in own_axes(stage))}
    for axis in axes:
        if axis not in allowed:
            found = f"found the axis {axis!r}, which is not a dimension of the cohort's stages"
            _refuse(problems, spec.place(axis), found, nearest(axis, allowed))
    for name, stage in present.items():
        for ancestor in chain(stages, name):
            if ancestor.name not in present and ancestor.name not in there:
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
    if catalog.items and not there:
        axes.setdefault("combo_id", tuple(catalog.items))
    for axis in () if there else ("combo_id", f"{next(iter(stages))}_template"):
        if axis not in axes:
            problems.add(spec.path, f"there is no axis {axis!r}", "add it", column="axes")
    _check_levels(spec, axes, present, catalog, problems)
    _check_headers(spec, axes, catalog, problems)
    problems.check()
    return present, Design(axes=axes, relations=spec.design.relations)


def _refuse(problems: Problems, place: Value, found: str, remedy: str) -> None:
    problems.add(place.file, found, remedy, line=place.line, column=place.at)


def _check_headers(
    spec: Spec, axes: Mapping[str, tuple[str, ...]], catalog: Catalog, problems: Problems
) -> None:
    """Note each table whose header is a level: it would be dropped without a word."""
    for file, axis, header in spec.headers:
        known = [*axes.get(axis, ()), *(catalog.subjects if axis in _SUBJECTS else ())]
        if header in known:
            found = f"found the header {header!r}, which is a level of {axis}"
            problems.add(file, found, f"begin the table with a line {axis}", line=1)


def _check_levels(
    spec: Spec,
    axes: Mapping[str, tuple[str, ...]],
    stages: Mapping[str, Stage],
    catalog: Catalog,
    problems: Problems,
) -> None:
    """Note every level that the catalogs do not know."""
    subject = "an item" if catalog.items else "a combo"
    known: dict[str, tuple[str, Iterable[str]]] = {"combo_id": (subject, catalog.subjects)}
    for name in stages:
        known[f"{name}_template"] = (f"a template of stage {name!r}", catalog.templates[name])
        known[f"{name}_llm"] = ("a model", catalog.models)
    for axis, (noun, values) in known.items():
        stage = axis.removesuffix("_llm")
        table = catalog.templates_table(axis.removesuffix("_template"))
        if axis.endswith("_template") and axis in axes and table not in catalog.tables:
            found = f"found the axis {axis!r}, but there is no {table}"
            _refuse(problems, spec.place(axis), found, "write the table of its templates")
            continue
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
                    problems.add(spec.path, found, f"add the axis {axis}", column="axes")
                continue
            found = f"found {level!r}, which is not {noun}"
            _refuse(problems, spec.place(axis, level), found, nearest(level, values))
    settings = [(f"{s.name}_{name}", name) for s in stages.values() for name in s.dimensions]
    for axis, name in settings:
        for level in axes.get(axis, ()):
            try:
                as_setting(name, level)
            except ValueError as error:
                pointed = decimal_comma(level)
                remedy = f"write a decimal point: {pointed}" if pointed else str(error)
                _refuse(problems, spec.place(axis, level), f"found {level!r}", remedy)

"""Slices: the generations of a cohort that match on any of their dimensions.

A condition names a dimension and the values wanted there (`daydream.conditions`): one, or a list,
each exact, a shell-style pattern (``gemini*``), or a comparison (``'>=0.5'``). Each must match
something, as all that may occur is known before the first job; one of a view need not.

Dimensions are ``combo_id`` (or ``item_id``, its other name), ``concept_id`` (the combos that hold
the concept), ``gen_id``, and for each stage ``<stage>_template``, ``<stage>_llm``,
``<stage>_replicate`` and its further ones.

A generation has its own dimensions and those of its ancestors. `where` keeps a generation that has
every dimension named and matches on each, and whatever ancestors the kept ones need. `exclude`
drops a generation that matches on any dimension named, and with it all that descends from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from daydream.catalog.records import Catalog
from daydream.conditions import matching, wanted
from daydream.errors import Problems, nearest
from daydream.generations.row import Generation, own_axes, with_ancestors
from daydream.settings import Stage

# Names the place where a setting was given, such as config/config.yaml.
Origin = Callable[..., str]
Values = Callable[[Generation], Sequence[str]]


def dimension_names(stages: Mapping[str, Stage]) -> list[str]:
    """Return the names that a condition may use."""
    own = [axis for stage in stages.values() for axis in own_axes(stage)]
    return ["combo_id", "item_id", "concept_id", "gen_id", *own]


def check_dimensions(
    conditions: Mapping[str, Any],
    stages: Mapping[str, Stage],
    *,
    setting: str,
    origin: Origin,
) -> None:
    """Reject conditions on dimensions that the stages do not have.

    Raises:
        InputError: every such condition, with the nearest names.
    """
    problems = Problems("config")
    known = dimension_names(stages)
    for name in conditions:
        if name not in known:
            found = f"found {name!r}, which is not a dimension"
            place = origin(setting, name)
            problems.add(place, found, nearest(name, known), column=f"{setting}.{name}")
    problems.check()


def select(
    rows: Sequence[Generation],
    *,
    where: Mapping[str, Any],
    exclude: Mapping[str, Any],
    stages: Mapping[str, Stage],
    catalog: Catalog,
    origin: Origin,
    ancestors: bool = True,
) -> list[Generation]:
    """Return the rows of a slice in their order; parents stand before children in `rows`.

    Without `ancestors` it is just the rows that match, not those that they need.

    Raises:
        InputError: a value that no row has at its dimension; or nothing is left.
    """
    if not where and not exclude:
        return list(rows)
    readers = _readers(stages, catalog)
    problems = Problems("config")
    included = _matches(where, rows, readers, problems, setting="where", origin=origin)
    excluded = _matches(exclude, rows, readers, problems, setting="exclude", origin=origin)
    problems.check()
    kept = _kept(rows, included, excluded, readers)
    if not kept:
        given = {"where": where, "exclude": exclude}
        slices = [f"{name} {dict(conditions)}" for name, conditions in given.items() if conditions]
        setting = "where" if where else "exclude"
        remedy = "widen one of them" if len(slices) > 1 else "widen it"
        found = f"no generation matches {', '.join(slices)}"
        problems.add(origin(setting), found, remedy, column=setting)
        problems.check()
    if ancestors:
        kept = with_ancestors({row.gen_id: row for row in rows}, kept)
    return [row for row in rows if row.gen_id in kept]


def _readers(stages: Mapping[str, Stage], catalog: Catalog) -> dict[str, tuple[str | None, Values]]:
    """Return, by dimension, the stage that has it (None: every row) and how to read it of a row."""

    def concepts(row: Generation) -> Sequence[str]:
        combo = catalog.combos.get(row.combo_id)
        return [concept for concept, _ in combo.concepts] if combo else []

    def column(index: int) -> Values:
        return lambda row: (row.key_values[index],)

    readers: dict[str, tuple[str | None, Values]] = {
        "combo_id": (None, lambda row: (row.combo_id,)),
        "item_id": (None, lambda row: (row.combo_id,)),
        "concept_id": (None, concepts),
        "gen_id": (None, lambda row: (row.gen_id,)),
    }
    for stage in stages.values():
        for index, axis in enumerate(own_axes(stage), start=1):
            readers[axis] = (stage.name, column(index))
    return readers


def _matches(
    conditions: Mapping[str, Any],
    rows: Iterable[Generation],
    readers: Mapping[str, tuple[str | None, Values]],
    problems: Problems,
    *,
    setting: str,
    origin: Origin,
) -> dict[str, frozenset[str]]:
    """Return, by dimension, the values that occur there and are wanted."""
    found = {}
    for name, condition in conditions.items():
        stage, values = readers[name]
        occurring = {value for row in rows if stage in (None, row.stage) for value in values(row)}
        meant: set[str] = set()
        for pattern in wanted(condition):
            hits = matching(pattern, occurring)
            if not hits:
                text = f"found {pattern!r}, which no generation has there"
                remedy = nearest(pattern, occurring)
                problems.add(origin(setting, name), text, remedy, column=f"{setting}.{name}")
            meant |= hits
        found[name] = frozenset(meant)
    return found


def _kept(
    rows: Sequence[Generation],
    included: Mapping[str, frozenset[str]],
    excluded: Mapping[str, frozenset[str]],
    readers: Mapping[str, tuple[str | None, Values]],
) -> set[str]:
    # A row inherits what its ancestors have matched, so one pass from parents to children will do.
    matched: dict[str, frozenset[str]] = {}
    kept: set[str] = set()
    for row in rows:
        if row.parent_gen_id and row.parent_gen_id not in matched:
            continue
        if _matched_here(row, excluded, readers):
            continue
        inherited = matched.get(row.parent_gen_id, frozenset())
        matched[row.gen_id] = inherited | _matched_here(row, included, readers)
        if len(matched[row.gen_id]) == len(included):
            kept.add(row.gen_id)
    return kept


def _matched_here(
    row: Generation,
    conditions: Mapping[str, frozenset[str]],
    readers: Mapping[str, tuple[str | None, Values]],
) -> frozenset[str]:
    """Return the conditions that a row matches by itself, its ancestors left aside."""
    return frozenset(
        name
        for name, values in conditions.items()
        if readers[name][0] in (None, row.stage) and not values.isdisjoint(readers[name][1](row))
    )

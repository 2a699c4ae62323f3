"""The sections of a spec, put together: a design, and what it takes from generations that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daydream.cohorts.join import Design
from daydream.cohorts.spec.axes import Axes
from daydream.cohorts.spec.rules import KEYS, Rules
from daydream.cohorts.spec.values import CODE, Reader, Table, Value
from daydream.errors import Problems, nearest
from daydream.tables import NO, YES, is_yes

_SECTIONS = ("axes", "rules", "replicates", "output", "from", "base", "minus")
_PARENTS = ("stage", "gen_ids")
_ID = "gen_id"
_SELECTED = "selected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parents:
    """The block ``from``: generations of one stage by id, in order, each once."""

    stage: str
    gen_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A cohort's spec as read.

    Attributes:
        path: its config.yaml.
        design: the axes, in the order of columns and rows, and the rules.
        base: the cohorts whose generations are taken over.
        minus: the cohorts whose generations are left out.
        parents: the generations that exist already and that the design goes on from, if any.
        headers: of each table of one column, its file, the axis that it is for, and its header.
        places: where each axis, and each level of one, is given.
    """

    path: Path
    design: Design
    base: tuple[str, ...]
    minus: tuple[str, ...]
    parents: Parents | None
    headers: tuple[tuple[Path, str, str], ...] = ()
    places: Mapping[tuple[str, ...], Value] = field(default_factory=dict)

    def place(self, *names: str) -> Value:
        """Return where an axis, or a level of one, is given; at least its YAML path."""
        known = self.places.get(names) or self.places.get(names[:1])
        return known or Value(None, self.path, None, f"axes.{names[0]}")


def load_spec(path: Path, stages: Sequence[str]) -> Spec:
    """Read the spec whose config.yaml is `path`, for a chain of these `stages`.

    Raises:
        InputError: everything that is wrong with the bundle, or that its rules leave no row.
    """
    reader = Reader(path.parent)
    axes = Axes(reader, stages)
    rules = Rules(reader, axes)
    document = reader.read(path)
    top = reader.mapping(document if isinstance(document, Value) else None, _SECTIONS)
    rule_section = reader.mapping(top.get("rules"), KEYS)
    replicates = reader.mapping(top.get("replicates"))
    output = reader.mapping(top.get("output"), ("field_order",))

    # Each step builds on the names and levels that those before it have found.
    axes.read(reader.mapping(top.get("axes")))
    counted = axes.read_replicates(replicates)
    rules.learn_names(rule_section)
    for name, value in replicates.items():
        axes.named(Value(name, value.file, value.line, value.at))
    rules.read(rule_section)
    field_order = axes.listed(output.get("field_order")) or ()
    base, minus = (_cohorts(reader, top.get(section)) for section in ("base", "minus"))
    parents = _parents(reader, reader.mapping(top.get("from"), _PARENTS, needed=_PARENTS), stages)
    rules.report_strangers(path)
    reader.problems.found.sort(key=lambda problem: (problem.file, problem.line or 0))
    reader.problems.check()

    given = [axis for axis in axes.levels if axis not in counted]
    order = dict.fromkeys((*field_order, *given, *counted))
    levels = {axis: tuple(axes.levels[axis]) for axis in order}
    design = Design(axes=levels, relations=tuple(rules.relations))
    _check_rows(path, design, rules.places, needed=not base)
    return Spec(
        path=path,
        design=design,
        base=base,
        minus=minus,
        parents=parents,
        headers=tuple(reader.headers),
        places=axes.places,
    )


def other_cohorts(path: Path) -> list[str]:
    """Return the cohorts that the spec whose config.yaml is `path` takes from or leaves out.

    There is none in a spec that cannot be read: `load_spec` says why.
    """
    try:
        document = Reader(path.parent).read(path)
    except RecursionError:
        return []
    if not isinstance(document, Value) or not isinstance(document.data, dict):
        return []
    names: list[str] = []
    for key in ("base", "minus"):
        value = document.data.get(key)
        items = [] if value is None else value.data if isinstance(value.data, list) else [value]
        names += [item.data for item in items if isinstance(item.data, str)]
    return names


def _cohorts(reader: Reader, value: Value | None) -> tuple[str, ...]:
    """Return the cohorts that a name, or a list of names, gives."""
    if value is None or value.data is None:
        return ()
    items = reader.list_of(value) if isinstance(value.data, list) else [value]
    names = [reader.text(item) for item in items]
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _parents(reader: Reader, section: Mapping[str, Value], stages: Sequence[str]) -> Parents | None:
    if not section:
        return None
    stage = reader.text(section["stage"])
    if stage is not None and stage not in stages:
        remedy = nearest(stage, stages)
        reader.refuse(section["stage"], f"found {stage!r}, which is not a stage", remedy)
    ids = [reader.text(item) for item in _chosen(reader, section["gen_ids"])]
    return Parents(stage=stage or "", gen_ids=tuple(dict.fromkeys(name for name in ids if name)))


def _chosen(reader: Reader, value: Value) -> list[Value]:
    """Return the ids of a list, or of a table's column gen_id where `selected` says yes."""
    content = reader.follow(value)
    if not isinstance(content, Table) or len(content.header) == 1:
        return reader.items_of(value, content)
    if _ID not in content.header:
        found = f"found the columns {', '.join(content.header)}"
        reader.problems.add(content.file, found, f"name one {_ID}", line=1)
        return []
    rows = [dict(zip(content.header, row, strict=True)) for row in content.rows]
    if _SELECTED not in content.header:
        return [row[_ID] for row in rows]
    marks = [is_yes(str(row[_SELECTED].data)) for row in rows]
    for row, mark in zip(rows, marks, strict=True):
        if mark is None:
            found = f"found {row[_SELECTED]}, which is neither yes nor no"
            remedy = f"write one of {', '.join(YES)} for yes; {', '.join(NO)} or nothing for no"
            reader.refuse(row[_SELECTED], found, remedy)
    if not any(mark is not False for mark in marks):
        found = "no row is selected"
        reader.problems.add(content.file, found, f"write yes in the column {_SELECTED}")
    return [row[_ID] for row, mark in zip(rows, marks, strict=True) if mark]


def _check_rows(path: Path, design: Design, places: Mapping[str, Value], *, needed: bool) -> None:
    """Refuse a design without axes if one is `needed`, or whose rules leave no row."""
    problems = Problems(CODE)
    if needed and not design.axes:
        problems.add(path, "found no axis", "declare one at least", column="axes")
    names = design.conflict()
    if names:
        verb = "leave no row together" if len(names) > 1 else "leaves no row"
        found = f"{' and '.join(names)} {verb}"
        place = places[names[0]]
        problems.add(path, found, "let them agree on one row at least", line=place.line)
    problems.check()

"""The membership of a cohort: its generations as a table, `membership.csv`.

One row per generation, parents before children:

    stage, gen_id, cohort_id, parent_gen_id, combo_id, template_id, llm_model_id, replicate,
    <further dimensions of the stages>, key

A row holds the generation's own dimensions; its ancestors' are in their rows. `combo_id` alone is
repeated on every row. A further dimension that the row's stage does not have is empty.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from sys import intern

from daydream.errors import Problems
from daydream.generations.keys import gen_id
from daydream.generations.row import IDENTITY, Generation, codec, further_dimensions, own_axes
from daydream.settings import Stage
from daydream.tables import csv_text


def generations_of_design(
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


def membership_text(generations: Iterable[Generation], stages: Mapping[str, Stage]) -> str:
    """Return a membership table as the text of its file."""
    further = further_dimensions(stages)
    header = [*IDENTITY, *further, "key"]
    if not further:
        return csv_text(header, [(*row[:8], row[9]) for row in generations], exact=True)
    rows = (
        (row, dict(zip(stages[row.stage].dimensions, row.dimensions, strict=True)))
        for row in generations
    )
    cells = ([*row[:8], *(own.get(name, "") for name in further), row.key] for row, own in rows)
    return csv_text(header, cells, exact=True)


def read_membership(path: Path, stages: Mapping[str, Stage]) -> list[Generation]:
    """Return the rows of a membership that this workflow wrote.

    Raises:
        InputError: the header is not that of these stages, or a row's key is not that of its
            columns, as after an edit by hand or under another configuration.
    """
    further = further_dimensions(stages)
    header = [*IDENTITY, *further, "key"]
    problems = Problems("membership")
    remedy = "delete the file and run snakemake, which writes it again"
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

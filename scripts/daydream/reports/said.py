"""What judges say besides the score: the members of their answers in JSON, as columns.

A column ``answer.<path>`` for each member that the schema of a scored stage's template names and
that is not the score itself; lists and objects of any names are JSON again. ``repaired`` is
``yes`` for an answer that the parser `json_lenient` had to repair.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from daydream.catalog.records import Template
from daydream.errors import InputError, ParseError
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.generations.row import Generation
from daydream.parsers.members import criteria_of, members_of
from daydream.parsers.structured import at, default_path, read_json, read_lenient
from daydream.reports.report import scored

LENIENT = "json_lenient"
REPAIRED = "repaired"
PREFIX = "answer."


def said_columns(experiment: Experiment, templates: Iterable[Template]) -> list[str]:
    """Return the columns of what judges with these templates say, in the order of the schemas.

    A schema that cannot be read has no columns: if it is used, that has been said elsewhere.
    """
    names: dict[str, None] = {}
    repaired = False
    for template in templates:
        for path in _paths(experiment, template):
            names.setdefault(f"{PREFIX}{path}")
        repaired = repaired or template.parser == LENIENT
    return [*names, *([REPAIRED] if repaired else [])]


def said(experiment: Experiment, generation: Generation, raw: str) -> dict[str, object]:
    """Return the cells of an answer whose score counts; none if it is not JSON."""
    template = recipes.template_of(experiment, generation)
    paths = list(_paths(experiment, template))
    if not paths and template.parser != LENIENT:
        return {}
    repaired = False
    try:
        if template.parser == LENIENT:
            value, repaired = read_lenient(raw)
        else:
            value = read_json(raw)
    except ParseError:
        return {}
    cells: dict[str, object] = {f"{PREFIX}{path}": _cell(value, path) for path in paths}
    return {**cells, REPAIRED: "yes" if repaired else ""}


def _cell(value: object, path: str) -> object:
    found = next(at(value, path), None)
    if found is None or (isinstance(found, (str, int, float)) and not isinstance(found, bool)):
        return found
    return json.dumps(found, ensure_ascii=False)


# The ends of a criterion's scale, by stage and template.
Scales = dict[str, dict[str, tuple[float, float]]]


def criteria(experiment: Experiment, cohort: str) -> dict[str, Scales]:
    """Return the criteria on which a cohort's judges give numbers besides the score.

    They are by column ``answer.<path>``.
    """
    found: dict[str, Scales] = {}
    for template in templates_of(experiment, scored(experiment, cohort)):
        for path, scale in criteria_of(_schema(experiment, template), _path(template)):
            scales = found.setdefault(f"{PREFIX}{path}", {})
            scales.setdefault(template.stage, {})[template.template_id] = scale
    return found


def templates_of(experiment: Experiment, generations: Iterable[Generation]) -> list[Template]:
    """Return the templates of generations of scored stages, in the catalog's order."""
    used = {(row.stage, row.template_id) for row in generations}
    return [
        template
        for stage in experiment.settings.stages.values()
        if stage.scored
        for name, template in experiment.catalog.templates[stage.name].items()
        if (stage.name, name) in used and template.generator == "llm"
    ]


def _paths(experiment: Experiment, template: Template) -> Iterator[str]:
    score = _path(template)
    return (path for path, _ in members_of(_schema(experiment, template)) if path != score)


def _path(template: Template) -> str:
    return template.json_path or default_path(scored=True)


def _schema(experiment: Experiment, template: Template) -> Mapping[str, Any]:
    try:
        schema = recipes.schema_of(experiment, template)
    except (InputError, ValueError):
        return {}
    return schema if isinstance(schema, dict) else {}

"""What the explorer page knows before any text is unpacked: the index of a cohort.

cohort       its name
stages       [{name, prefix, scored}], in the order of the chain
dimensions   [{name, stage, levels, labels}]; stage is a number, -1 for the combo or item, which is
             the first of them. `labels` are what to show of `levels`: names of combos, templates
             and models
subjects     for each level of the first dimension, what it is: [[name, value], ...] of an item,
             [[concept, level of description, text], ...] of a combo
rows         the generations, each after its parent and next to its siblings, as columns:
             id, stage, parent (number of a row, -1 for none), levels (numbers: the combo's, then
             those of the stage's own dimensions), state (number in `states`),
             score (null for none), scale (number in `scales`, -1 for a row that has no scale),
             chars (of the parsed text, of a scored row's answer;
             null for none)
states       the states that a generation can be in, "complete" first (`experiment.provenance`)
reasons      {number of a row: why it is not complete}
edited       {number of a row: the phases whose text was changed by hand}
scales       [[lowest, highest score], ...]
errors       {number of a row: why it has no score}
kinds        the kinds of failure, named as in the table `coverage`, the most frequent first
kind         {number of a row: the number of its kind in `kinds`}, of those that lack text or score
criteria     [{stage, judged, template, label, description, low, high}]: by what people may rate
             the texts of a stage (a number): a template of the scored stage `judged`, and its scale
ratings      {number of a row: [{rater, template, score, share, comment}, ...]}, of
             `reports.ratings`; `share` is the place of the score on its scale, from 0 to 1
copies       for each stage, the numbers of those levels of its template that copy the parent's text
slice        `where` and `exclude` of the run, null for the whole cohort
total        the number of generations in the cohort, shown or not
follows      of a page that follows a run (`daydream.explorer.follow`), {every, made}: after so many
             seconds it loads itself again, 0 if it does so no more; at this time it was made
chunks       for each chunk of texts, the number of its first row (`daydream.explorer.page`)
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daydream.errors import failure_kind
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.files import read_text
from daydream.generations.row import Generation, own_axes
from daydream.reports.ratings import ratings_said
from daydream.reports.scores import lack
from daydream.tables import read_records

# In the order in which the page lists them: what went wrong before what waits for it.
STATES = ("complete", "failed", "stale", "missing", "blocked")


@dataclass(slots=True)
class Dimension:
    """A dimension and the levels that occur of it, in the order of their first occurrence."""

    name: str
    stage: int
    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, level: str) -> int:
        """Return the number of a level; a new one is added."""
        return self.numbers.setdefault(level, len(self.numbers))


def shown_rows(experiment: Experiment, cohort: str) -> list[Generation]:
    """Return the selected generations of a cohort and the ancestors that are another's.

    Each stands after its parent and next to its siblings, so that texts that quote one another are
    near one another.
    """
    kept: dict[str, Generation] = {}
    for row in experiment.memberships[cohort]:
        if row.gen_id in experiment.selected:
            kept.update((link.gen_id, link) for link in experiment.lineage(row))
    families: dict[tuple[str, str], list[Generation]] = defaultdict(list)
    combos = dict.fromkeys(row.combo_id for row in kept.values() if not row.parent_gen_id)
    for row in kept.values():
        families["parent" if row.parent_gen_id else "combo", row.subject].append(row)
    rows: list[Generation] = []
    waiting = [row for combo in reversed(combos) for row in reversed(families["combo", combo])]
    while waiting:
        row = waiting.pop()
        rows.append(row)
        waiting.extend(reversed(families["parent", row.gen_id]))
    return rows


def build_index(
    experiment: Experiment,
    cohort: str,
    rows: list[Generation],
    *,
    accounts: Mapping[str, Account],
    chunks: list[int],
    lengths: list[int | None],
    scores: Path,
) -> dict[str, Any]:
    """Return the index of a cohort; the module's docstring says what is in it."""
    stages = list(experiment.settings.stages.values())
    numbers = {stage.name: number for number, stage in enumerate(stages)}
    combos = Dimension("item_id" if experiment.settings.items else "combo_id", -1)
    own = [[Dimension(axis, number) for axis in own_axes(s)] for number, s in enumerate(stages)]
    place = {row.gen_id: number for number, row in enumerate(rows)}
    scored = _read_scores(scores)
    scales: dict[tuple[float, float], int] = {}
    errors: dict[int, str] = {}
    reasons: dict[int, str] = {}
    edited: dict[int, tuple[str, ...]] = {}
    copies: list[set[int]] = [set() for _ in stages]
    columns: dict[str, list[Any]] = {
        name: [] for name in ("id", "stage", "parent", "levels", "state", "score", "scale")
    }
    for number, row in enumerate(rows):
        stage = numbers[row.stage]
        values = (row.template_id, row.llm_model_id, row.replicate, *row.dimensions)
        levels = [d.number(value) for d, value in zip(own[stage], values, strict=True)]
        if recipes.is_copy(experiment, row):
            copies[stage].add(levels[0])
        score, error = scored.get(row.gen_id, (None, ""))
        account = accounts[row.gen_id]
        if error:
            errors[number] = error
        if not account.complete:
            reasons[number] = account.reason
        if account.edited:
            edited[number] = account.edited_phases
        scale = -1
        if stages[stage].scored:
            template = recipes.template_of(experiment, row)
            scale = scales.setdefault((template.score_min, template.score_max), len(scales))
        cells = (
            row.gen_id,
            stage,
            place.get(row.parent_gen_id, -1),
            [combos.number(row.combo_id), *levels],
            STATES.index(account.standing),
            score,
            scale,
        )
        for column, cell in zip(columns.values(), cells, strict=True):
            column.append(cell)
    columns["chars"] = list(lengths)
    found = _kinds(rows, accounts, errors)
    kinds = [kind for kind, _ in Counter(found.values()).most_common()]
    return {
        "cohort": cohort,
        "stages": [{"name": s.name, "prefix": s.prefix, "scored": s.scored} for s in stages],
        "dimensions": [
            {
                "name": dimension.name,
                "stage": dimension.stage,
                "levels": list(dimension.numbers),
                "labels": [_label(experiment, dimension, level) for level in dimension.numbers],
            }
            for dimension in (combos, *(d for dimensions in own for d in dimensions))
        ],
        "subjects": [_subject(experiment, combo) for combo in combos.numbers],
        "rows": columns,
        "states": STATES,
        "reasons": reasons,
        "edited": edited,
        "scales": list(scales),
        "errors": errors,
        "kinds": kinds,
        "kind": {number: kinds.index(kind) for number, kind in found.items()},
        "criteria": _criteria(experiment, (d for dimensions in own for d in dimensions)),
        "ratings": _ratings(experiment, cohort, place, accounts),
        "copies": [sorted(levels) for levels in copies],
        "panel": experiment.settings.panel,
        "slice": json.loads(experiment.slice) if experiment.slice else None,
        "total": len({row.gen_id for row in experiment.memberships[cohort]} | set(place)),
        "chunks": chunks,
    }


def _criteria(experiment: Experiment, dimensions: Iterable[Dimension]) -> list[dict[str, Any]]:
    """Return by what people may rate texts: the templates of the judges that the cohort has."""
    stages = experiment.settings.stages
    used = {dimension.name: dimension.numbers for dimension in dimensions}
    return [
        {
            "stage": list(stages).index(stage.parent),
            "judged": stage.name,
            "template": template.template_id,
            "label": template.name,
            "description": template.description,
            "low": template.score_min,
            "high": template.score_max,
        }
        for stage in stages.values()
        if stage.scored and stage.parent
        for template in experiment.catalog.templates[stage.name].values()
        if template.template_id in used[f"{stage.name}_template"]
    ]


def _ratings(
    experiment: Experiment,
    cohort: str,
    place: Mapping[str, int],
    accounts: Mapping[str, Account],
) -> dict[int, list[dict[str, str | float]]]:
    """Return the scores by people that count, by the number of the row."""
    found: dict[int, list[dict[str, str | float]]] = defaultdict(list)
    for rating, error, _ in ratings_said(experiment, cohort, accounts):
        if not error and rating.score is not None and rating.gen_id in place:
            template = experiment.catalog.templates[rating.stage][rating.template]
            span = template.score_max - template.score_min
            found[place[rating.gen_id]].append(
                {
                    "rater": rating.rater,
                    "template": rating.template,
                    "score": f"{rating.score:.15g}",
                    "share": (rating.score - template.score_min) / span if span else 0.0,
                    "comment": rating.comment,
                }
            )
    return found


def _kinds(
    rows: list[Generation], accounts: Mapping[str, Account], errors: Mapping[int, str]
) -> dict[int, str]:
    """Return the kind of failure of each row that lacks its text or its score, by its number.

    It is that of the first generation of the lineage that is not complete, as in the score table.
    """
    at_fault: dict[str, Generation] = {}
    found: dict[int, str] = {}
    for number, row in enumerate(rows):
        first = at_fault.get(row.parent_gen_id)
        if first is None and not accounts[row.gen_id].complete:
            first = row
        why = errors.get(number, "")
        if first is not None:
            at_fault[row.gen_id] = first
            why = why or lack(first, accounts[first.gen_id], of=row)
        if why:
            found[number] = failure_kind(why)
    return found


def _read_scores(path: Path) -> Mapping[str, tuple[float | None, str]]:
    """Return the score of each scored generation, or why there is none, by its id."""
    _, rows = read_records(path)
    return {
        row["gen_id"]: (float(row["score"]) if row["score"] else None, row["error"]) for row in rows
    }


def _label(experiment: Experiment, dimension: Dimension, level: str) -> str:
    """Return what to show of a level; the level itself where it has no other name."""
    catalog = experiment.catalog
    if dimension.stage < 0:
        combo = catalog.combos.get(level)
        names = [catalog.concepts[concept].name for concept, _ in combo.concepts] if combo else []
        return " + ".join(names) or level
    stage = list(experiment.settings.stages)[dimension.stage]
    if dimension.name == f"{stage}_template":
        template = catalog.templates[stage].get(level)
        return (template.name if template else "") or level
    if dimension.name == f"{stage}_llm":
        model = catalog.models.get(level)
        return (model.display_name if model else "") or level
    return level


def _subject(experiment: Experiment, combo_id: str) -> list[tuple[str, ...]]:
    """Return what a first-stage generation is made from, as names and values.

    Of a concept: its name, its level of description, and its text at this level.
    """
    catalog = experiment.catalog
    if combo_id in catalog.items:
        return list(catalog.items[combo_id].items())
    combo = catalog.combos.get(combo_id)
    concepts = combo.concepts if combo else ()
    return [
        (catalog.concepts[concept].name, level, _text(catalog.concept_path(concept, level)))
        for concept, level in concepts
    ]


def _text(path: Path) -> str:
    """Return the text of a concept; empty if its file is gone since."""
    return read_text(path) if path.exists() else ""

"""Which design tells a difference as exactly as wanted, at the least cost.

The variance components are those of the scores there are, or stated ones before there are any. No
text is made and no model is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from daydream.analysis.allocation import (
    MOST_COMBOS,
    REPEATS,
    Comparison,
    Components,
    Costs,
    Design,
    cheapest,
    comparisons_of,
    record,
)
from daydream.analysis.scores import read_scores
from daydream.errors import Problems
from daydream.experiment.experiment import Experiment
from daydream.files import write_text
from daydream.reports.report import SCORES
from daydream.settings.targets import Components as Stated
from daydream.tables import csv_text
from daydream.text import table

# How many of the cheapest designs are shown for each dimension.
SHOWN = 5
# How many judges are tried, beside those at hand.
JUDGES = (1, 2, 3, 4, 6, 8)
COLUMNS = (
    *("cohort", "stage", "dimension", "at_hand", "combos", "texts", "judges", "replicates"),
    *("half_width", "detectable", "written", "evaluations", "usd"),
)

Row = Mapping[str, Any]


def allocate(experiment: Experiment, csv_path: str) -> str:
    """Write the designs that give the wanted interval as CSV, and return the best of them as text.

    Raises:
        InputError: there is no `half_width`, and neither scores nor stated components; or nothing
            can be compared.
    """
    settings = experiment.settings
    problems = Problems("allocate")
    if settings.half_width is None:
        remedy = "say how exactly differences are to be known: --config half_width=0.5"
        problems.add("--config", "found no half_width", remedy)
        problems.check()
    stated = settings.components
    groups = _stated(experiment, stated) if stated else _of_scores(experiment)
    rows: list[Row] = []
    parts = []
    for place, comparison, judges in groups:
        found = _rows(comparison, float(settings.half_width or 0), judges)
        rows += ({**place, **row} for row in found)
        parts.append("\n".join(_lines(place, comparison, found)))
    Path(csv_path).parent.mkdir(parents=True, exist_ok=True)
    write_text(csv_path, csv_text(COLUMNS, ([row.get(name) for name in COLUMNS] for row in rows)))
    head = (
        f"Designs whose 95 % interval of the difference of two levels is ± {settings.half_width:g} "
        f"or narrower, for new combos:"
    )
    return "\n\n".join([head, *parts, f"All designs as a table: {csv_path}"])


Group = tuple[dict[str, str], Comparison, Sequence[int]]


def _stated(experiment: Experiment, stated: Stated) -> list[Group]:
    """Return the one comparison that stated components are about; it has no design at hand."""
    settings = experiment.settings
    costs = Costs(text=_known(settings.usd_per_text), judgement=_known(settings.usd_per_judgement))
    components = Components(**stated.model_dump())
    comparison = Comparison(dimension="", components=components, costs=costs, at_hand=None)
    return [({}, comparison, JUDGES)]


def _known(usd: float | None) -> float:
    return float("nan") if usd is None else float(usd)


def _of_scores(experiment: Experiment) -> Iterator[Group]:
    problems = Problems("allocate")
    found = False
    for cohort in experiment.settings.cohorts:
        path = Path(SCORES.path(cohort))
        if not path.exists():
            problems.add(
                path,
                "is not there, so that no variance is known",
                "make it (snakemake scores), or state variances: --config "
                "'components={combo: 0.1, text: 0.4, residual: 0.6}'",
            )
            problems.check()
        for scores in read_scores(path):
            for comparison in comparisons_of(scores):
                found = True
                here = comparison.at_hand
                judges = sorted({*JUDGES, here.judges}) if here else JUDGES
                place = {"cohort": cohort, "stage": scores.stage.name}
                yield {**place, "dimension": comparison.dimension}, comparison, judges
    if not found:
        problems.add(
            "the scores",
            "have no dimension with two levels whose variance can be told",
            "state variances: --config 'components={combo: 0.1, text: 0.4, residual: 0.6}'",
        )
        problems.check()


def _rows(comparison: Comparison, wanted: float, judges: Sequence[int]) -> list[Row]:
    """Return the design at hand, if there is one, and those that are enough, cheapest first."""
    enough = cheapest(
        comparison.components,
        comparison.costs,
        wanted=wanted,
        judges=judges,
        replicates=REPEATS if comparison.repeated else (1,),
    )
    if comparison.at_hand is None or comparison.at_hand.combos < 2:
        return [*enough]
    here = record(comparison.components, comparison.costs, comparison.at_hand)
    return [{**here, "at_hand": "yes"}, *enough]


def _lines(place: Mapping[str, str], comparison: Comparison, rows: Sequence[Row]) -> Iterator[str]:
    title = ", ".join(filter(None, place.values())) or "stated components"
    here = [row for row in rows if row.get("at_hand")]
    enough = [row for row in rows if not row.get("at_hand")]
    names = [*Design._fields, "half_width", "detectable", "written", "evaluations", "usd"]
    shown = [[title, *(name.replace("_", " ") for name in names)]]
    for name, part in (("at hand", here), ("enough", enough[:SHOWN])):
        shown += ([f"  {name}", *map(_cell, (row[column] for column in names))] for row in part)
    yield table(shown)
    if not enough:
        yield f"  No design with up to {MOST_COMBOS:,} combos is enough: more judges are needed."
    elif len(enough) > SHOWN:
        yield f"  … and {len(enough) - SHOWN:,} dearer ones"
    if comparison.components.judge:
        yield "  For judges like these, not these alone: their differences count."


def _cell(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "?" if value != value else f"{value:.3g}"  # noqa: PLR0124 - NaN

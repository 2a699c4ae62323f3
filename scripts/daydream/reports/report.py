"""The reports that read the store itself: which ones there are, and what each covers.

`daydream.reports.sources` tells whether they are current.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from daydream.catalog.ratings import Rating
from daydream.errors import Problems, nearest
from daydream.experiment.experiment import Experiment
from daydream.generations.row import Generation
from daydream.store.layout import COHORTS

CROSS = Path("data/7_cross_experiment")


@dataclass(frozen=True, slots=True)
class Report:
    """A report of a cohort: its name, its file in the reports' directory, and what it covers.

    `rule` is the rule that makes it. `shows_ratings`: it shows what people have said of texts, too.
    `settings` returns, by name, the settings that decide what it or what is made from it shows.
    """

    name: str
    file: str
    rule: str
    rows: Callable[[Experiment, str], list[Generation]]
    shows_ratings: bool = False
    settings: Callable[[Experiment], dict[str, str]] = lambda _: {}

    def path(self, cohort: str) -> str:
        """Return the file of a cohort's report."""
        return f"{COHORTS}/{cohort}/reports/{self.file}"

    def record(self, cohort: str) -> Path:
        """Return the file that says what a cohort's report was made of."""
        return COHORTS / cohort / "reports" / "provenance" / f"{self.name}.json"


def covered(experiment: Experiment, cohort: str) -> list[Generation]:
    """Return the selected generations of a cohort, in membership order.

    Raises:
        InputError: it is not one of the configured cohorts.
    """
    if cohort not in experiment.memberships:
        problems = Problems("cohort")
        known = nearest(cohort, experiment.memberships)
        remedy = f"{known}; or add it with --config 'cohorts=[{cohort}]'"
        problems.add(f"{COHORTS}/{cohort}", "is not one of the configured cohorts", remedy)
        problems.check()
    return [row for row in experiment.memberships[cohort] if row.gen_id in experiment.selected]


def scored(experiment: Experiment, cohort: str) -> list[Generation]:
    """Return the selected generations of a cohort's scored stages, in membership order."""
    stages = experiment.settings.stages
    return [row for row in covered(experiment, cohort) if stages[row.stage].scored]


def unscored(experiment: Experiment, cohort: str) -> list[Generation]:
    """Return the selected generations of a cohort whose texts are no scores, in that order."""
    stages = experiment.settings.stages
    return [row for row in covered(experiment, cohort) if not stages[row.stage].scored]


def _panel(experiment: Experiment) -> dict[str, str]:
    return {"panel": experiment.settings.panel}


def _embeddings(experiment: Experiment) -> dict[str, str]:
    """Return the model of embeddings; a partial run makes do with those that there are."""
    if experiment.settings.embeddings is None:
        return {}
    known = "those there are" if experiment.settings.partial else "all"
    return {"embeddings": f"{known} of {experiment.embedding.space.directory}"}


SCORES = Report(
    "scores", "parsing/aggregated_scores.csv", "aggregate_scores", scored, settings=_panel
)
# Of all rows, as all reports of a cohort are withdrawn together: one that did not wait for the
# scores would not be made again.
TEXTS = Report("texts", "parsing/texts.csv", "list_texts", covered, settings=_embeddings)
CALLS = Report("calls", "parsing/calls.csv", "collect_calls", covered)
EXPLORER = Report(
    "explorer",
    "explorer/index.html",
    "build_explorer",
    covered,
    shows_ratings=True,
    settings=_panel,
)
# Of all rows, too; a cohort that nobody has rated is without it.
RATINGS = Report("ratings", "parsing/ratings.csv", "collect_ratings", covered, shows_ratings=True)
# What is made of the table of texts: their embeddings, in its order.
EMBEDDINGS = "parsing/embeddings.npy"
REPORTS = (SCORES, TEXTS, CALLS, EXPLORER, RATINGS)


def ratings_of(experiment: Experiment, cohort: str) -> list[Rating]:
    """Return what people have said of texts that a cohort has, or has had.

    Raises:
        InputError: it cannot be read.
    """
    ratings = experiment.ratings.rows
    known = {row.gen_id for row in experiment.memberships[cohort]} if ratings else set()
    return [each for each in ratings if each.cohort == cohort or each.gen_id in known]


def with_lineage(experiment: Experiment, rows: Iterable[Generation]) -> list[Generation]:
    """Return rows and all their ancestors, each once, parents first."""
    kept: dict[str, Generation] = {}
    for row in rows:
        if row.parent_gen_id and row.parent_gen_id not in kept:
            kept.update((link.gen_id, link) for link in experiment.lineage(row))
        kept[row.gen_id] = row
    return list(kept.values())


def is_report_file(path: str) -> bool:
    """Tell whether a file is a report of a cohort, or combines those of several."""
    parts = Path(path).parts
    return Path(path).is_relative_to(CROSS) or (
        Path(path).is_relative_to(COHORTS) and parts[3:4] == ("reports",)
    )

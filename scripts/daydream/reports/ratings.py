"""What people have said of a cohort's texts, as a table: one row per rating.

    stage, kind               the scored stage; single or pair
    rater, template           who says it, and the template of whose scale it is
    gen_id, combo_id          the text, and its combo
    other_gen_id, choice      of a pair: the other text, and which is better (a, b or tie)
    score                     of a single text
    score_min, score_max      the template's scale
    comment, rated_at         as the rater gave them
    file, line                where the rating stands
    error                     why it does not count; empty if it does
    slice                     `where` and `exclude` of the run, as in the score table

A rating counts for the text that was read. If the text has been made again and says something else,
it does not count any more, as a score of the old text would not. How many count, why the others do
not, and how many recipes lack one, is what a run, a dry run and a plan say of it (`ratings_told`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from daydream.catalog.ratings import Rating
from daydream.errors import InputError, nearest
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.files import write_text
from daydream.generations.row import Generation
from daydream.reports.report import ratings_of
from daydream.reports.scores import lack
from daydream.store.layout import COHORTS
from daydream.tables import csv_text

COLUMNS = (
    *("stage", "kind", "rater", "template", "gen_id", "combo_id", "other_gen_id", "choice"),
    *("score", "score_min", "score_max", "comment", "rated_at", "file", "line", "error", "slice"),
)


# How many reasons are told.
REASONS = 3


class Said(NamedTuple):
    """A rating, and why it does not count; `error` is empty if it does.

    `reason` is what the errors of many ratings have in common.
    """

    rating: Rating
    error: str = ""
    reason: str = ""


def ratings_said(
    experiment: Experiment, cohort: str, accounts: Mapping[str, Account]
) -> Iterator[Said]:
    """Yield the ratings of a cohort's selected texts, in the order of the files and their rows.

    What is said without the digest of a text may be of the same version as what is said with it:
    what is said alike counts once, and a contradiction counts as what was said first.
    """
    counted: dict[tuple[str, ...], Rating] = {}
    present = {row.gen_id for row in experiment.memberships[cohort]}
    for rating in ratings_of(experiment, cohort):
        texts = [(rating.gen_id, rating.text_sha256), (rating.other_gen_id, rating.other_sha256)]
        read = [(gen_id, digest) for gen_id, digest in texts if gen_id]
        if all(gen_id in experiment.selected or gen_id not in present for gen_id, _ in read):
            errors = [
                _error(experiment, gen_id, digest, accounts)
                if gen_id in present
                else (f"{gen_id} is not a text of the cohort any more", "the text is gone")
                for gen_id, digest in read
            ]
            error, reason = next(filter(any, [*errors, _error_of_scale(rating)]), ("", ""))
            first = rating if error else counted.setdefault(rating.of_what, rating)
            if first.said != rating.said:
                error = f"it contradicts {first.file}, line {first.line}"
                reason = "another answer contradicts it"
            if error or first is rating:
                yield Said(rating, error, reason)


def _error_of_scale(rating: Rating) -> tuple[str, str]:
    if not rating.old_scale:
        return "", ""
    scale = f"on a scale of {rating.old_scale}"
    return (
        f"it was given {scale}, and {rating.template} has another one now",
        "its scale is another now",
    )


def _error(
    experiment: Experiment, gen_id: str, digest: str, accounts: Mapping[str, Account]
) -> tuple[str, str]:
    """Return why a text cannot be what was rated, and the reason in common with others."""
    account = accounts[gen_id]
    if not account.complete:
        row = experiment.generations[gen_id]
        return lack(row, account, of=row), "the text is not made"
    if not account.parsed.sha256.startswith(digest):
        return f"the text of {gen_id} has changed since it was rated", "the text has changed since"
    return "", ""


def ratings_told(experiment: Experiment, accounts: Mapping[str, Account]) -> list[str]:
    """Return lines: how many ratings count, why not the others, what they lack, what was not read.

    Without files of ratings there are none. `accounts` are those of all selected generations.
    """
    try:
        found = experiment.ratings
    except InputError as error:
        first, *more = str(error).splitlines()
        rest = f" (and {len(more):,} more)" if more else ""
        return [f"Ratings: what shows them cannot be made: {first}{rest}"]
    lines = [
        *_counted(experiment, accounts),
        *_unrated(experiment, accounts),
        *_unknown_cohorts(experiment),
    ]
    if found.unread:
        lines.append(f"Ratings: {found.unread}")
    return lines


def _counted(experiment: Experiment, accounts: Mapping[str, Account]) -> Iterator[str]:
    """Yield how many ratings count in any cohort, and the most frequent reasons of the others."""
    said: dict[Rating, str] = {}
    for cohort in experiment.settings.cohorts:
        for each in ratings_said(experiment, cohort, accounts):
            said[each.rating] = each.reason and said.get(each.rating, each.reason)
    counted = {rating.of_what for rating, reason in said.items() if not reason}
    for rating in experiment.ratings.rows:
        # What was said twice counts once.
        if rating not in said and rating.of_what not in counted:
            known = rating.gen_id in experiment.generations
            said[rating] = "the text is not selected" if known else "the cohort is not configured"
    if not said:
        return
    reasons = Counter(filter(None, said.values())).most_common()
    line = f"Ratings: {len(said) - sum(dict(reasons).values()):,} of {len(said):,} count"
    if reasons:
        shown = [f"{count:,} × {reason}" for reason, count in reasons[:REASONS]]
        if len(reasons) > REASONS:
            shown.append(f"{sum(count for _, count in reasons[REASONS:]):,} × other reasons")
        line += f"; not: {', '.join(shown)} (`error` in reports/parsing/ratings.csv)"
    yield line


def _unrated(experiment: Experiment, accounts: Mapping[str, Account]) -> Iterator[str]:
    """Yield how many recipes lack a rated text, which leaves the mean of all texts empty."""
    for cohort in experiment.settings.cohorts:
        rated: dict[tuple[str, str], set[str]] = defaultdict(set)
        for rating, error, _ in ratings_said(experiment, cohort, accounts):
            if not error and rating.score is not None:
                rated[rating.stage, rating.template].add(rating.gen_id)
        for (stage, template), gen_ids in rated.items():
            texts = {
                row.gen_id: _recipe(experiment, row)
                for row in experiment.memberships[cohort]
                if row.stage == experiment.settings.stages[stage].parent
                and row.gen_id in experiment.selected
                and accounts[row.gen_id].complete
            }
            every = set(texts.values())
            lacking = every - {recipe for gen_id, recipe in texts.items() if gen_id in gen_ids}
            if lacking:
                yield (
                    f"Ratings: of {cohort} by {template}, {len(lacking):,} of {len(every):,} "
                    "recipes have no rated text: until each has one, calibrated_means has no mean "
                    "of all texts"
                )


def _recipe(experiment: Experiment, generation: Generation) -> tuple[tuple[str, ...], ...]:
    """Return what made a text, as tables tell recipes: of a copy, no model had a part in it."""
    return tuple(
        (link.template_id,)
        if recipes.is_copy(experiment, link)
        else (link.template_id, link.llm_model_id, *link.dimensions)
        for link in experiment.lineage(generation)
    )


def _unknown_cohorts(experiment: Experiment) -> Iterator[str]:
    """Yield the names of cohorts in the files that no cohort here has, each once."""
    there = {*experiment.settings.cohorts, *(path.name for path in COHORTS.glob("*/"))}
    places: dict[str, Rating] = {}
    for rating in experiment.ratings.rows:
        if rating.cohort and rating.cohort not in there:
            places.setdefault(rating.cohort, rating)
    for name, first in places.items():
        yield (
            f"Ratings: {first.file}, line {first.line}, column cohort: found {name!r}, which is "
            f"not a cohort here; {nearest(name, there)}"
        )


def write_ratings(
    experiment: Experiment, cohort: str, accounts: Mapping[str, Account], path: str
) -> None:
    """Write the ratings of a cohort's selected texts."""
    rows = []
    for rating, error, _ in ratings_said(experiment, cohort, accounts):
        template = experiment.catalog.templates[rating.stage][rating.template]
        text = experiment.generations.get(rating.gen_id)
        own = {name: getattr(rating, name) for name in COLUMNS if name in Rating.__slots__}
        row = {
            **own,
            "kind": "pair" if rating.choice else "single",
            "combo_id": text.combo_id if text else "",
            "score_min": template.score_min,
            "score_max": template.score_max,
            "error": error,
            "slice": experiment.slice,
        }
        rows.append([row[name] for name in COLUMNS])
    write_text(path, csv_text(COLUMNS, rows))

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
it does not count any more, as a score of the old text would not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from daydream.catalog.ratings import Rating
from daydream.experiment.experiment import Experiment
from daydream.experiment.provenance import Account
from daydream.files import write_text
from daydream.reports.report import ratings_of
from daydream.reports.scores import lack
from daydream.tables import csv_text

COLUMNS = (
    *("stage", "kind", "rater", "template", "gen_id", "combo_id", "other_gen_id", "choice"),
    *("score", "score_min", "score_max", "comment", "rated_at", "file", "line", "error", "slice"),
)


class Said(NamedTuple):
    """A rating, and why it does not count; `error` is empty if it does."""

    rating: Rating
    error: str


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
                else f"{gen_id} is not a text of the cohort any more"
                for gen_id, digest in read
            ]
            error = next(filter(None, [*errors, _error_of_scale(rating)]), "")
            first = rating if error else counted.setdefault(rating.of_what, rating)
            if first.said != rating.said:
                error = f"it contradicts {first.file}, line {first.line}"
            if error or first is rating:
                yield Said(rating, error)


def _error_of_scale(rating: Rating) -> str:
    if not rating.old_scale:
        return ""
    return (
        f"it was given on a scale of {rating.old_scale}, and {rating.template} has another one now"
    )


def _error(
    experiment: Experiment, gen_id: str, digest: str, accounts: Mapping[str, Account]
) -> str:
    account = accounts[gen_id]
    if not account.complete:
        return lack(experiment.generations[gen_id], account)
    if not account.parsed.sha256.startswith(digest):
        return f"the text of {gen_id} has changed since it was rated"
    return ""


def write_ratings(
    experiment: Experiment, cohort: str, accounts: Mapping[str, Account], path: str
) -> None:
    """Write the ratings of a cohort's selected texts."""
    rows = []
    for rating, error in ratings_said(experiment, cohort, accounts):
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

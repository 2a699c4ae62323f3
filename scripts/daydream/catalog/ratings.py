"""What people have said of texts: the tables in `data/ratings/`, which the explorer page exports.

    rater                       who says it
    template                    the template of a scored stage by whose scale or question it is said
    gen_id                      the text
    score                       a number on the template's scale, of a single text
    other_gen_id, choice        of a pair: the other text, and which is better: a (gen_id), b or tie
    stage                       the scored stage; may be empty if only one has such texts
    cohort                      the cohort that the page was of
    text_sha256, other_sha256   the first digits of the digests of the texts as they were read
    score_min, score_max        the scale that the rater saw, if the page has written it
    comment, rated_at           whatever else there is to say, and when

A row has either a score or a choice. Only the form of a row is judged here, and the template that
it names; `cohorts.rated` judges which texts there are. Columns of other names are ignored.

Names of raters that differ only in blanks, in case or in how Unicode composes their letters are one
name, as it was written first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from daydream.catalog.loader import read_number
from daydream.catalog.records import CONTROL, Template
from daydream.errors import Problems, nearest
from daydream.tables import Row, scan_table, unguarded

CODE = "ratings"
RATINGS = Path("data/ratings")
CHOICES = ("a", "b", "tie")
_REQUIRED = ("rater", "template", "gen_id")
_OPTIONAL = (
    *("score", "other_gen_id", "choice", "stage", "cohort"),
    *("text_sha256", "other_sha256", "comment", "rated_at", "score_min", "score_max"),
)
_DIGITS = re.compile(r"[0-9a-f]{8,64}|")
# What programs leave beside a table, hidden or as a lock, and what says what is there.
_QUIET = re.compile(r"\..*|~\$.*|.*~|readme.*|thumbs\.db|desktop\.ini", re.IGNORECASE)
# How many files that are not read are named.
_NAMED = 3

Templates = Mapping[str, Mapping[str, Template]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rating:
    """What one person says of one text, or of two; `file` and `line` are where it stands.

    `score` is None for a pair, `choice` and `other_gen_id` are empty for a single text. `old_scale`
    is the scale of the score if it is not that of the template, in words.
    """

    file: str
    line: int
    rater: str
    stage: str
    template: str
    gen_id: str
    other_gen_id: str
    score: float | None
    old_scale: str
    choice: str
    cohort: str
    text_sha256: str
    other_sha256: str
    comment: str
    rated_at: str

    @property
    def said(self) -> tuple[float | None, str]:
        """What is said, the choice as if the text of the lesser id stood first."""
        turned = {"a": "b", "b": "a"}.get(self.choice, self.choice)
        return self.score, turned if self.gen_id > self.other_gen_id else self.choice

    @property
    def of_what(self) -> tuple[str, ...]:
        """By whom and of what it is said; a pair in either order."""
        return (self.rater, self.stage, self.template, *sorted([self.gen_id, self.other_gen_id]))

    @property
    def subject(self) -> tuple[str, ...]:
        """The same, of the texts as they were read, and on the scale that the rater saw."""
        texts = [self.gen_id + self.text_sha256, self.other_gen_id + self.other_sha256]
        return (self.rater, self.stage, self.template, self.old_scale, *sorted(texts))


class Ratings(NamedTuple):
    """All ratings, each once, and the files that they were read from; `unread` tells of others."""

    files: tuple[Path, ...]
    rows: tuple[Rating, ...]
    unread: str


def load_ratings(directory: Path, templates: Templates) -> Ratings:
    """Read the tables of a directory; there need not be any.

    `templates` are those of the scored stages that judge texts, by stage.

    Raises:
        InputError: everything that is wrong with the form of any of them.
    """
    problems = Problems(CODE)
    found = sorted(directory.iterdir()) if directory.is_dir() else []
    shown = [path for path in found if not _QUIET.fullmatch(path.name)]
    files = tuple(path for path in shown if path.suffix.lower() == ".csv" and path.is_file())
    known: dict[tuple[str, ...], Rating] = {}
    names: dict[str, str] = {}
    for path in files:
        for row in scan_table(path, problems, required=_REQUIRED, optional=_OPTIONAL):
            if not all(row.values[name] for name in _REQUIRED):
                continue
            rating = _Reader(path, row, problems, names).rating(templates)
            first = known.setdefault(rating.subject, rating)
            if first.said != rating.said:
                where = f"{first.file}, line {first.line}"
                other = f"found an answer of {rating.rater!r} that contradicts the one in {where}"
                problems.add(path, other, "remove one of the two", line=row.line)
    problems.check()
    unread = _unread(directory, (path for path in shown if path not in files))
    return Ratings(files, tuple(known.values()), unread)


def _unread(directory: Path, paths: Iterable[Path]) -> str:
    """Return what is said of files that are no tables that are read; empty if there are none."""
    names = [f"{path.name}/" if path.is_dir() else path.name for path in paths]
    if not names:
        return ""
    shown = names[:_NAMED]
    if len(names) > _NAMED:
        shown.append(f"{len(names) - _NAMED:,} more")
    *most, last = shown
    listed = f"{', '.join(most)} and {last}" if most else last
    be = "is" if len(names) == 1 else "are"
    return f"{directory} holds {listed}, which {be} not read: save tables there as CSV (UTF-8)"


class _Reader:
    """Reads one row, and notes what is wrong with it; `names` are those of raters so far."""

    def __init__(self, path: Path, row: Row, problems: Problems, names: dict[str, str]) -> None:
        self._path = path
        self._names = names
        cells = {name: unguarded(cell) for name, cell in row.values.items()}
        self._row = Row(row.line, cells)
        self._problems = problems

    def rating(self, templates: Templates) -> Rating:
        cells = self._row.values
        stage = self._stage(templates)
        template = templates.get(stage, {}).get(cells["template"])
        if stage and template is None:
            remedy = nearest(cells["template"], templates[stage])
            self._refuse("template", f"which is not a template of the stage {stage}", remedy)
        for column in ("rater", "comment"):
            if CONTROL.search(cells[column].replace("\n", "")):
                self._refuse(column, "which has a control character", "leave it out")
        for column in ("text_sha256", "other_sha256"):
            if not _DIGITS.fullmatch(cells[column]):
                remedy = "write 8 to 64 digits of the text's SHA-256, or leave the cell empty"
                self._refuse(column, "which is not the beginning of a digest", remedy)
        is_pair = bool(cells["choice"] or cells["other_gen_id"])
        old_scale = "" if is_pair else self._old_scale(template)
        if is_pair:
            self._check_pair()
        return Rating(
            file=str(self._path),
            line=self._row.line,
            rater=self._rater(),
            stage=stage,
            template=cells["template"],
            gen_id=cells["gen_id"],
            other_gen_id=cells["other_gen_id"],
            score=None if is_pair else self._score(None if old_scale else template),
            old_scale=old_scale,
            choice=cells["choice"],
            cohort=cells["cohort"],
            text_sha256=cells["text_sha256"],
            other_sha256=cells["other_sha256"],
            comment=cells["comment"],
            rated_at=cells["rated_at"],
        )

    def _rater(self) -> str:
        """Return the name of the rater, as it was written first."""
        name = unicodedata.normalize("NFC", " ".join(self._row.values["rater"].split()))
        return self._names.setdefault(unicodedata.normalize("NFC", name.casefold()), name)

    def _stage(self, templates: Templates) -> str:
        """Return the scored stage of a row; empty if none can be told, which is noted."""
        given = self._row.values["stage"]
        if given in templates:
            return given
        if given:
            self._refuse(
                "stage", "which is not a stage that scores texts", nearest(given, templates)
            )
            return ""
        own = [name for name in templates if self._row.values["template"] in templates[name]]
        named = own if own else list(templates)
        if len(named) == 1:
            return named[0]
        if own:
            self._refuse("stage", "where several stages have this template", nearest("", own))
        else:
            every = [name for stage in templates.values() for name in stage]
            remedy = nearest(self._row.values["template"], every)
            self._refuse("template", "which is not a template of a stage that scores texts", remedy)
        return ""

    def _check_pair(self) -> None:
        cells = self._row.values
        if cells["score"]:
            remedy = "give a score to a single text, or a choice to a pair"
            self._refuse("score", "beside a pair", remedy)
        if cells["choice"] not in CHOICES:
            why = "which is not a choice" if cells["choice"] else "for a pair"
            remedy = "write a (gen_id is better), b (other_gen_id is better) or tie"
            self._refuse("choice", why, remedy)
        if not cells["other_gen_id"]:
            self._refuse("other_gen_id", "for a pair", "name the other text")
        elif cells["other_gen_id"] == cells["gen_id"]:
            self._refuse("other_gen_id", "which is the first text too", "name another text")

    def _old_scale(self, template: Template | None) -> str:
        """Return the scale that the rater saw, in words, if the template has another one now."""
        given = [self._row.values[column] for column in ("score_min", "score_max")]
        if template is None or not all(given):
            return ""
        ends = [
            read_number(self._path, self._row, column, self._problems)
            for column in ("score_min", "score_max")
        ]
        is_same = None in ends or ends == [template.score_min, template.score_max]
        return "" if is_same else " to ".join(given)

    def _score(self, template: Template | None) -> float | None:
        if not self._row.values["score"]:
            remedy = "give a score, or other_gen_id and a choice"
            self._refuse("score", "for a single text", remedy)
            return None
        score = read_number(self._path, self._row, "score", self._problems)
        if score is None or template is None:
            return score
        if not template.score_min <= score <= template.score_max:
            scale = f"{template.score_min:.15g} to {template.score_max:.15g}"
            remedy = f"write a number from {scale}"
            why = f"which is outside the scale of {template.template_id}"
            self._refuse("score", why, remedy)
        return score

    def _refuse(self, column: str, why: str, remedy: str) -> None:
        cell = self._row.values[column]
        found = f"found {cell!r}, {why}" if cell else f"found an empty cell {why}"
        self._problems.add(self._path, found, remedy, line=self._row.line, column=column)

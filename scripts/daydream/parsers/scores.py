"""Parsers of scores: the number that an answer ends with, checked against the template's scale."""

from __future__ import annotations

import math
import re

from daydream.errors import ParseError
from daydream.parsers.registry import Scale, excerpt, parser

_FLAGS = re.IGNORECASE | re.ASCII
_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]+)?"
_LABEL = r"(?:(?:final|total) )?score(?: ?: ?| )"
_SCORE = re.compile(rf"{_LABEL}({_NUMBER})(?: ?/ ?({_NUMBER}))?", _FLAGS)
_SCORE_BEGUN = re.compile(rf"{_LABEL}[+-]?\.?[0-9]", _FLAGS)
# Blanks, not nothing: 'SCORE: 7*8' must not become 78.
_EMPHASIS = str.maketrans("*_`", "   ")


@parser
def in_last_line(answer: str, *, scale: Scale) -> str:
    """Return the score in the last three lines that are not blank.

    A line is one of ``SCORE: 7``, ``Score 6.5``, ``Final Score: 4``, ``Total Score: 7/9``, in any
    case; the number after the slash must be the scale's maximum. Markdown's marks of emphasis and
    headings and a final full stop do not count. The last line that begins like this decides: if it
    goes on in another way (``7,5``, ``1e3``, ``7 or 8``), the answer is
    rejected.
    """
    for line in reversed(_filled_lines(answer)[-3:]):
        plain = _plain(line)
        if not _SCORE_BEGUN.match(plain):
            continue
        found = _SCORE.fullmatch(plain)
        if found is None:
            raise ParseError(
                f"found {excerpt(line)}, which is more than a score; ask for a last line "
                "such as 'SCORE: 7' in the template"
            )
        if found[2] is not None and float(found[2]) != scale.maximum:
            raise ParseError(
                f"found {excerpt(line)}, but the scale ends at {scale.maximum:.15g}; state it in "
                "the template, or set score_max"
            )
        return score_text(scale.check(float(found[1])))
    raise ParseError(
        f"no score in the last three lines, which end with {excerpt(answer[-60:])}; ask for a "
        "last line such as 'SCORE: 7' in the template"
    )


@parser
def three_scores_last_line(answer: str, *, scale: Scale) -> str:
    """Return the mean of the three scores that the last line that is not blank consists of.

    It is one of ``456`` (three digits), ``4 5 6``, ``4,5,6``; marks as in `in_last_line`.
    """
    line = (_filled_lines(answer) or [""])[-1]
    plain = _plain(line)
    separator = "," if "," in plain else None
    parts = list(plain) if len(plain) == 3 else [part.strip() for part in plain.split(separator)]
    if len(parts) != 3 or not all(re.fullmatch(_NUMBER, part) for part in parts):
        raise ParseError(
            f"no three scores in the last line {excerpt(line)}; ask for a last line such as "
            "'4 5 6' in the template"
        )
    return score_text(math.fsum(scale.check(float(part)) for part in parts) / 3)


def _filled_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _plain(line: str) -> str:
    """Return a line without Markdown's marks and a final full stop, each run of blanks as one."""
    words = line.translate(_EMPHASIS).split()
    return " ".join(words).strip("# ").removesuffix(".").rstrip()


def score_text(score: float) -> str:
    """Return the parsed text of a score."""
    return f"{score!r}\n"

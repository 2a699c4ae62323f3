"""Parsers of texts: the answer as it is, and essays in their tags.

Every pattern reads each character a bounded number of times: answers may be megabytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from daydream.errors import ParseError
from daydream.parsers.registry import excerpt, parser

_FLAGS = re.IGNORECASE | re.ASCII


@dataclass(frozen=True, slots=True)
class _Tag:
    """The patterns of a tag, in any case, its start with or without attributes."""

    start: re.Pattern[str]
    end: re.Pattern[str]

    @classmethod
    def named(cls, name: str) -> _Tag:
        start = re.compile(rf"<{name}(?P<attributes>\s[^<>]*)?>", _FLAGS)
        return cls(start, re.compile(f"</{name}>", _FLAGS))


_ESSAY = _Tag.named("essay")
_IDEA = _Tag.named("essay-idea")
_THINKING = _Tag.named("thinking")
_STAGE = re.compile(r"\sstage\s*=\s*[\"']?([^\"'\s]*)", _FLAGS)
_WHOLE = re.compile(r"[0-9]{1,9}")


@parser
def identity(answer: str) -> str:
    """Return the whole answer, unchanged."""
    return answer


@parser
def essay_block(answer: str) -> str:
    """Return the first ``<essay>…</essay>``; without an end tag, what follows the start tag."""
    block = _first_essay(answer)
    if block is None:
        raise ParseError(
            f"no <essay> tag in the answer, which begins with {excerpt(answer)}; ask for it in "
            "the template, or take the parser essay_block_lenient"
        )
    return _filled(block, "the <essay> block")


@parser
def essay_block_lenient(answer: str) -> str:
    """Return the same after removing ``<thinking>`` blocks; without a tag, all the text left.

    A ``<thinking>`` without an end is not a block.
    """
    kept, position = [], 0
    while (start := _THINKING.start.search(answer, position)) and (
        end := _THINKING.end.search(answer, start.end())
    ):
        kept.append(answer[position : start.start()])
        position = end.end()
    text = "".join([*kept, answer[position:]])
    block = _first_essay(text)
    if block is None:
        return _filled(text, "the answer without its <thinking> blocks")
    return _filled(block, "the <essay> block")


@parser
def essay_idea_last(answer: str) -> str:
    """Return the ``<essay-idea stage="n">`` block with the highest n, the last of equals.

    Blocks without a stage count below all others. The block chosen must have its end tag before
    the next one starts: falling back to an earlier stage would go unnoticed.
    """
    starts = list(_IDEA.start.finditer(answer))
    if not starts:
        raise ParseError(
            f"no <essay-idea> tag in the answer, which begins with {excerpt(answer)}; ask for it "
            "in the template"
        )
    stages = [_stage(start["attributes"] or "") for start in starts]
    chosen = max(range(len(starts)), key=lambda index: (stages[index], index))
    start, following = starts[chosen], starts[chosen + 1 : chosen + 2]
    limit = following[0].start() if following else len(answer)
    end = _IDEA.end.search(answer, start.end(), limit)
    if end is None:
        raise ParseError(
            f"the block {excerpt(start[0])} has no end tag; ask for </essay-idea> in the template"
        )
    return _filled(answer[start.end() : end.start()], f"the block {excerpt(start[0])}")


def _first_essay(text: str) -> str | None:
    start = _ESSAY.start.search(text)
    if start is None:
        return None
    end = _ESSAY.end.search(text, start.end())
    return text[start.end() : end.start() if end else len(text)]


def _stage(attributes: str) -> int:
    found = _STAGE.search(attributes)
    if found is None:
        return -1
    if not _WHOLE.fullmatch(found[1]):
        raise ParseError(
            f"found an <essay-idea> of stage {excerpt(found[1])}, which is not a whole number; "
            "ask for numbered stages in the template"
        )
    return int(found[1])


def _filled(text: str, what: str) -> str:
    if not text.strip():
        raise ParseError(f"{what} is empty; change the template, or sample the answer again")
    return text.strip()

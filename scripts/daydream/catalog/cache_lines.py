"""A cache point that stands alone on a line leaves nothing of the line.

So it can be put into a template on a line of its own, as one writes it, without a new line in the
prompt, which would be another prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

# Importing Jinja2 takes 80 ms, which only renders need.
if TYPE_CHECKING:
    from jinja2.lexer import Token

CACHE_POINT = "cache_point"
_TAG = ["variable_begin", "name", "variable_end"]


def without_cache_lines(stream: Iterable[Token]) -> Iterator[Token]:
    """Yield a template's tokens, without the white space of lines that hold a cache point alone."""
    tokens = list(stream)
    for place in range(len(tokens) - 2):
        tag = tokens[place : place + 3]
        if [token.type for token in tag] == _TAG and tag[1].value == CACHE_POINT:
            _close_up(tokens, place - 1, place + 3)
    yield from (token for token in tokens if token.type != "data" or token.value)


def _close_up(tokens: list[Token], before: int, after: int) -> None:
    """Shorten the texts at these places, if there is a line between them with nothing in it."""
    start, end = _text(tokens, before), _text(tokens, after)
    head, tail = start.rstrip(" \t"), end.lstrip(" \t")
    begins = head.endswith("\n") or (not head and before <= 0)
    if begins and tail.startswith("\n"):
        if start:
            tokens[before] = tokens[before]._replace(value=head)
        tokens[after] = tokens[after]._replace(value=tail[1:])


def _text(tokens: list[Token], place: int) -> str:
    """Return the text at a place; empty where there is none."""
    is_text = 0 <= place < len(tokens) and tokens[place].type == "data"
    return str(tokens[place].value) if is_text else ""

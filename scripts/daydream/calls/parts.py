"""Dividing what is to be asked into parts that one request, or one batch, may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Each = TypeVar("Each")


def parts(
    items: Iterable[Each], *, size: Callable[[Each], int], most: int, total: int
) -> Iterator[list[Each]]:
    """Yield the items in lists of `most` at most, whose sizes add up to `total` at most.

    An item that is larger than that is in a list of its own.
    """
    part: list[Each] = []
    filled = 0
    for item in items:
        own = size(item)
        if part and (len(part) == most or filled + own > total):
            yield part
            part, filled = [], 0
        part.append(item)
        filled += own
    if part:
        yield part

"""A job that failed, as the log of the run tells it."""

from __future__ import annotations

from typing import NamedTuple


class Failure(NamedTuple):
    """A job that failed: the line of its error, and what it is of, such as ``draft d_…``.

    `gen_id` is empty for a job that makes no generation; `place` then is its log.
    """

    line: str
    place: str
    gen_id: str = ""

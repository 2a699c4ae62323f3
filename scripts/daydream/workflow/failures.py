"""A failed job, as the log of the run reports it."""

from __future__ import annotations

from typing import NamedTuple


class Failure(NamedTuple):
    """A failed job: the line of its error, and what it makes, such as ``draft d_…``.

    `gen_id` is empty for a job that does not make a generation; `place` is then its log.
    """

    line: str
    place: str
    gen_id: str = ""

"""A failed job, as the log of the run reports it."""

from __future__ import annotations

from typing import NamedTuple

from daydream.errors import ANSWER_KEPT, ParseError, UnderWayError


class Failure(NamedTuple):
    """A failed job: the line of its error, and what it makes, such as ``draft d_…``.

    `gen_id` is empty for a job that does not make a generation; `place` is then its log.
    """

    line: str
    place: str
    gen_id: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is wrong: the answer is to come in a batch."""
        return self.line.startswith(f"[{UnderWayError.code}]")

    @property
    def is_of_answer(self) -> bool:
        """Whether an answer that is there was refused: the next run would refuse it again."""
        return self.line.startswith(f"[{ParseError.code}]") or ANSWER_KEPT in self.line

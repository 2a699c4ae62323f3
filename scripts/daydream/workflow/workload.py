"""How many answers a run is to get, and how many of them there are.

The number comes from the design and the state of the store when the run began, and not from the
jobs that Snakemake has started so far. What comes after a failed generation is not made in this
run, so it is no longer expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from daydream.generations.row import Generation


class Workload:
    """The answers that are still to come when a run begins; parents come before children.

    `wanted` are the generations that need an answer, of all the `rows` that the run makes.
    `divided`: they are made by runs within this one, which sees only their calls.
    """

    def __init__(
        self, rows: Iterable[Generation], wanted: Iterable[str], *, divided: bool = False
    ) -> None:
        rows = list(rows)
        self.divided = divided
        self._open = set(wanted)
        self._wanted = len(self._open)
        self._failed: set[str] = set()
        self._lost = 0
        # Those that failed before they had an answer.
        self._unanswered: set[str] = set()
        self.answered = 0
        # How many answers are to come after each generation.
        self._after: Counter[str] = Counter()
        for row in reversed(rows):
            if row.parent_gen_id:
                own = row.gen_id in self._open
                self._after[row.parent_gen_id] += self._after[row.gen_id] + own

    @property
    def total(self) -> int:
        """The answers that are still expected, those that are there included."""
        return self._wanted - self._lost

    @property
    def done(self) -> int:
        """The answers that are there, and those that a generation failed to get."""
        return self.answered + len(self._unanswered)

    def settle(self, gen_id: str) -> None:
        """Note that a generation has its answer."""
        if gen_id in self._open:
            self._open.discard(gen_id)
            self.answered += 1

    def fail(self, gen_id: str) -> None:
        """Note that a generation failed: nothing comes after it."""
        if gen_id in self._open:
            self._open.discard(gen_id)
            self._unanswered.add(gen_id)
        if gen_id not in self._failed:
            self._failed.add(gen_id)
            self._lost += self._after[gen_id]

    def recover(self, gen_id: str) -> None:
        """Note that a generation that had failed was made by a later attempt."""
        if gen_id in self._unanswered:
            self._unanswered.discard(gen_id)
            self.answered += 1
        if gen_id in self._failed:
            self._failed.discard(gen_id)
            self._lost -= self._after[gen_id]

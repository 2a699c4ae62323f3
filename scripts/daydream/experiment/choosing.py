"""Which answer of each generation counts in a run, and how the setting `refresh` changes that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from daydream.generations.row import Generation
from daydream.store.choices import FIRST, Choice, commit_refresh, read_choices, refreshed
from daydream.store.journal import answered_samples


class Choices:
    """The choices of a run by gen_id. With `refresh`, those in `refreshable` get a new answer.

    A new choice is only in memory here, so that a command that reads leaves no trace. `choose`
    writes it to the file.
    """

    def __init__(self, refreshable: Mapping[str, Generation], *, run: str) -> None:
        self._refreshable = refreshable
        self._run = run

    @cached_property
    def _chosen(self) -> dict[str, Choice]:
        choices = read_choices()
        if not self._refreshable:
            return choices
        return refreshed(choices, _answered(self._refreshable), run=self._run)

    def of(self, gen_id: str) -> Choice:
        """Return the choice of a generation."""
        return self._chosen.get(gen_id, FIRST)

    def refreshes(self, gen_ids: Iterable[str]) -> bool:
        """Tell whether any of these generations is to have a new answer."""
        return any(name in self._refreshable for name in gen_ids)

    def only_look(self) -> None:
        """Ignore `refresh`: ask for no new answer."""
        self._chosen = read_choices()

    def choose(self, requested: Iterable[str]) -> None:
        """Write down which of the requested generations are to have a new answer.

        Jobs call it before they ask. So a run that only reads leaves no trace, and a run that ends
        early has recorded what it was to do.
        """
        rows = {name: self._refreshable[name] for name in requested if name in self._refreshable}
        if rows:
            self._chosen.update(commit_refresh(_answered(rows), run=self._run))


def _answered(rows: Mapping[str, Generation]) -> dict[str, list[int]]:
    return {name: answered_samples(row.stage, row.gen_id) for name, row in rows.items()}

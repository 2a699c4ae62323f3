"""Several judges as one: the score of a text by the rule that the setting `panel` states.

    adjusted   the mean over its judges, each less its bias (`judges`)
    mean       the mean over its judges
    median     the median over its judges: one judge who is far off does not move it

A judge counts once, by the mean of its replicates. The last two take the judges as they are: a
lenient one raises the score of what it has judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from daydream.analysis.judges import JudgeEffects, judge_effects

ADJUSTED, MEDIAN = "adjusted", "median"


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A panel of judges: its rule, and how lenient each judge is, whether or not that counts."""

    rule: str
    effects: JudgeEffects

    @property
    def judges(self) -> JudgeEffects:
        """The effects that the rule takes off the judges' scores: all zero unless it adjusts."""
        return self.effects if self.rule == ADJUSTED else self.effects.disregarded()

    def plain(self, found: pd.DataFrame) -> pd.Series[float]:
        """Return the score of each parent of `cells` before biases are taken off, by parent."""
        return self._joined(found["value"], found)

    def scores(self, found: pd.DataFrame) -> pd.Series[float]:
        """Return the score of each parent of `cells` by the rule, by parent."""
        return self._joined(self.judges.adjusted(found), found)

    def _joined(self, values: pd.Series[float], found: pd.DataFrame) -> pd.Series[float]:
        by_parent = values.groupby(found["parent"], sort=False)
        return by_parent.median() if self.rule == MEDIAN else by_parent.mean()


def panel_of(found: pd.DataFrame, rule: str) -> Panel:
    """Return the panel of the judges of `cells`."""
    return Panel(rule=rule, effects=judge_effects(found))

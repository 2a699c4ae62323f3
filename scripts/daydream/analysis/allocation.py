"""What a comparison could tell with more combos, texts, judges or replicates, and at what cost.

From the variance components of the scores (`variance`), the width of an interval for new combos
follows for any design (a decision study: Brennan, Generalizability Theory, 2001). The difference of
two levels of a dimension has the variance

    2 · (combo + (text + (residual + replicate / replicates) / judges) / texts) / combos
      + 2 · judge / judges, if other judges than those at hand are to be spoken of

with the components of `Components`. Two levels start from the same text, so what was made before
the dimension's stage does not count. `texts` are those per level and combo, each taken to vary on
its own, also where several come from one draft; `judges` are those of each text. What is at hand
is what the levels that can be compared (`comparisons`) share.

What a difference must be to be found four times in five follows from the same standard error
(Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from daydream.analysis.comparisons import Compared, compared
from daydream.analysis.jackknife import LEVEL, MIN_COMBOS
from daydream.analysis.panels import ADJUSTED
from daydream.analysis.scores import Scores
from daydream.analysis.variance import variance

POWER = 0.8
# What is tried: multiples of the combos at hand, and numbers of texts and of replicates.
COMBOS = (1, 2, 4, 8)
TEXTS = (1, 2, 4, 8)
REPLICATES = (1, 2, 4)
# What the cheapest designs are looked for among.
REPEATS = (1, 2, 3, 4)
COLUMNS = [
    *("dimension", "combos", "texts", "judges", "replicates", "at_hand"),
    *("half_width", "detectable", "written", "evaluations", "usd"),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Components:
    """The variances that a difference of two levels has part in, in squared points of the scale.

    combo      how far a level varies from combo to combo, beyond what all levels do
    text       how far texts of one combo and recipe differ
    judge      how far a level varies from judge to judge; 0 if only these judges count
    residual   what a judge finds in a text beyond that
    replicate  how far repeated judgements of a text by a judge differ
    """

    combo: float = 0.0
    text: float = 0.0
    judge: float = 0.0
    residual: float = 0.0
    replicate: float = 0.0


class Costs(NamedTuple):
    """USD per text, with its drafts, and per judgement; NaN if unknown."""

    text: float = np.nan
    judgement: float = np.nan


class Design(NamedTuple):
    """How much is made of each level: combos, texts per combo, judges, replicates of each judge."""

    combos: int
    texts: int
    judges: int
    replicates: int


def half_width(components: Components, design: Design) -> float:
    """Return half of the width to expect of the interval of a difference, in points."""
    return _reach(design) * _error(components, design)


def detectable(components: Components, design: Design) -> float:
    """Return the difference that is found with a probability of 80 %, in points."""
    power = float(stats.t.ppf(POWER, design.combos - 1))
    return (_reach(design) + power) * _error(components, design)


def _reach(design: Design) -> float:
    return float(stats.t.ppf(0.5 + LEVEL / 2, design.combos - 1))


def _error(components: Components, design: Design) -> float:
    combos, texts, judges, replicates = design
    noise = (components.residual + components.replicate / replicates) / judges
    one = (components.combo + (components.text + noise) / texts) / combos
    return float(np.sqrt(2 * (one + components.judge / judges)))


def record(components: Components, costs: Costs, design: Design) -> dict[str, object]:
    """Return a design with what it tells, and what a pair of levels needs."""
    combos, texts, judges, replicates = design
    written = 2 * combos * texts
    judged = written * judges * replicates
    return {
        **design._asdict(),
        "half_width": half_width(components, design),
        "detectable": detectable(components, design),
        "written": written,
        "evaluations": judged,
        "usd": written * costs.text + judged * costs.judgement,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What is known of the comparison of a dimension's levels; `at_hand` is the present design.

    `repeated`: there are repeated judgements. Otherwise nothing tells how far they would differ.
    """

    dimension: str
    components: Components
    costs: Costs
    at_hand: Design | None
    repeated: bool = True


def comparisons_of(scores: Scores) -> list[Comparison]:
    """Return the dimensions of the recipes that can be compared and have a component, in order."""
    table = variance(scores)
    found = dict(zip(table["component"], table["variance"].astype(float), strict=True))
    rows = scores.scored
    texts = rows.drop_duplicates("parent")
    costs = Costs(
        text=float(texts["parent_usd"].mean()),
        judgement=float(pd.to_numeric(rows["usd"], errors="coerce").mean()),
    )
    # Components are of single judges, whatever the rule of the panel.
    dimensions = {each.dimension: each for each in compared(replace(scores, panel=ADJUSTED))}
    known = []
    for index, stage in enumerate(scores.stages[:-1]):
        made = [later.name for later in scores.stages[index:-1]]
        for dimension in stage.dimensions:
            names = [f"combo_id:{dimension}", *made, f"judge:{dimension}", "residual", "replicate"]
            parts = {name: found.get(name, np.nan) for name in names}
            # What texts and combos contribute: of a single combo, that of texts is in the levels.
            own = [parts[name] for name in (f"combo_id:{dimension}", *made)]
            if np.isnan(own).all() or not np.nansum([*parts.values()]) > 0:
                continue
            at_hand = _shared(dimensions[dimension])
            if at_hand is None:
                continue
            # A component that the design cannot tell from another is in that other one.
            told = {name: 0.0 if np.isnan(value) else value for name, value in parts.items()}
            known.append(
                Comparison(
                    dimension=dimension,
                    components=Components(
                        combo=told[f"combo_id:{dimension}"],
                        text=sum(told[name] for name in made),
                        judge=told[f"judge:{dimension}"],
                        residual=told["residual"],
                        replicate=told["replicate"],
                    ),
                    costs=costs,
                    at_hand=at_hand,
                    repeated=not np.isnan(parts["replicate"]),
                )
            )
    return known


def _shared(what: Compared) -> Design | None:
    """Return what two levels share, as a mean over the pairs that do; None if none do."""
    dimension = what.dimension
    cells = what.rows.assign(cell=what.rows.groupby(what.matched, sort=False).ngroup())
    there = cells.groupby(["cell", dimension]).size().unstack(dimension)
    there = there.reindex(columns=what.levels).notna()
    designs = []
    for level, other in combinations(what.levels, 2):
        both = there.index[there[level] & there[other]]
        if both.empty:
            continue
        shared = cells[cells["cell"].isin(both) & cells[dimension].isin([level, other])]
        # A copied text stands once beside each model.
        shared = shared.drop_duplicates("gen_id")
        combos, texts = shared["combo_id"].nunique(), shared["parent"].nunique()
        judged = len(shared[["parent", "judge"]].drop_duplicates())
        designs.append((combos, texts / (2 * combos), judged / texts, len(shared) / judged))
    if not designs:
        return None
    combos, texts, judges, replicates = np.mean(designs, axis=0)
    return Design(round(combos), *(max(1, round(mean)) for mean in (texts, judges, replicates)))


def allocation(scores: Scores) -> pd.DataFrame:
    """Return a row per dimension of the recipes and number of combos, texts and replicates.

    The judges are those at hand. `half_width` is half of the expected interval of the difference of
    two levels, `detectable` the difference that is found with a probability of 80 %. `written`
    texts, `evaluations` and `usd` are those of one pair of levels. Dimensions of which no two
    levels share a cell, or without a component for what combos and texts contribute, have no rows,
    and none has where all scores are equal.
    """
    records = [row for comparison in comparisons_of(scores) for row in _designs(comparison)]
    table = pd.DataFrame(records, columns=COLUMNS)
    return table.assign(score_min=scores.low, score_max=scores.high)


def _designs(comparison: Comparison) -> Iterator[dict[str, object]]:
    here = comparison.at_hand
    if here is None:
        return
    components = replace(comparison.components, judge=0.0)
    repeats = REPLICATES if comparison.repeated else ()
    for times, texts, replicates in product(
        COMBOS, sorted({*TEXTS, here.texts}), sorted({*repeats, here.replicates})
    ):
        design = Design(times * here.combos, texts, here.judges, replicates)
        if design.combos >= MIN_COMBOS:
            yield {
                "dimension": comparison.dimension,
                **record(components, comparison.costs, design),
                "at_hand": "yes" if design == here else "",
            }


# More combos than this are not looked for.
MOST_COMBOS = 10_000


def cheapest(
    components: Components,
    costs: Costs,
    *,
    wanted: float,
    judges: Sequence[int],
    texts: Sequence[int] = (1, 2, 3, 4, 6, 8),
    replicates: Sequence[int] = REPEATS,
) -> list[dict[str, object]]:
    """Return the designs whose interval is as narrow as `wanted`, the cheapest first.

    For each number of texts, judges and replicates, that is the one with the fewest combos. Without
    costs, the first is the one with the fewest calls.
    """
    records = []
    for number in product(texts, judges, replicates):
        combos = _combos_for(components, wanted, *number)
        if combos is not None:
            records.append(record(components, costs, Design(combos, *number)))
    return sorted(records, key=_price)


def _combos_for(
    components: Components, wanted: float, texts: int, judges: int, replicates: int
) -> int | None:
    """Return the fewest combos for a half width; None if not even `MOST_COMBOS` are enough."""

    def is_enough(combos: int) -> bool:
        return half_width(components, Design(combos, texts, judges, replicates)) <= wanted

    if not is_enough(MOST_COMBOS):
        return None
    low, high = MIN_COMBOS - 1, MOST_COMBOS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _price(row: dict[str, object]) -> tuple[float, float, float]:
    """Return what designs are sorted by: their cost, or else their calls."""
    usd, written, judged = (float(str(row[name])) for name in ("usd", "written", "evaluations"))
    calls = written + judged
    return (calls if np.isnan(usd) else usd), calls, float(str(row["combos"]))

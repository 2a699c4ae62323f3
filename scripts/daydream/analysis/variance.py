"""Where the variance of the scores comes from: components of a random-effects model.

    score = mean + combo + template, model, … of each stage + judge + each generation
            + combo × … + judge × … + residual + replicate

Every dimension is a random effect. A stage's generations (``draft``, ``essay``) differ by what
nothing else in the model says: replicates, and how templates and models of several stages suit each
other. ``combo_id:essay_template`` is how the templates suit some combos better than others,
``judge:essay_template`` how judges differ in what they prefer. `residual` is what a judge finds in
a text beyond that; `replicate` is how far repeated judgements of one text by one judge differ.

The estimates and intervals are those of `reml`. Which components the design can tell apart is
decided before, by the expected sums of squares of each factor (Searle, Casella and McCulloch,
Variance Components, 1992, chapter 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daydream.analysis.jackknife import NEGLIGIBLE, Array
from daydream.analysis.reml import Codes, fitted, interval, standard_errors
from daydream.analysis.scores import Scores

# Equations nearer to singular than this have no solution to speak of.
MAX_CONDITION = 1e8
COLUMNS = ["component", "levels", "df", "variance", "ci_low", "ci_high", "share", "note"]


def variance(scores: Scores) -> pd.DataFrame:
    """Return a row per component, its variance in squared points of the scale of `value`."""
    table = _estimated(scores)
    # Nothing on a bounded scale varies more than half of it at one end, half at the other.
    high = table["ci_high"].clip(upper=(scores.high - scores.low) ** 2 / 4)
    return table.assign(ci_high=high, score_min=scores.low, score_max=scores.high)


# Two tables need it, and for 100,000 scores it takes most of the time of all tables.
@lru_cache(maxsize=2)
def _estimated(scores: Scores) -> pd.DataFrame:
    rows = scores.scored
    return components(rows["value"].to_numpy(dtype=float), _factors(scores, rows))


def _factors(scores: Scores, rows: pd.DataFrame) -> dict[str, Codes]:
    """Return the codes of each factor's levels; what varies nowhere has no interactions."""
    names = ["combo_id", *scores.dimensions]
    factors: dict[str, Codes] = {name: pd.factorize(rows[name])[0] for name in names}
    factors["judge"] = pd.factorize(rows["judge"])[0]
    for stage in scores.stages[:-1]:
        factors[stage.name] = pd.factorize(rows[stage.gen_id])[0]
    crossed = ["combo_id"] if len(scores.judges) < 2 else ["combo_id", "judge"]
    for name in scores.recipe:
        if rows[name].nunique() > 1:
            for other in crossed:
                pairs = rows.groupby([other, name], sort=False).ngroup()
                factors[f"{other}:{name}"] = pairs.to_numpy(dtype=np.int64)
    cell = rows.groupby(["parent", "judge"], sort=False).ngroup()
    factors["residual"] = cell.to_numpy(dtype=np.int64)
    factors["replicate"] = np.arange(len(rows))
    return factors


def components(values: Array, factors: Mapping[str, Codes]) -> pd.DataFrame:
    """Return the variance component of each factor: its levels as codes from 0, one per value.

    A factor that nothing tells apart from earlier ones has no variance but a `note`. The last
    factor has a level for each value.
    """
    names = list(factors)
    layout = _layout(list(factors.values()), len(values))
    kept = _separable(layout)
    table = pd.DataFrame({"component": names, "levels": layout.levels}, columns=COLUMNS)
    numbers = ["df", "variance", "ci_low", "ci_high", "share"]
    table[numbers] = table[numbers].astype(float)
    table["note"] = _notes(layout, kept, names)
    error = [k for k in kept if layout.levels[k] == len(values)]
    if not error:
        return table
    random = [k for k in kept if k not in error]
    df = _equations(layout, [*random, *error]).df
    table.loc[[*random, *error], "df"] = df
    if np.ptp(values) <= NEGLIGIBLE * np.abs(values).max():
        table.loc[kept, "variance"] = 0.0
        return table
    found, errors = _fitted(values, [layout.codes[k] for k in random])
    intervals = map(interval, found.tolist(), errors.tolist(), df.tolist())
    table.loc[[*random, *error], "variance"] = found
    table.loc[[*random, *error], ["ci_low", "ci_high"]] = list(intervals)
    table.loc[kept, "share"] = table.loc[kept, "variance"] / found.sum()
    return table


def _fitted(values: Array, factors: list[Codes]) -> tuple[Array, Array]:
    """Return the variances of factors and of the error, and their standard errors.

    A last factor that all others are constant within, such as the judged texts by judge of repeated
    judgements, is not fitted as such: it would have most of all levels. The error is the variance
    within its levels, and the rest is fitted to their means, whose error is the factor's variance
    and its share of the error. With equally many values per level this is the same.
    """
    if not factors:
        found = fitted(values, factors)
        return found, standard_errors(values, factors, found)
    cell = factors[-1]
    sizes = np.bincount(cell)
    first = np.unique(cell, return_index=True)[1]
    constant = all((codes == codes[first][cell]).all() for codes in factors[:-1])
    if not constant or len(sizes) < len(values) / 4:
        found = fitted(values, factors)
        return found, standard_errors(values, factors, found)
    means = np.bincount(cell, weights=values) / sizes
    df = len(values) - len(sizes)
    error = float(((values - means[cell]) ** 2).sum()) / df
    outer = [codes[first] for codes in factors[:-1]]
    found = fitted(means, outer)
    errors = standard_errors(means, outer, found)
    part = error * float((1 / sizes).mean())
    own = np.sqrt(2 / df) * error
    spread = np.hypot(errors[-1], np.sqrt(2 / df) * part)
    variances = np.array([*found[:-1], max(0.0, found[-1] - part), error])
    return variances, np.array([*errors[:-1], spread, own])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """How the levels of the factors meet.

    `weights[k, j]` is what one unit of variance of factor j adds to the expected sum of squares of
    factor k about the mean; `refines[k, j]` tells whether each level of k lies in one level of j.
    """

    codes: list[Codes]
    sizes: list[Codes]
    levels: Codes
    weights: Array
    refines: NDArray[np.bool_]


def _layout(factors: list[Codes], n: int) -> _Layout:
    sizes: list[Codes] = [np.bincount(codes) for codes in factors]
    levels = np.array([len(size) for size in sizes])
    weights = np.zeros((len(factors), len(factors)))
    refines = np.zeros(weights.shape, dtype=bool)
    for k, first in enumerate(factors):
        for j, second in enumerate(factors[: k + 1]):
            met, counts = np.unique(first * levels[j] + second, return_counts=True)
            in_first, in_second = np.divmod(met, levels[j])
            weights[k, j] = (counts**2 / sizes[k][in_first]).sum()
            weights[j, k] = (counts**2 / sizes[j][in_second]).sum()
            refines[k, j], refines[j, k] = len(met) == levels[k], len(met) == levels[j]
    means = np.array([(size**2).sum() / max(n, 1) for size in sizes])
    return _Layout(
        codes=factors, sizes=sizes, levels=levels, weights=weights - means, refines=refines
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Equations:
    """What the sums of squares of some factors tell of their variances.

    A factor's sum of squares about the mean is the sum of its own and of those of all factors that
    it refines: ``nesting @ own``. ``expected @ variances`` is what its own are expected to be.
    """

    codes: list[Codes]
    sizes: list[Codes]
    nesting: Array
    expected: Array
    df: Array


def _equations(layout: _Layout, kept: list[int]) -> _Equations:
    here = np.ix_(kept, kept)
    nesting = layout.refines[here].astype(float)
    return _Equations(
        codes=[layout.codes[k] for k in kept],
        sizes=[layout.sizes[k] for k in kept],
        nesting=nesting,
        expected=np.linalg.solve(nesting, layout.weights[here]),
        df=np.linalg.solve(nesting, layout.levels[kept] - 1.0),
    )


def _separable(layout: _Layout) -> list[int]:
    """Return the factors that can be told from those before them."""
    kept: list[int] = []
    for k in range(len(layout.levels)):
        if layout.levels[k] < 2 or _twin(layout, kept, k) is not None:
            continue
        equations = _equations(layout, [*kept, k])
        scales = np.diag(equations.expected)
        if (equations.df < 0.5).any() or (scales <= 0).any():
            continue
        # Mean squares, and variances in units of what they add to their own mean square.
        by_own = equations.expected / np.outer(equations.df, scales / equations.df)
        if np.linalg.cond(by_own) < MAX_CONDITION:
            kept.append(k)
    return kept


def _twin(layout: _Layout, kept: list[int], k: int) -> int | None:
    """Return the kept factor that has the same levels as factor k under other names."""
    return next((j for j in kept if layout.refines[k, j] and layout.refines[j, k]), None)


def _notes(layout: _Layout, kept: list[int], names: list[str]) -> list[str]:
    """Say of each factor without a variance why, and of its twin that it has both of theirs."""
    notes = [""] * len(names)
    included: dict[int, list[str]] = {}
    for k in range(len(names)):
        if k in kept:
            continue
        twin = _twin(layout, kept, k)
        if layout.levels[k] < 2:
            notes[k] = "needs two levels"
        elif twin is None:
            notes[k] = "cannot be told from the others"
        else:
            notes[k] = f"cannot be told from {names[twin]}"
            included.setdefault(twin, []).append(names[k])
    for k, others in included.items():
        notes[k] = f"includes {', '.join(others)}"
    return notes

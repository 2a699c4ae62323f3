"""Where the variance of the scores comes from: components of a random-effects model.

    score = mean + combo + template, model, … of each stage + each generation + residual + replicate

Every dimension is a random effect. A stage's generations (``draft``, ``essay``) differ by what
their dimensions do not say: replicates, and how combos, templates and models suit each other.
`residual` is what a judge finds in a text beyond the judge's own level and the text's; `replicate`
is how far repeated judgements of one text by one judge differ.

The estimator is Henderson's Method I (Henderson, Estimation of Variance and Covariance Components,
Biometrics 9, 1953; Searle, Casella and McCulloch, Variance Components, 1992, chapter 5): the sums
of squares of a balanced analysis of variance, set equal to what they are expected to be in the data
at hand. In a balanced design it is the analysis of variance; in any other it stays unbiased. It
takes nothing but counts, so it serves 100,000 rows, for which the restricted maximum likelihood of
statsmodels would need a matrix of 100,000 × 100,000. An estimate below zero is set to zero, as is
usual in generalizability theory (Brennan, Generalizability Theory, 2001).

The intervals are generalized confidence intervals (Weerahandi, Generalized Confidence Intervals,
Journal of the American Statistical Association 88, 1993; Burdick, Borror and Montgomery, Design and
Analysis of Gauge R&R Studies, 2005): the same equations, solved for sums of squares that are drawn
from chi-square distributions. In a design with gaps a sum of squares varies more than its degrees
of freedom say; those of the draws are matched to the variance it has when scores are simulated with
the estimated components (Satterthwaite, An Approximate Distribution of Estimates of Variance
Components, Biometrics Bulletin 2, 1946). The effects are supposed to be normal. There is no
interval for fewer than `MIN_DF` degrees of freedom, whose upper end would be anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daydream.analysis.resampling import LEVEL, NEGLIGIBLE, NO_INTERVAL, SEED, Array, Interval
from daydream.analysis.scores import Scores

# Equations nearer to singular than this have no solution to speak of.
MAX_CONDITION = 1e8
MIN_DF = 2
DRAWS = 10_000
SIMULATIONS = 200
COLUMNS = ["component", "levels", "df", "variance", "ci_low", "ci_high", "share", "note"]

Codes = NDArray[np.integer[Any]]


def variance(scores: Scores) -> pd.DataFrame:
    """Return a row a component, its variance in squared points of the scale of `value`."""
    rows = scores.scored
    names = ["combo_id", *scores.dimensions]
    factors: dict[str, Codes] = {name: pd.factorize(rows[name])[0] for name in names}
    for stage in scores.stages[:-1]:
        factors[stage.name] = pd.factorize(rows[stage.gen_id])[0]
    cell = rows.groupby(["parent", "judge"], sort=False).ngroup()
    factors["residual"] = cell.to_numpy(dtype=np.int64)
    factors["replicate"] = np.arange(len(rows))
    table = components(rows["value"].to_numpy(dtype=float), factors)
    # Nothing on a bounded scale varies more than half of it at one end, half at the other.
    table["ci_high"] = table["ci_high"].clip(upper=(scores.high - scores.low) ** 2 / 4)
    return table.assign(score_min=scores.low, score_max=scores.high)


def components(values: Array, factors: Mapping[str, Codes]) -> pd.DataFrame:
    """Return the variance component of each factor: the codes of its levels from 0, a row a value.

    A factor that nothing tells apart from earlier ones has no variance but a `note`.
    """
    names = list(factors)
    layout = _layout(list(factors.values()), len(values))
    kept = _separable(layout)
    table = pd.DataFrame({"component": names, "levels": layout.levels}, columns=COLUMNS)
    numbers = ["df", "variance", "ci_low", "ci_high", "share"]
    table[numbers] = table[numbers].astype(float)
    table["note"] = _notes(layout, kept, names)
    if not kept:
        return table
    equations = _equations(layout, kept)
    squares = equations.squares(values)
    found = np.linalg.solve(equations.expected, squares).clip(min=0)
    intervals = _intervals(equations, squares, _effective_df(equations, found))
    table.loc[kept, "df"] = equations.df
    table.loc[kept, "variance"] = found
    table.loc[kept, ["ci_low", "ci_high"]] = intervals
    if found.any():
        table.loc[kept, "share"] = found / found.sum()
    return table


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

    def squares(self, values: Array) -> Array:
        """Return each factor's own sum of squares."""
        centred = values - values.mean()
        about_mean = [
            (np.bincount(codes, weights=centred) ** 2 / size).sum()
            for codes, size in zip(self.codes, self.sizes, strict=True)
        ]
        return np.linalg.solve(self.nesting, np.array(about_mean))


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


def _effective_df(equations: _Equations, variances: Array) -> Array:
    rng = np.random.default_rng(SEED)
    simulated = np.empty((SIMULATIONS, len(variances)))
    for squares in simulated:
        values = np.zeros(len(equations.codes[0]))
        for codes, size, found in zip(equations.codes, equations.sizes, variances, strict=True):
            values += rng.normal(0.0, np.sqrt(found), len(size))[codes]
        squares[:] = equations.squares(values)
    mean, spread = simulated.mean(axis=0), simulated.var(axis=0, ddof=1)
    # Where nothing varies but by rounding there is nothing to match.
    varies = spread > (NEGLIGIBLE * mean.max()) ** 2
    matched = np.divide(2 * mean**2, spread, out=equations.df.copy(), where=varies)
    return np.asarray(np.minimum(matched, equations.df))


def _intervals(equations: _Equations, squares: Array, df: Array) -> list[Interval]:
    draws = np.random.default_rng(SEED).chisquare(df, size=(DRAWS, len(df)))
    drawn = (df * squares.clip(min=0) / draws).T
    variances = np.linalg.solve(equations.expected, drawn).clip(min=0)
    tail = (1 - LEVEL) / 2
    ends = np.quantile(variances, [tail, 1 - tail], axis=1).T
    return [
        Interval(low, high) if high > low and freedom >= MIN_DF else NO_INTERVAL
        for (low, high), freedom in zip(ends.tolist(), equations.df.round(), strict=True)
    ]

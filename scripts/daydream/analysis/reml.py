"""Variance components of crossed and nested random effects by restricted maximum likelihood (REML).

    value = mean + one random effect per factor + error

The estimates are those of `mixedlm`, which agrees with R's lme4 in published examples. Their
standard errors come from the information at the estimates: the expected one for factors of few
levels, the average information for the others (Gilmour, Thompson and Cullis, Average Information
REML, Biometrics 51, 1995), which takes one sparse factorization of the mixed model equations.

An interval takes an estimate for the difference of two mean squares, of which the first varies like
a chi-square with the factor's degrees of freedom (Satterthwaite, An Approximate Distribution of
Estimates of Variance Components, Biometrics Bulletin 2, 1946; Burdick and Graybill, Confidence
Intervals on Variance Components, 1992). The effects are supposed to be normal.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import mixedlm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse, stats
from scipy.sparse.linalg import splu

from daydream.analysis.jackknife import LEVEL, NO_INTERVAL, Array, Interval

Codes = NDArray[np.integer[Any]]

# Fewer would put the upper end anywhere.
MIN_DF = 2
# The search stops where the criterion changes by less than its tenth digit, as no table shows more.
CONTROL = mixedlm.lmerControl(optimizer="L-BFGS-B", use_analytic_gradient=True, ftol=1e-10)
# Factors of so few levels take the expected information.
FEW_LEVELS = 300
# Values that differ by less than this part of them are equal, but for rounding.
EQUAL = 1e-12
# Less than this part of all variance is none.
NOTHING = 1e-7


def fitted(values: Array, factors: Sequence[Codes]) -> Array:
    """Return the variance of each factor and, last, of the error.

    Each factor has the level of each value, from 0. Values that are all equal have no variance,
    where the library finds no estimate.
    """
    if np.ptp(values) <= EQUAL * np.abs(values).max():
        return np.zeros(len(factors) + 1)
    with warnings.catch_warnings():
        # That a factor has few levels: its interval says so.
        warnings.simplefilter("ignore")
        names = [f"f{k}" for k in range(len(factors))]
        frame = pd.DataFrame(dict(zip(names, factors, strict=True))).astype(str)
        frame["value"] = values
        formula = " + ".join(["value ~ 1", *(f"(1|{name})" for name in names)])
        fit = mixedlm.lmer(formula, frame, control=CONTROL)
    # A level's standard deviation relative to the error's.
    relative = np.asarray(fit.theta, dtype=float)
    error = float(fit.sigma) ** 2
    return np.append(relative**2 * error, error)


def standard_errors(values: Array, factors: Sequence[Codes], variances: Array) -> Array:
    """Return the standard error of each variance that `fitted` returned, in its order.

    Where nothing varies, there is nothing to be wrong about.
    """
    if not variances.any():
        return np.zeros(len(variances))
    n = len(values)
    error = variances[-1]
    kept = [k for k, v in enumerate(variances[:-1]) if v > NOTHING * variances.sum()]
    incidence = [_incidence(each, n) for each in factors]
    columns = [sparse.csr_matrix(np.ones((n, 1))), *(incidence[k] for k in kept)]
    design = sparse.hstack(columns).tocsc()
    penalty = np.concatenate(
        [[0.0], *(np.full(incidence[k].shape[1], error / variances[k]) for k in kept)]
    )
    factorized = splu((design.T @ design + sparse.diags(penalty)).tocsc())

    def projected(vector: Array) -> Array:
        """Return P · vector, with P = V⁻¹ − V⁻¹1(1'V⁻¹1)⁻¹1'V⁻¹."""
        found: Array = (vector - design @ factorized.solve(design.T @ vector)) / error
        return found

    residual = projected(values)
    moved = [*(each @ (each.T @ residual) for each in incidence), residual]
    back = [projected(each) for each in moved]
    information = np.array([[0.5 * float(a @ b) for b in back] for a in moved])
    for k, each in enumerate(incidence):
        if each.shape[1] <= FEW_LEVELS:
            spread = projected(each.toarray())
            shared = [float(np.sum((other.T @ spread) ** 2)) for other in incidence]
            information[k] = information[:, k] = 0.5 * np.array([*shared, np.sum(spread**2)])
    inverse = np.linalg.pinv(information, hermitian=True)
    found: Array = np.sqrt(np.diag(inverse).clip(min=0))
    return found


def interval(variance: float, error: float, df: float) -> Interval:
    """Return the interval of a variance with its standard error.

    `df` are the degrees of freedom that a balanced design of the same size would have; there is no
    interval for fewer than `MIN_DF`.
    """
    if df < MIN_DF or not error > 0:
        return NO_INTERVAL
    tail = (1 - LEVEL) / 2
    # The mean square in units of the variance, and the part of it that is not the factor's.
    square = max(error * np.sqrt(df / 2), variance)
    rest = square - variance
    high, low = square * df / stats.chi2.ppf([tail, 1 - tail], df)
    return Interval(max(0.0, float(low - rest)), max(0.0, float(high - rest)))


def _incidence(codes: Codes, n: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(n), (np.arange(n), codes)), shape=(n, int(codes.max()) + 1))

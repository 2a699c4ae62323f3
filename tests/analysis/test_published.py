"""The statistics agree with published worked examples and with the packages that offer them."""

from __future__ import annotations

import krippendorff
import mixedlm
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from daydream.analysis.agreement import alpha, pearson
from daydream.analysis.comparisons import holm
from daydream.analysis.jackknife import MIN_COMBOS, NO_INTERVAL, mean_of
from daydream.analysis.judges import judge_effects
from daydream.analysis.ordinal import ac2
from daydream.analysis.reml import fitted
from daydream.analysis.strata import mean_within
from daydream.analysis.variance import components

# How mixedlm reads its data sets.
reading = pytest.mark.filterwarnings("ignore:The 'float_precision'")
# What statsmodels' regressions say of the pandas that is installed, when they are imported.
pandas_deprecations = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011: four coders, twelve units.
KRIPPENDORFF = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
# Shrout and Fleiss, Intraclass Correlations, Psychological Bulletin 86, 1979, table 2: six targets
# (a row each), four judges.
SHROUT_FLEISS = ["9 2 5 8", "6 1 3 2", "8 4 6 8", "7 1 2 6", "10 5 6 9", "6 2 4 7"]
# Darwin's plants, crossed less selfed, in eighths of an inch: Fisher, The Design of Experiments,
# 1935, sections 17 and 21.
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
# lme4's estimates of variances in data sets that it and mixedlm carry: Bates, Mächler, Bolker and
# Walker, Fitting Linear Mixed-Effects Models Using lme4, Journal of Statistical Software 67, 2015,
# and lme4's own documentation. Each with its factors; the error is last.
LME4 = {
    "dyestuff": ("Yield", ["Batch"], [1764.05, 2451.25]),
    "penicillin": ("diameter", ["plate", "sample"], [0.71691, 3.73092, 0.30242]),
    "pastes": ("strength", ["batch", "sample"], [1.6573, 8.4337, 0.6780]),
}


def ratings(table: np.ndarray) -> pd.DataFrame:
    """Return the values of a table of coders (rows) by units, each unit of its own combo."""
    coder, unit = np.nonzero(~np.isnan(table))
    names = pd.Series(unit).map("u{}".format)
    return pd.DataFrame(
        {"parent": names, "combo_id": names, "judge": coder, "value": table[coder, unit]}
    )


def clusters(values: list[float]) -> tuple[pd.Series, pd.Series]:
    return pd.Series(range(len(values))), pd.Series(values, dtype=float)


def test_alpha_of_krippendorffs_own_data() -> None:
    """Interval data: 0.849."""
    rows = KRIPPENDORFF.replace(".", "nan").strip().splitlines()
    table = np.array([line.split() for line in rows], dtype=float)
    assert round(alpha(ratings(table))[0], 3) == 0.849


def test_ac2_of_krippendorffs_own_data() -> None:
    """Quadratic weights: 0.914, as Gwet's own package irrCAC has it."""
    rows = KRIPPENDORFF.replace(".", "nan").strip().splitlines()
    table = np.array([line.split() for line in rows], dtype=float)
    value, interval = ac2(ratings(table), low=1, high=5)
    assert value == pytest.approx(0.91400, abs=5e-6)
    assert interval.low < value < interval.high <= 1
    assert np.isnan(ac2(ratings(table), low=0.5, high=5)[0])


def test_alpha_equals_the_package() -> None:
    """With gaps, means of replicates and units of a single value."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        table = rng.normal(0, 1, 15) + rng.normal(0, 0.8, (4, 15)).round(1)
        table[rng.random(table.shape) < 0.4] = np.nan
        expected = krippendorff.alpha(table, level_of_measurement="interval")
        assert alpha(ratings(table))[0] == pytest.approx(expected, abs=1e-12)


def test_variance_components_of_shrout_and_fleiss() -> None:
    """Mean squares 11.24, 32.49 and 1.02 give the components, and ICC(2,1) = 0.29."""
    table = np.array([row.split() for row in SHROUT_FLEISS], dtype=float)
    target, judge = np.indices(table.shape).reshape(2, -1)
    factors = {"target": target, "judge": judge, "residual": np.arange(table.size)}
    found = components(table.ravel(), factors).set_index("component")
    assert found["df"].tolist() == pytest.approx([5, 3, 15])
    expected = [(11.24 - 1.02) / 4, (32.49 - 1.02) / 6, 1.02]
    assert found["variance"].tolist() == pytest.approx(expected, abs=0.005)
    assert round(found.loc["target", "share"], 2) == 0.29


@pandas_deprecations
def test_variance_components_equal_restricted_maximum_likelihood() -> None:
    """In a balanced design, where no estimate is negative, statsmodels finds the same."""
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(3)
    root = np.repeat(np.arange(12), 5)
    values = rng.normal(0, 1, 12)[root] + rng.normal(0, 0.7, 60)
    found = components(values, {"root": root, "residual": np.arange(60)})
    frame = pd.DataFrame({"value": values, "root": root})
    fit = smf.mixedlm("value ~ 1", frame, groups="root").fit(reml=True)
    expected = [float(fit.cov_re.iloc[0, 0]), fit.scale]
    assert found["variance"].tolist() == pytest.approx(expected, rel=1e-3)


@reading
@pytest.mark.parametrize("name", LME4)
def test_variances_equal_those_of_lme4(name: str) -> None:
    """To four digits: one factor, two crossed, and one nested in another."""
    value, factors, expected = LME4[name]
    data = getattr(mixedlm, f"load_{name}")()
    codes = [pd.factorize(data[factor])[0] for factor in factors]
    found = fitted(data[value].to_numpy(dtype=float), codes)
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


@reading
def test_repeated_values_are_fitted_by_their_means() -> None:
    """Batches and their replicates: the same as without this short cut."""
    data = mixedlm.load_dyestuff()
    factors = {"Batch": pd.factorize(data["Batch"])[0], "replicate": np.arange(len(data))}
    found = components(data["Yield"].to_numpy(dtype=float), factors)["variance"]
    assert found.tolist() == pytest.approx([1764.05, 2451.25], rel=1e-4)


def test_darwins_plants() -> None:
    """Fisher's t = 2.148 with 14 degrees of freedom, p = 0.0497; the interval leaves out zero."""
    estimate = mean_of(*clusters(DARWIN))
    assert estimate.value / estimate.error == pytest.approx(2.148, abs=0.0005)
    assert estimate.df == 14
    assert estimate.p_value == pytest.approx(0.0497, abs=0.00005)
    assert estimate.interval() == pytest.approx((0.03, 41.84), abs=0.005)


@pytest.mark.parametrize("n", [3, 8, 40])
def test_the_mean_of_single_values_is_students(n: int) -> None:
    """One value per combo: the t test of scipy."""
    values = np.random.default_rng(n).normal(0.4, 1, n)
    expected = stats.ttest_1samp(values, 0)
    estimate = mean_of(*clusters(list(values)))
    assert estimate.p_value == pytest.approx(expected.pvalue)
    assert estimate.interval() == pytest.approx(tuple(expected.confidence_interval()))


@pandas_deprecations
def test_the_mean_of_unequal_combos_has_the_cluster_robust_error() -> None:
    """CV3, the jackknife: that of a regression on a constant without each combo in turn."""
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    combos = np.repeat(np.arange(9), rng.integers(1, 9, 9))
    values = rng.normal(0, 1, 9)[combos] + rng.normal(0, 1, len(combos))
    without = [
        sm.OLS(values[combos != g], np.ones((combos != g).sum())).fit().params[0] for g in range(9)
    ]
    expected = np.sqrt(8 / 9 * ((without - np.mean(without)) ** 2).sum())
    assert mean_of(pd.Series(combos), pd.Series(values)).error == pytest.approx(expected)


def test_the_mean_of_these_combos_is_a_stratified_one() -> None:
    """Equal strata: the standard error of a fixed-effects regression; Cochran's formula."""
    rng = np.random.default_rng(3)
    combos = np.repeat(np.arange(4), 6)
    values = rng.normal(0, 5, 4)[combos] + rng.normal(0, 1, 24)
    within = sum(values[combos == g].var(ddof=1) for g in range(4)) / 4
    estimate = mean_within(pd.Series(combos), pd.Series(np.arange(24)), pd.Series(values))
    assert estimate.error == pytest.approx(np.sqrt(within / 24))
    assert estimate.df == 20


def test_holm() -> None:
    """That of statsmodels; a p-value that there is not does not count."""
    p_values = [0.01, 0.04, 0.03, 0.005]
    assert holm(p_values) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert holm([0.5]) == [0.5]
    adjusted = holm([0.01, float("nan"), 0.04])
    assert adjusted[::2] == pytest.approx([0.02, 0.04])
    assert np.isnan(adjusted[1])


@pandas_deprecations
def test_bias_equals_least_squares() -> None:
    """The effects of a regression on texts and judges, less their mean; with gaps."""
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(6)
    table = rng.normal(5, 1, 30) + rng.normal([[0], [0.5], [-1]], 0.7, (3, 30))
    table[rng.random(table.shape) < 0.2] = np.nan
    found = ratings(table)
    fit = smf.ols("value ~ C(parent) + C(judge)", found).fit()
    effects = np.array([0, fit.params["C(judge)[T.1]"], fit.params["C(judge)[T.2]"]])
    bias = judge_effects(found).bias.sort_index()
    assert bias.tolist() == pytest.approx(list(effects - effects.mean()))


def test_judges_that_share_no_text_have_no_bias() -> None:
    """And of two groups that share none, each sums to zero by itself."""
    alone = pd.DataFrame({"parent": ["a", "b"], "judge": ["x", "y"], "value": [1.0, 5.0]})
    assert judge_effects(alone.assign(combo_id="c")).bias.isna().all()
    groups = pd.DataFrame(
        {"parent": list("aabb"), "judge": list("wxyz"), "value": [1.0, 3.0, 5.0, 6.0]}
    )
    found = judge_effects(groups.assign(combo_id="c"))
    assert found.group.to_dict() == {"w": 1, "x": 1, "y": 2, "z": 2}
    assert found.bias.to_dict() == pytest.approx({"w": -1, "x": 1, "y": -0.5, "z": 0.5})


def test_correlation_equals_scipys() -> None:
    """And its interval holds it, within what a correlation can be."""
    rng = np.random.default_rng(7)
    x = rng.normal(0, 1, 12)
    y = x + rng.normal(0, 0.3, 12)
    combos = [f"c{n}" for n in range(12)]
    value, interval = pearson(pd.DataFrame({"combo_id": combos, "x": x, "y": y}))
    assert value == pytest.approx(stats.pearsonr(x, y).statistic)
    assert -1 <= interval.low < value < interval.high <= 1


def test_too_little_gives_no_interval() -> None:
    """Few combos, and values that do not vary; combos count, not scores."""
    codes, values = clusters([1.0, 2.0, 4.0] * 10)
    assert mean_of(codes, values).interval() != NO_INTERVAL
    few = mean_of(codes % (MIN_COMBOS - 1), values)
    assert np.isnan(few.interval()).all()
    assert np.isnan(few.p_value)
    assert np.isnan(mean_of(codes, values * 0 + 3).interval()).all()
    assert np.isnan(mean_within(codes, codes, values).interval()).all()


def test_more_combos_are_a_narrower_interval_and_more_texts_of_one_are_not() -> None:
    """Equal copies of a combo's scores add nothing, neither here nor there."""
    codes, values = clusters(list(np.random.default_rng(8).normal(5, 1, 20)))
    plain = mean_of(codes, values).interval()
    copied = mean_of(pd.concat([codes] * 5), pd.concat([values] * 5)).interval()
    assert copied == pytest.approx(plain)
    doubled = mean_of(pd.concat([codes, codes + 20]), pd.concat([values] * 2)).interval()
    assert doubled.high - doubled.low < 0.8 * (plain.high - plain.low)
    once = mean_within(codes // 5, codes, values).interval()
    twice = mean_within(
        pd.concat([codes // 5] * 2), pd.concat([codes] * 2), pd.concat([values] * 2)
    ).interval()
    assert twice == pytest.approx(once)

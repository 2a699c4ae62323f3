"""The statistics agree with published worked examples and with the packages that offer them."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from daydream.analysis.agreement import alpha, pearson
from daydream.analysis.comparisons import holm
from daydream.analysis.judges import judge_effects
from daydream.analysis.resampling import (
    MIN_CLUSTERS,
    NO_INTERVAL,
    RESAMPLES,
    bootstrap_interval,
    mean_interval,
    sign_flip_p,
)
from daydream.analysis.variance import components

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
# The controls of Efron and Tibshirani, An Introduction to the Bootstrap, 1993, table 2.1.
MICE = [52, 104, 146, 10, 51, 30, 40, 27, 46]


def ratings(table: np.ndarray) -> pd.DataFrame:
    """Return the values of a table of coders (rows) by units, each unit its own root."""
    coder, unit = np.nonzero(~np.isnan(table))
    names = pd.Series(unit).map("u{}".format)
    return pd.DataFrame(
        {"parent": names, "root": names, "judge": coder, "value": table[coder, unit]}
    )


def clusters(values: list[float]) -> tuple[pd.Series, pd.Series]:
    return pd.Series(range(len(values))), pd.Series(values, dtype=float)


def test_alpha_of_krippendorffs_own_data() -> None:
    """Interval data: 0.849."""
    rows = KRIPPENDORFF.replace(".", "nan").strip().splitlines()
    table = np.array([line.split() for line in rows], dtype=float)
    assert round(alpha(ratings(table))[0], 3) == 0.849


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


def test_bootstrap_t_of_efron_and_tibshirani() -> None:
    """The 90 % interval of the mouse data's mean: 35.82 to 116.74, of 1,000 resamples."""
    codes, values = clusters(MICE)
    columns = [values.to_numpy(), np.ones(len(values))]
    found = bootstrap_interval(codes, columns, lambda total, n: total / n, level=0.9)
    assert found.low == pytest.approx(35.82, abs=1)
    assert found.high == pytest.approx(116.74, abs=3)


def test_bootstrap_equals_scipys_for_many_clusters() -> None:
    """Where studentizing makes no difference, the ends are those of scipy.stats.bootstrap."""
    rng = np.random.default_rng(4)
    codes, values = clusters(list(rng.normal(5, 1, 200)))
    found = mean_interval(codes, values)
    expected = stats.bootstrap(
        (values.to_numpy(),), np.mean, n_resamples=RESAMPLES, method="BCa", rng=rng
    ).confidence_interval
    assert found == pytest.approx((expected.low, expected.high), abs=0.01)


def test_sign_flips_of_darwins_plants() -> None:
    """Fisher counted 1,726 of 32,768 sums as far from zero as the one observed."""
    assert sign_flip_p(*clusters(DARWIN)) == 1726 / 32768


@pytest.mark.parametrize("n", [3, 8, 40])
def test_sign_flips_equal_scipys_permutation_test(n: int) -> None:
    """Exactly where all flips are made, nearly where some of them are drawn."""
    values = np.random.default_rng(n).normal(0.4, 1, n)
    expected = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=5000, vectorized=False, rng=1
    ).pvalue
    tolerance = 1e-12 if n < 12 else 0.03
    assert sign_flip_p(*clusters(list(values))) == pytest.approx(expected, abs=tolerance)


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
    assert judge_effects(alone).bias.isna().all()
    groups = pd.DataFrame(
        {"parent": list("aabb"), "judge": list("wxyz"), "value": [1.0, 3.0, 5.0, 6.0]}
    )
    assert judge_effects(groups).bias.to_dict() == pytest.approx(
        {"w": -1, "x": 1, "y": -0.5, "z": 0.5}
    )


def test_correlation_equals_scipys() -> None:
    """And its interval holds it, within what a correlation can be."""
    rng = np.random.default_rng(7)
    x = rng.normal(0, 1, 12)
    y = x + rng.normal(0, 0.3, 12)
    roots = [f"r{n}" for n in range(12)]
    value, interval = pearson(pd.DataFrame({"root": roots, "x": x, "y": y}))
    assert value == pytest.approx(stats.pearsonr(x, y).statistic)
    assert -1 <= interval.low < value < interval.high <= 1


def test_too_little_gives_no_interval() -> None:
    """Few clusters, and values that do not vary; lineages count, not scores."""
    many = [1.0, 2.0, 4.0] * 10
    assert mean_interval(*clusters(many)) != NO_INTERVAL
    codes, values = clusters(many)
    few = codes % (MIN_CLUSTERS - 1)
    assert np.isnan(mean_interval(few, values)).all()
    assert np.isnan(mean_interval(codes, values * 0 + 3)).all()
    one_differs = pd.Series([3.0] * 29 + [4.0])
    assert np.isnan(mean_interval(codes, one_differs)).all()


def test_more_roots_are_a_narrower_interval_and_more_essays_of_a_root_are_not() -> None:
    """Equal copies of a root's scores add nothing."""
    codes, values = clusters(list(np.random.default_rng(8).normal(5, 1, 20)))
    plain = mean_interval(codes, values)
    copied = mean_interval(pd.concat([codes] * 5), pd.concat([values] * 5))
    assert copied == pytest.approx(plain)
    doubled = mean_interval(pd.concat([codes, codes + 20]), pd.concat([values] * 2))
    assert doubled.high - doubled.low < 0.8 * (plain.high - plain.low)


def test_thousands_of_roots_are_resampled_in_groups() -> None:
    """The interval of a mean of 5,000 is that of its standard error."""
    values = list(np.random.default_rng(9).normal(5, 1, 5000))
    found = mean_interval(*clusters(values))
    error = np.std(values, ddof=1) / np.sqrt(5000)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.15)

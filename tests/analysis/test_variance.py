"""Variance components where the library that fits them finds no estimate."""

from __future__ import annotations

import numpy as np
import pytest

from daydream.analysis.variance import components


def test_groups_with_equal_means_have_no_variance_between_them() -> None:
    """As whole scores may have: means that are equal to the last digit."""
    combos = np.array([0, 0, 0, 1, 1, 1])
    values = np.array([1.0, 3, 4, 2, 5, 1])
    table = components(values, {"combo_id": combos, "replicate": np.arange(6)})
    by_name = table.set_index("component")
    assert by_name.loc["combo_id", "variance"] == 0
    within = sum(((part - part.mean()) ** 2).sum() for part in (values[:3], values[3:])) / 4
    assert by_name.loc["replicate", "variance"] == pytest.approx(within)


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_few_values_without_any_other_factor(count: int) -> None:
    """All of their variance is the error's, as in a cohort of one combo."""
    values = np.arange(count, dtype=float) ** 2
    table = components(values, {"replicate": np.arange(count)}).set_index("component")
    assert table.loc["replicate", "variance"] == pytest.approx(np.var(values, ddof=1))
    assert table.loc["replicate", "share"] == 1

"""What can be compared with what: the connected parts of a design.

Judges who share no text, directly or through others, have no common scale: nothing tells a strict
judge from weak texts. The same holds for recipes that share no combo. Rows of different groups get
no common rank and no common mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def connected(left: pd.Series[Any], right: pd.Series[Any]) -> pd.Series[int]:
    """Return the group of each row, where each row connects its `left` with its `right`.

    Groups are numbered from 1 by their number of rows, the largest first.
    """
    lefts, left_names = pd.factorize(left)
    rights, right_names = pd.factorize(right)
    size = len(left_names) + len(right_names)
    edges = coo_matrix((np.ones(len(left)), (lefts, len(left_names) + rights)), shape=(size, size))
    _, components = connected_components(edges, directed=False)
    parts = pd.Series(components[lefts], index=left.index, dtype=int)
    order = parts.value_counts(sort=False).sort_values(ascending=False, kind="stable").index
    return parts.map(dict(zip(order, range(1, len(order) + 1), strict=True))).astype(int)

"""Ranks of one session's values against each other (SPEC section 4)."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.prices import FloatArray


@compiled
def cross_sectional_rank(values: FloatArray) -> FloatArray:
    """Percentile rank among the assets that have a value: average ties, in (0, 1].

    Parameters
    ----------
    values
        Shape (n,); NaN and infinity have no rank (NaN).
    """
    result = np.full(values.shape[0], np.nan)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known])]
    first = 0
    while first < order.shape[0]:
        last = first
        while last + 1 < order.shape[0] and values[order[last + 1]] == values[order[first]]:
            last += 1
        # Places first + 1 to last + 1 are shared.
        result[order[first : last + 1]] = (first + last + 2) / 2.0 / order.shape[0]
        first = last + 1
    return result

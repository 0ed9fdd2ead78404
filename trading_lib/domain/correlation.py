"""Pairwise Pearson correlations of log returns over common sessions (SPEC section 8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.kernels import compiled
from trading_lib.domain.prices import FloatArray


@compiled
def pair_correlations(returns: FloatArray, lag: NDArray[np.int64], window: int) -> FloatArray:
    """Correlation of every pair over its newest ``window`` common sessions.

    Parameters
    ----------
    returns
        Log returns, shape (rows, n), newest last. Column i of a row belongs to the session ``lag[i]`` rows before
        (`PricePanel.common_return`), so a pair with different lags is matched across rows.
    window
        Sessions needed; at most twice as many rows are searched for them.

    Returns
    -------
    ndarray of shape (n, n)
        Symmetric with a unit diagonal; NaN where a pair lacks the sessions or does not vary.
    """
    rows, assets = returns.shape
    result = np.full((assets, assets), np.nan)
    for i in range(assets):
        result[i, i] = 1.0
        for j in range(i):
            newest = max(lag[i], lag[j])
            found = 0
            sum_i = sum_j = sum_ii = sum_jj = sum_ij = 0.0
            for back in range(newest, newest + 2 * window):
                row_i = rows - 1 - back + lag[i]
                row_j = rows - 1 - back + lag[j]
                if row_i < 0 or row_j < 0 or found == window:
                    break
                x = returns[row_i, i]
                y = returns[row_j, j]
                if np.isfinite(x) and np.isfinite(y):
                    found += 1
                    sum_i += x
                    sum_j += y
                    sum_ii += x * x
                    sum_jj += y * y
                    sum_ij += x * y
            if found < window:
                continue
            variance_i = sum_ii - sum_i * sum_i / window
            variance_j = sum_jj - sum_j * sum_j / window
            # Rounding leaves dust where a series does not vary at all.
            if variance_i > 1e-18 and variance_j > 1e-18:
                value = (sum_ij - sum_i * sum_j / window) / np.sqrt(variance_i * variance_j)
                value = min(1.0, max(-1.0, value))
                result[i, j] = value
                result[j, i] = value
    return result


@compiled
def summarise_correlations(correlations: FloatArray) -> tuple[float, float, float]:
    """Average, largest and smallest correlation over all known pairs; NaN when there is none.

    Parameters
    ----------
    correlations
        Shape (n, n), symmetric; unknown pairs are NaN.
    """
    total = 0.0
    pairs = 0
    largest = -np.inf
    smallest = np.inf
    for i in range(correlations.shape[0]):
        for j in range(i):
            value = correlations[i, j]
            if np.isfinite(value):
                total += value
                pairs += 1
                largest = max(largest, value)
                smallest = min(smallest, value)
    if pairs == 0:
        return np.nan, np.nan, np.nan
    return total / pairs, largest, smallest

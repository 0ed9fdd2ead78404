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
    assets = returns.shape[1]
    result = np.full((assets, assets), np.nan)
    for i in range(assets):
        result[i, i] = 1.0
    for newest in np.unique(lag):
        sample, complete = _aligned(returns, lag, window, newest)
        sums, squares = _moments(sample)
        products = _products(sample, lag == newest, (lag < newest).any())
        for i in range(assets):
            for j in range(assets):
                if lag[i] != newest or lag[j] > newest or (lag[j] == newest and j >= i):
                    continue
                if complete[i] and complete[j]:
                    value = _correlation(sums[i], sums[j], squares[i], squares[j], products[i, j], window)
                else:
                    value = _matched(returns, lag, window, max(i, j), min(i, j))
                result[i, j] = value
                result[j, i] = value
    return result


@compiled
def _aligned(
    returns: FloatArray, lag: NDArray[np.int64], window: int, newest: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Newest common sessions of the assets lagging no more than ``newest``, newest first, and who has all of them.

    Shapes (n, window) and (n,).
    """
    rows, assets = returns.shape
    sample = np.zeros((assets, window))
    complete = np.zeros(assets, np.bool_)
    for i in range(assets):
        last = rows - 1 - newest + lag[i]
        if lag[i] > newest or last - window + 1 < 0:
            continue
        total = 0.0
        for back in range(window):
            value = returns[last - back, i]
            sample[i, back] = value
            total += value
        complete[i] = np.isfinite(total)
    return sample, complete


@compiled
def _moments(sample: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return sums and sums of squares of the rows, shape (n,)."""
    assets, window = sample.shape
    sums, squares = np.zeros(assets), np.zeros(assets)
    for i in range(assets):
        for k in range(window):
            sums[i] += sample[i, k]
            squares[i] += sample[i, k] * sample[i, k]
    return sums, squares


@compiled
def _products(sample: FloatArray, main: NDArray[np.bool_], with_all: bool) -> FloatArray:
    """Return sums of products of the ``main`` rows with those before them, or with all; shape (n, n)."""
    assets, window = sample.shape
    products = np.zeros((assets, assets))
    for i in range(assets):
        if not main[i]:
            continue
        end = assets if with_all else i
        # Four at a time: one sum would wait for its last addition, four go side by side.
        for j in range(0, end, 4):
            second, third, fourth = min(j + 1, assets - 1), min(j + 2, assets - 1), min(j + 3, assets - 1)
            a = b = c = d = 0.0
            for k in range(window):
                x = sample[i, k]
                a += x * sample[j, k]
                b += x * sample[second, k]
                c += x * sample[third, k]
                d += x * sample[fourth, k]
            products[i, fourth] = d
            products[i, third] = c
            products[i, second] = b
            products[i, j] = a
    return products


@compiled
def _matched(returns: FloatArray, lag: NDArray[np.int64], window: int, i: int, j: int) -> float:
    """Correlation of a pair with gaps, over the sessions both have."""
    rows = returns.shape[0]
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
        return np.nan
    return _correlation(sum_i, sum_j, sum_ii, sum_jj, sum_ij, window)


@compiled
def _correlation(sum_i: float, sum_j: float, sum_ii: float, sum_jj: float, sum_ij: float, count: int) -> float:
    variance_i = sum_ii - sum_i * sum_i / count
    variance_j = sum_jj - sum_j * sum_j / count
    # Rounding leaves dust where a series does not vary at all.
    if not (variance_i > 1e-18 and variance_j > 1e-18):
        return np.nan
    value = (sum_ij - sum_i * sum_j / count) / np.sqrt(variance_i * variance_j)
    return float(min(1.0, max(-1.0, value)))


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

"""Pairwise Pearson correlations of log returns over common sessions (docs/specification.md#correlations)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.kernels import compiled, compiled_without_traps
from trading_lib.domain.market.prices import FloatArray

# Times the window.
LEAST_VARIANCE = 1e-18
# Assets whose pairs are mirrored, and whose samples are multiplied, in one go: as many as fit into the caches.
BLOCK, AT_HAND = 64, 256


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
    result = np.empty((returns.shape[1], returns.shape[1]))
    write_correlations(returns, lag, window, result)
    return result


@compiled
def write_correlations(returns: FloatArray, lag: NDArray[np.int64], window: int, result: FloatArray) -> None:
    """Write the result of `pair_correlations` into ``result``."""
    assets = returns.shape[1]
    result[:] = np.nan
    for newest in np.unique(lag):
        sample, complete = _aligned(returns, lag, window, newest)
        sums, variances = _moments(sample)
        with_all = (lag < newest).any()
        _correlate(sample, sums, variances, lag == newest, with_all, result)
        for i in range(assets):
            if lag[i] != newest:
                continue
            for j in range(assets if with_all else i):
                if lag[j] > newest or (lag[j] == newest and j >= i):
                    result[i, j] = np.nan
                elif not (complete[i] and complete[j]):
                    result[i, j] = _matched(returns, lag, window, max(i, j), min(i, j))
    _mirror(result)


@compiled
def _mirror(result: FloatArray) -> None:
    """Put every known value on both sides of the diagonal, and 1 on it; a block at a time, which stays at hand."""
    assets = result.shape[0]
    for top in range(0, assets, BLOCK):
        for left in range(0, top + 1, BLOCK):
            for i in range(top, min(top + BLOCK, assets)):
                result[i, i] = 1.0
                for j in range(left, min(left + BLOCK, i)):
                    # Of assets with different lags the value stands in the row of the one that lags more.
                    value = result[j, i] if np.isnan(result[i, j]) else result[i, j]
                    result[i, j] = result[j, i] = value


@compiled
def _aligned(
    returns: FloatArray, lag: NDArray[np.int64], window: int, newest: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Newest common sessions of the assets lagging no more than ``newest``, newest first, and who has all of them.

    Shapes (window, n) and (n,).
    """
    rows, assets = returns.shape
    sample = np.zeros((window, assets))
    complete = np.zeros(assets, np.bool_)
    for i in range(assets):
        last = rows - 1 - newest + lag[i]
        if lag[i] > newest or last - window + 1 < 0:
            continue
        total = 0.0
        for back in range(window):
            value = returns[last - back, i]
            sample[back, i] = value
            total += value
        complete[i] = np.isfinite(total)
    return sample, complete


@compiled
def _moments(sample: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the columns' sums, and their variances times the window; shapes (n,)."""
    window, assets = sample.shape
    sums, squares = np.zeros(assets), np.zeros(assets)
    for k in range(window):
        for i in range(assets):
            sums[i] += sample[k, i]
            squares[i] += sample[k, i] * sample[k, i]
    return sums, squares - sums * sums / window


@compiled_without_traps
def _correlate(
    sample: FloatArray,
    sums: FloatArray,
    variances: FloatArray,
    main: NDArray[np.bool_],
    with_all: bool,
    result: FloatArray,
) -> None:
    """Write the rows of the ``main`` assets: with those before them, or with all; NaN where one does not vary."""
    window, assets = sample.shape
    room = np.empty(assets)
    for i in range(assets):
        if not main[i]:
            continue
        # Loops over whole arrays: of a bound that is worked out the compiler does not know that it is not negative.
        products = room[: assets if with_all else i]
        products[:] = 0.0
        # Some assets at a time, whose samples stay at hand; every pair's sum is added up session by session.
        for start in range(0, products.shape[0], AT_HAND):
            part, end = products[start : start + AT_HAND], start + AT_HAND
            # Four sessions in one go, in their order, so that a sum is fetched and put back a fourth as often.
            for k in range(0, window - 3, 4):
                first, second = sample[k, start:end], sample[k + 1, start:end]
                third, fourth = sample[k + 2, start:end], sample[k + 3, start:end]
                a, b, c, d = sample[k, i], sample[k + 1, i], sample[k + 2, i], sample[k + 3, i]
                for j in range(part.shape[0]):
                    part[j] = (((part[j] + a * first[j]) + b * second[j]) + c * third[j]) + d * fourth[j]
            for k in range(window // 4 * 4, window):
                a, first = sample[k, i], sample[k, start:end]
                for j in range(part.shape[0]):
                    part[j] += a * first[j]
        total, variance = sums[i], variances[i]
        for j in range(products.shape[0]):
            value = (products[j] - total * sums[j] / window) / np.sqrt(variance * variances[j])
            value = 1.0 if value > 1.0 else value
            value = -1.0 if value < -1.0 else value
            # Rounding leaves dust where a series does not vary at all.
            result[i, j] = value if variance > LEAST_VARIANCE and variances[j] > LEAST_VARIANCE else np.nan


@compiled
def _matched(returns: FloatArray, lag: NDArray[np.int64], window: int, i: int, j: int) -> float:
    """Correlation of a pair with gaps, over the sessions both have."""
    rows = returns.shape[0]
    newest = max(lag[i], lag[j])
    common = 0
    sum_i = sum_j = sum_ii = sum_jj = sum_ij = 0.0
    for back in range(newest, newest + 2 * window):
        row_i = rows - 1 - back + lag[i]
        row_j = rows - 1 - back + lag[j]
        if row_i < 0 or row_j < 0 or common == window:
            break
        x = returns[row_i, i]
        y = returns[row_j, j]
        if np.isfinite(x) and np.isfinite(y):
            common += 1
            sum_i += x
            sum_j += y
            sum_ii += x * x
            sum_jj += y * y
            sum_ij += x * y
    if common < window:
        return np.nan
    return _correlation(sum_i, sum_j, sum_ii, sum_jj, sum_ij, window)


@compiled
def _correlation(sum_i: float, sum_j: float, sum_ii: float, sum_jj: float, sum_ij: float, count: int) -> float:
    variance_i = sum_ii - sum_i * sum_i / count
    variance_j = sum_jj - sum_j * sum_j / count
    if not (variance_i > LEAST_VARIANCE and variance_j > LEAST_VARIANCE):
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

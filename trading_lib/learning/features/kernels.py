"""Array kernels of the features: trailing windows over sessions, correlations, and standing within a session.

Inputs have shape (T, n) and may hold NaN. Every row of a result depends on that row and earlier ones only, and sums
over assets are taken in the order of their values, so that the order of assets changes no digit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.correlation import LEAST_VARIANCE, write_correlations
from trading_lib.domain.market.prices import FloatArray


@compiled
def trailing_mean(values: FloatArray, window: int, least: int) -> FloatArray:
    """Mean of the known values among the last ``window`` rows; NaN where there are fewer than ``least``."""
    rows, assets = values.shape
    result = np.full((rows, assets), np.nan)
    for t in range(rows):
        for i in range(assets):
            total, known = 0.0, 0
            for k in range(max(0, t - window + 1), t + 1):
                if not np.isnan(values[k, i]):
                    total += values[k, i]
                    known += 1
            if known >= least:
                result[t, i] = total / known
    return result


@compiled
def trailing_maximum(values: FloatArray, window: int) -> FloatArray:
    """Largest of the last ``window`` rows; NaN unless all of them are known."""
    rows, assets = values.shape
    result = np.full((rows, assets), np.nan)
    for t in range(window - 1, rows):
        for i in range(assets):
            largest = -np.inf
            for k in range(t - window + 1, t + 1):
                if np.isnan(values[k, i]):
                    largest = np.nan
                    break
                largest = max(largest, values[k, i])
            result[t, i] = largest
    return result


@compiled
def trailing_percentile(values: FloatArray, window: int, least: int) -> FloatArray:
    """Share of the last ``window`` values that are below each value, half of equal ones counted; shape (rows,).

    NaN unless ``least`` values are known, the value itself among them.
    """
    rows = values.shape[0]
    result = np.full(rows, np.nan)
    for t in range(rows):
        if np.isnan(values[t]):
            continue
        below, known = 0.0, 0
        for k in range(max(0, t - window + 1), t + 1):
            if np.isnan(values[k]):
                continue
            known += 1
            if values[k] < values[t]:
                below += 1.0
            elif values[k] == values[t]:
                below += 0.5
        if known >= least:
            result[t] = below / known
    return result


@compiled
def standardise(values: FloatArray, least: int) -> FloatArray:
    """Standardise each value among the known ones of its row; NaN where fewer than ``least`` are known."""
    rows, assets = values.shape
    result = np.full((rows, assets), np.nan)
    for t in range(rows):
        ordered = np.sort(values[t][~np.isnan(values[t])])
        known = len(ordered)
        if known < least:
            continue
        mean = 0.0
        for k in range(known):
            mean += ordered[k]
        mean /= known
        squares = 0.0
        for k in range(known):
            squares += (ordered[k] - mean) ** 2
        if squares > 0.0:
            for i in range(assets):
                result[t, i] = (values[t, i] - mean) / np.sqrt(squares / (known - 1))
    return result


@compiled
def against_market(
    returns: FloatArray, lag: NDArray[np.int64], market: int, window: int
) -> tuple[FloatArray, FloatArray]:
    """Beta and correlation of every asset with column ``market`` over their newest ``window`` common sessions.

    Parameters
    ----------
    returns, lag
        As of `PricePanel.common_return` and ``common_lag``; at most twice as many sessions are searched.

    Returns
    -------
    Two arrays of shape (T, n), NaN where a pair lacks the sessions or does not vary.
    """
    rows, assets = returns.shape
    beta = np.full((rows, assets), np.nan)
    correlation = np.full((rows, assets), np.nan)
    for t in range(rows):
        for i in range(assets):
            newest = max(lag[i], lag[market])
            common = 0
            x = y = xx = yy = xy = 0.0
            for back in range(newest, newest + 2 * window):
                own, other = t - back + lag[i], t - back + lag[market]
                if own < 0 or other < 0 or common == window:
                    break
                a, b = returns[own, i], returns[other, market]
                if np.isfinite(a) and np.isfinite(b):
                    common += 1
                    x += a
                    y += b
                    xx += a * a
                    yy += b * b
                    xy += a * b
            own_variance, market_variance = xx - x * x / window, yy - y * y / window
            if common == window and market_variance > LEAST_VARIANCE and own_variance > LEAST_VARIANCE:
                product = xy - x * y / window
                beta[t, i] = product / market_variance
                correlation[t, i] = product / np.sqrt(own_variance * market_variance)
    return beta, correlation


@compiled
def mean_correlation(returns: FloatArray, lag: NDArray[np.int64], window: int) -> FloatArray:
    """Mean correlation of every asset with all others over their newest ``window`` common sessions, shape (T, n).

    Parameters
    ----------
    returns, lag
        As of `trading_lib.domain.market.correlation.pair_correlations`.
    """
    rows, assets = returns.shape
    result = np.full((rows, assets), np.nan)
    matrix = np.empty((assets, assets))
    reach = 2 * window + lag.max()
    for t in range(window, rows):
        write_correlations(returns[max(0, t + 1 - reach) : t + 1], lag, window, matrix)
        for i in range(assets):
            matrix[i, i] = np.nan
            ordered = np.sort(matrix[i][~np.isnan(matrix[i])])
            total = 0.0
            for k in range(len(ordered)):
                total += ordered[k]
            if len(ordered):
                result[t, i] = total / len(ordered)
    return result

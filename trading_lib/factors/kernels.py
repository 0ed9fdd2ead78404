"""Array kernels of the nine factors over one price series.

Inputs are total-return prices without gaps, shape (T,); outputs have the same shape and are NaN until the
lookback is complete. Every value depends on earlier rows only. Formulas are those of pandas-ta-classic; its
RSI and ATR use Wilder smoothing (alpha = 1/n) seeded with a simple mean (J. W. Wilder, New Concepts in Technical
Trading Systems, 1978); its standard deviation uses ddof=0 where ours uses 1. See
docs/specification.md#factors.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray


@compiled
def momentum(close: FloatArray, periods: int) -> FloatArray:
    """``close[t] / close[t - periods] - 1``."""
    result = np.full(close.shape[0], np.nan)
    for t in range(periods, close.shape[0]):
        result[t] = close[t] / close[t - periods] - 1.0
    return result


@compiled
def simple_moving_average(close: FloatArray, periods: int) -> FloatArray:
    """Mean of the last ``periods`` closes."""
    result = np.full(close.shape[0], np.nan)
    total = 0.0
    for t in range(close.shape[0]):
        total += close[t]
        if t >= periods:
            total -= close[t - periods]
        if t >= periods - 1:
            result[t] = total / periods
    return result


@compiled
def volatility(close: FloatArray, periods: int, periods_per_year: float) -> FloatArray:
    """Sample standard deviation of the last ``periods`` log returns, annualised."""
    rows = close.shape[0]
    result = np.full(rows, np.nan)
    returns = np.empty(rows)
    for t in range(1, rows):
        returns[t] = np.log(close[t] / close[t - 1])
    for t in range(periods, rows):
        mean = 0.0
        for k in range(t - periods + 1, t + 1):
            mean += returns[k]
        mean /= periods
        squares = 0.0
        for k in range(t - periods + 1, t + 1):
            squares += (returns[k] - mean) ** 2
        result[t] = np.sqrt(squares / (periods - 1) * periods_per_year)
    return result


@compiled
def relative_strength_index(close: FloatArray, periods: int) -> FloatArray:
    """Wilder's RSI in [0, 100]; 50 when nothing moved."""
    rows = close.shape[0]
    result = np.full(rows, np.nan)
    gain = 0.0
    loss = 0.0
    for t in range(1, rows):
        change = close[t] - close[t - 1]
        up = max(change, 0.0)
        down = max(-change, 0.0)
        if t <= periods:
            gain += up / periods
            loss += down / periods
        else:
            gain += (up - gain) / periods
            loss += (down - loss) / periods
        if t >= periods:
            moved = gain + loss
            result[t] = 100.0 * gain / moved if moved > 0.0 else 50.0
    return result


@compiled
def average_true_range(high: FloatArray, low: FloatArray, close: FloatArray, periods: int) -> FloatArray:
    """Wilder's ATR in price units; the true range needs a previous close, so the seed starts at row 1."""
    rows = close.shape[0]
    result = np.full(rows, np.nan)
    average = 0.0
    for t in range(1, rows):
        reach = max(high[t] - low[t], abs(high[t] - close[t - 1]), abs(low[t] - close[t - 1]))
        if t <= periods:
            average += reach / periods
        else:
            average += (reach - average) / periods
        if t >= periods:
            result[t] = average
    return result

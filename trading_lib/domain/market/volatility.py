"""Volatility of a fixed-weight portfolio over the newest sessions."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.kernels import inlined
from trading_lib.domain.market.prices import FloatArray


@inlined
def portfolio_volatility(returns: FloatArray, weights: FloatArray, window: int) -> float:
    """Annualised sample standard deviation (252 sessions) of ``returns @ weights`` over the last rows.

    Parameters
    ----------
    returns
        Simple returns, shape (rows, n), newest last; NaN counts as 0 (the asset did not exist or had no bar).
    weights
        Shape (n,), held constant over the window.
    window
        Number of rows; NaN comes back when there are fewer.
    """
    rows = returns.shape[0]
    if rows < window:
        return np.nan
    held, totals, mean = np.flatnonzero(weights), np.empty(window), 0.0
    for k in range(window):
        total = 0.0
        for i in held:
            value = returns[rows - window + k, i]
            if np.isfinite(value):
                total += weights[i] * value
        totals[k] = total
        mean += total / window
    squares = 0.0
    for k in range(window):
        squares += (totals[k] - mean) ** 2
    return float(np.sqrt(squares / (window - 1) * 252.0))

"""The nine factors of every asset and session, and 12-1 momentum. Input: `PricePanel`. Output: `FactorPanel`."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.market_view import FactorPanel
from trading_lib.domain.market.prices import FloatArray, NativeSeries, PricePanel
from trading_lib.factors import kernels

MOMENTUM_60 = "Momentum_60"
MOMENTUM_120 = "Momentum_120"
VOLATILITY_20 = "Volatility_20"
VOLATILITY_60 = "Volatility_60"
SMA_20 = "SMA_20"
SMA_50 = "SMA_50"
SMA_200 = "SMA_200"
RSI_14 = "RSI_14"
ATR_14 = "ATR_14"
MOMENTUM_12_1 = "Momentum_12_1"
FACTOR_NAMES = (
    MOMENTUM_60,
    MOMENTUM_120,
    VOLATILITY_20,
    VOLATILITY_60,
    SMA_20,
    SMA_50,
    SMA_200,
    RSI_14,
    ATR_14,
    MOMENTUM_12_1,
)
# Twelve months without the newest one, in exchange sessions (docs/specification.md#factors).
YEAR_SESSIONS = 252
MONTH_SESSIONS = 21
# Their values are prices and must be divided by the growth factor to be read in dollars of the session.
PRICE_LIKE = frozenset({SMA_20, SMA_50, SMA_200, ATR_14})


def series_factors(series: NativeSeries) -> FloatArray:
    """Nine factors of one asset on its own trading days, shape (9, n_bars), NaN before the lookback is full."""
    close = series.close
    year = series.periods_per_year
    return np.stack(
        [
            kernels.momentum(close, 60),
            kernels.momentum(close, 120),
            kernels.volatility(close, 20, year),
            kernels.volatility(close, 60, year),
            kernels.simple_moving_average(close, 20),
            kernels.simple_moving_average(close, 50),
            kernels.simple_moving_average(close, 200),
            kernels.relative_strength_index(close, 14),
            kernels.average_true_range(series.high, series.low, close, 14),
        ]
    )


def momentum_12_1(series: NativeSeries) -> FloatArray:
    """``price(D - 21) / price(D - 252) - 1`` at each session D, shape (T,), NaN before the lookback is full.

    Counted in exchange sessions for every asset, for the ranks of one session must speak of the same months. Skipping
    the newest month avoids its reversal (Asness, Moskowitz, Pedersen, Value and Momentum Everywhere, 2013).
    """
    has = series.last_known >= 0
    price = np.where(has, series.close[np.maximum(series.last_known, 0)], np.nan)
    result = np.full(len(price), np.nan)
    result[YEAR_SESSIONS:] = price[YEAR_SESSIONS - MONTH_SESSIONS : -MONTH_SESSIONS] / price[:-YEAR_SESSIONS] - 1.0
    return result


def calculate_factors(panel: PricePanel) -> FactorPanel:
    """Compute the factors on each asset's own bars and read them off at each session's decision time.

    A session without a new bar has no factor (NaN): it is missing, or in quarantine (docs/specification.md#quarantine).
    """
    sessions, assets = panel.fresh.shape
    values = np.full((len(FACTOR_NAMES), sessions, assets), np.nan)
    close = np.full((sessions, assets), np.nan)
    factor = np.full((sessions, assets), np.nan)
    for asset, series in enumerate(panel.native):
        if not len(series.close):
            continue
        rows = np.flatnonzero(panel.fresh[:, asset])
        at = series.last_known[rows]
        values[:-1, rows, asset] = series_factors(series)[:, at]
        values[-1, rows, asset] = momentum_12_1(series)[rows]
        close[rows, asset] = series.close[at]
        factor[rows, asset] = series.factor[at]
    return FactorPanel(FACTOR_NAMES, values, close, factor)


def in_dollars(factors: FactorPanel, row: int) -> FloatArray:
    """Factors of one session as they are stored, shape (n_factors, n): price-like ones in raw dollars."""
    result = factors.values[:, row].copy()
    for position, name in enumerate(factors.names):
        if name in PRICE_LIKE:
            result[position] /= factors.price_factor[row]
    return result

"""Daily log returns before they are tied to published levels. Input: axis, seed. Output: `MarketShocks`, returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from trading_lib.adapters.sources.simulated.assets import FACTORS, AssetModel
from trading_lib.adapters.sources.simulated.axis import MarketAxis, heavy_tailed, stream
from trading_lib.adapters.sources.simulated.volatility import crypto_volatility, market_volatility
from trading_lib.domain.market.prices import FloatArray

SESSIONS_PER_YEAR, DAYS_PER_YEAR = 252.0, 365.0
COMMON_TAIL, OWN_TAIL = 5.0, 4.0
# In a crisis everything follows equities: the other parts grow less than the equity part.
SPILLOVER = {"equity": 1.0, "financials": 1.0, "technology": 0.7, "foreign": 0.8}
OTHER_SPILLOVER, OWN_SPILLOVER = 0.5, 0.6
# Correlation of bonds with equities: a refuge until inflation came back, not since.
RATES_EQUITY_CORRELATION: tuple[tuple[date, float], ...] = (
    (date(2004, 1, 2), -0.25),
    (date(2007, 10, 9), -0.50),
    (date(2021, 6, 1), 0.10),
    (date(2024, 1, 1), -0.05),
)
# Calm markets drift up and stressed ones down, around the long-run growth (annual log return per multiple).
REGIME_DRIFT, NEUTRAL_MULTIPLE = 0.10, 1.0


@dataclass(frozen=True, slots=True)
class MarketShocks:
    """What all assets share.

    Attributes
    ----------
    factors
        Factor -> standardised daily shock, shape (n_days,); 0 for exchange factors on days without a session.
    multiple
        Market volatility as a multiple of normal, shape (n_days + 1,): element t applies to day t.
    crypto_multiple
        Bitcoin's own, shape (n_days,).
    """

    factors: Mapping[str, FloatArray]
    multiple: FloatArray
    crypto_multiple: FloatArray


def market_shocks(axis: MarketAxis, seed: int) -> MarketShocks:
    """Draw the common factors and the volatility they move with."""
    draws = heavy_tailed(stream(seed, "factors"), (len(axis), len(FACTORS)), COMMON_TAIL)
    factors = {name: draws[:, column].copy() for column, name in enumerate(FACTORS)}
    correlation = np.empty(len(axis))
    for first, value in RATES_EQUITY_CORRELATION:
        correlation[axis.position(first) :] = value
    factors["rates"] = correlation * factors["equity"] + np.sqrt(1 - correlation**2) * factors["rates"]
    for name in FACTORS:
        if name != "crypto":
            factors[name][~axis.is_session] = 0.0
    multiple = market_volatility(axis, seed, factors["equity"])
    return MarketShocks(factors, multiple, crypto_volatility(axis, seed))


def daily_volatility(model: AssetModel, shocks: MarketShocks) -> FloatArray:
    """Return the expected standard deviation of each day's log return, shape (n_days,)."""
    periods = DAYS_PER_YEAR if model.every_day else SESSIONS_PER_YEAR
    variance = (model.own_volatility * _own_scale(shocks)) ** 2
    for factor, loading in model.loadings.items():
        variance = variance + (loading * _scale(factor, shocks)) ** 2
    volatility: FloatArray = np.sqrt(variance / periods)
    return volatility


def asset_returns(symbol: str, model: AssetModel, axis: MarketAxis, shocks: MarketShocks, seed: int) -> FloatArray:
    """Log total returns of each day, shape (n_days,); 0 on days the asset does not trade."""
    idiosyncratic = heavy_tailed(stream(seed, f"asset {symbol}"), (len(axis),), OWN_TAIL)
    total = model.own_volatility * _own_scale(shocks) * idiosyncratic / np.sqrt(SESSIONS_PER_YEAR)
    for factor, loading in model.loadings.items():
        periods = DAYS_PER_YEAR if factor == "crypto" else SESSIONS_PER_YEAR
        total = total + loading * _scale(factor, shocks) * shocks.factors[factor] / np.sqrt(periods)
    drift = np.full(len(axis), model.growth)
    if "equity" in model.loadings:
        calm = NEUTRAL_MULTIPLE - np.minimum(shocks.multiple[:-1], 2.5)
        drift += REGIME_DRIFT * calm * model.loadings["equity"] / 0.15
    total = model.daily_limit * np.tanh(total / model.daily_limit)
    total = total + drift / (DAYS_PER_YEAR if model.every_day else SESSIONS_PER_YEAR)
    return total if model.every_day else np.where(axis.is_session, total, 0.0)


def _scale(factor: str, shocks: MarketShocks) -> FloatArray:
    if factor == "crypto":
        return shocks.crypto_multiple
    scale: FloatArray = shocks.multiple[:-1] ** SPILLOVER.get(factor, OTHER_SPILLOVER)
    return scale


def _own_scale(shocks: MarketShocks) -> FloatArray:
    scale: FloatArray = shocks.multiple[:-1] ** OWN_SPILLOVER
    return scale

"""Features of the economy, the same for all assets of a session. Input: `PricePanel`, `MarketContext`.

They cannot rank assets by themselves: models learn from them when which of the others counts.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.prices import FloatArray, PricePanel
from trading_lib.learning.features.context import MarketContext

MONTH = 21
MACRO_NAMES = ("cash_rate", "yield_10y", "slope_10y_2y", "breakeven_10y", "vix", "vix_change_21")


def macro_features(panel: PricePanel, context: MarketContext) -> dict[str, FloatArray]:
    """Compute those of `MACRO_NAMES` whose series are there, each of shape (T, n).

    Cash rate, ten-year yield, its distance from the two-year one and the ten-year breakeven inflation as fractions;
    ^VIX as a fraction and its log change over 21 sessions.
    """
    series = {
        "cash_rate": panel.cash_rate,
        "yield_10y": _fraction(context, "DGS10"),
        "slope_10y_2y": _slope(context),
        "breakeven_10y": _fraction(context, "T10YIE"),
        "vix": panel.volatility_index / 100.0,
    }
    found = {name: values for name, values in series.items() if values is not None and np.isfinite(values).any()}
    if "vix" in found:
        found["vix_change_21"] = _log_change(panel.volatility_index, MONTH)
    return {name: np.repeat(values[:, np.newaxis], len(panel.symbols), axis=1) for name, values in found.items()}


def _fraction(context: MarketContext, name: str) -> FloatArray | None:
    return context.macro[name] / 100.0 if name in context.macro else None


def _slope(context: MarketContext) -> FloatArray | None:
    """Ten-year less two-year yield, from the series of that name or, before it begins, from both yields."""
    slope, long, short = (_fraction(context, name) for name in ("T10Y2Y", "DGS10", "DGS2"))
    difference = None if long is None or short is None else long - short
    if slope is None or difference is None:
        return difference if slope is None else slope
    return np.where(np.isfinite(slope), slope, difference)


def _log_change(values: FloatArray, sessions: int) -> FloatArray:
    result = np.full(len(values), np.nan)
    result[sessions:] = np.log(values[sessions:] / values[:-sessions])
    return result

"""The strategy that all engines of the comparison run: monthly, the best of 12-1 momentum above their SMA_200."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray

BEST = 5
INVESTED = 0.95


class SimpleMomentum:
    """Ours: a plan like a user's, traded by the engine with its risk control, orders and accounting."""

    monthly = True

    def plan(self, view: MarketView) -> FloatArray:
        """Weights on a month's last session; in between they stand."""
        above = view.total_return_close > view.factors["SMA_200"]
        return month_weights(view.factors["Momentum_12_1"], above, view.factors["Volatility_60"])


def month_weights(momentum: FloatArray, above: np.ndarray, volatility: FloatArray) -> FloatArray:
    """Inverse-volatility weights of the best assets, shape (n,)."""
    weights = np.zeros(len(momentum))
    ranked = np.argsort(np.where(np.isfinite(momentum) & above & (volatility > 0), -momentum, np.inf), kind="stable")
    chosen = [i for i in ranked[:BEST] if np.isfinite(momentum[i]) and above[i] and volatility[i] > 0]
    if chosen:
        inverse = 1.0 / volatility[chosen]
        weights[chosen] = INVESTED * inverse / inverse.sum()
    return weights

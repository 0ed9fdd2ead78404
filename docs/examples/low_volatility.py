"""A sleeve of one's own: the calmest assets, each with the same share of the risk."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.decision.sleeves import SleeveTarget, SleeveView
from trading_lib.domain.market.market_view import MarketView


class LowVolatility:
    """Holds the assets with the lowest volatility, weighted by its inverse, and chooses anew at month ends.

    Parameters
    ----------
    assets
        How many are held.
    """

    def __init__(self, assets: int = 5) -> None:
        if assets < 1:
            raise ValueError(f"assets is {assets}, at least 1 must be held")
        self._assets = assets

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """Answer with the last target until the month's last session."""
        if not view.month_end:
            return SleeveTarget(sleeve.wanted, lambda: {"": "waits for the month's last session"})
        volatility = view.factors["Volatility_60"]  # NaN without a complete history or a new bar
        known = np.flatnonzero(volatility > 0)
        calmest = known[np.argsort(volatility[known], kind="stable")[: self._assets]]
        weights = np.zeros(len(view.universe))
        weights[calmest] = 1.0 / volatility[calmest]
        if len(calmest):
            weights /= weights.sum()
        symbols, places = view.universe.symbols, range(1, len(calmest) + 1)
        rationale = {
            symbols[i]: f"volatility {volatility[i]:.1%}, place {place} of {len(known)} -> {weights[i]:.1%}"
            for place, i in zip(places, calmest, strict=True)
        }
        return SleeveTarget(weights, lambda: rationale)

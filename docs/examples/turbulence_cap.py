"""A risk rule of one's own: while the fear index stands high, no asset weighs more than a share."""

from __future__ import annotations

from collections.abc import Mapping

from trading_lib.risk.limits.own_rules import Ceiling, RiskView


class TurbulenceCap:
    """Caps every asset while ^VIX is at or above ``index``.

    Parameters
    ----------
    share
        Largest weight of one asset then.
    """

    def __init__(self, index: float = 25.0, share: float = 0.10) -> None:
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share is {share}, it must lie between 0 and 1")
        self._index, self._share = index, share

    def ceilings(self, risk: RiskView) -> Mapping[str, Ceiling]:
        """Name only what is above the share: what is held, or what would be bought."""
        fear = risk.market.volatility_index  # NaN when unknown, and NaN compares as False
        if not fear >= self._index:
            return {}
        reason = f"^VIX {fear:.1f} is at or above {self._index:g}: no asset above {self._share:.0%}"
        weights = zip(risk.market.universe.symbols, risk.approved.tolist(), risk.held.tolist(), strict=True)
        return {
            symbol: Ceiling(min(self._share, approved), reason)
            for symbol, approved, held in weights
            if max(approved, held) > self._share
        }

"""Strategies whose weights depend on market data alone: they plan, and the engine keeps the book.

A backtest computes such plans once, beside the loop over its sessions, which makes it many times faster.
"""

from __future__ import annotations

from trading_lib.domain.decision.sleeves import PlannedStrategy, SleeveTarget, SleeveView
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.loop_form import MARKET_ONLY, LoopForm, SessionPlan


class MarketOnlyStrategy:
    """A `PlannedStrategy` as a strategy like any other."""

    def __init__(self, strategy: PlannedStrategy) -> None:
        self._strategy = strategy
        self.monthly = bool(getattr(strategy, "monthly", False))

    def loop_form(self) -> LoopForm:
        """Use the plan unchanged."""
        return LoopForm(MARKET_ONLY, plan=self._plan, monthly=self.monthly)

    def _plan(self, view: MarketView) -> SessionPlan | None:
        weights = self.weights(view)
        return None if weights is None else SessionPlan(weights)

    def weights(self, view: MarketView) -> FloatArray | None:
        """Target weights from this session on; None where the last ones stand."""
        return self._strategy.plan(view) if view.month_end or not self.monthly else None

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """Weights of the plan, or the last target as prices have moved it."""
        planned = self.weights(view)
        return SleeveTarget(sleeve.wanted if planned is None else planned)

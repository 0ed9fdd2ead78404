"""Configuration of order generation and of the pre-trade checks."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from trading_lib.domain.configuration import Configuration
from trading_lib.domain.money import MICRO


class OrderConfig(Configuration):
    """Daily limits on rebalancing (docs/specification.md#daily-limits); fractions of net asset value."""

    cash_buffer: float = Field(0.05, ge=0, lt=1)
    min_trade_value: Decimal = Field(Decimal(100), ge=0)
    rebalance_threshold: float = Field(0.02, ge=0, lt=1)
    max_daily_trades: int = Field(5, ge=0)
    max_daily_turnover: float = Field(0.30, ge=0)

    @property
    def turnover_millionths(self) -> int:
        """Daily turnover as millionths of net asset value."""
        return round(self.max_daily_turnover * MICRO)

    @property
    def buffer_millionths(self) -> int:
        """Cash buffer as millionths of net asset value."""
        return round(self.cash_buffer * MICRO)


class PreTradeConfig(Configuration):
    """Limits every single order must respect."""

    max_order_notional: Decimal = Field(Decimal(1_000_000), gt=0)
    price_collar: float = Field(0.20, gt=0, lt=1)

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


MOST_UNITS = Decimal(1_000_000)


class PreTradeConfig(Configuration):
    """Limits every single order must respect."""

    max_order_notional: Decimal = Field(Decimal(1_000_000), gt=0)
    max_order_quantity: Decimal = Field(MOST_UNITS, gt=0, le=10_000_000)
    price_collar: float = Field(0.20, gt=0, lt=1)


class TripConfig(Configuration):
    """What throws the kill switch by itself, of orders at brokers that are real; counts that are still allowed.

    Risk-reducing orders count as well: a loop that sends the same sale again and again is no less a fault.
    """

    max_orders_per_session: int = Field(200, ge=1)
    max_orders_per_minute: int = Field(100, ge=1)
    max_rejections_in_a_row: int = Field(5, ge=1)
    max_collar_breaches: int = Field(3, ge=0)
    max_notional_breaches: int = Field(3, ge=0)

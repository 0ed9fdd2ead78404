"""Single orders and fills of no particular book."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from tests.builders.markets import FRIDAY
from tests.builders.prices import instant
from trading_lib.domain.book.orders import Fill, Order, OrderPurpose, Side

TOMORROW = date(2024, 1, 4)


def fill(side: Side, symbol: str, quantity: str, price: str, commission: str = "0", reference: str = "") -> Fill:
    """A fill of the day after `SESSION`."""
    return Fill(
        trade_id="t-1",
        broker="paper",
        client_order_id="o-1",
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        reference_price=Decimal(reference or price),
        commission=Decimal(commission),
        filled_at=instant("2024-01-04 14:30"),
        session=TOMORROW,
    )


def order(symbol: str, side: Side, quantity: str, session: date = FRIDAY) -> Order:
    """An order at $140 that may fill from the next session on."""
    return Order(
        f"{symbol}-{side}", "demo", session, symbol, side, Decimal(quantity), Decimal(140), Decimal(0), 0.1,
        OrderPurpose.REBALANCE, "",
    )  # fmt: skip

"""Simulated fills: slippage against the order, commission on the notional, at the first opening after the decision."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.builders.markets import CALENDAR, UNIVERSE
from tests.builders.prices import instant
from trading_lib.domain.book.orders import Order, OrderPurpose, Side
from trading_lib.execution.config import PaperConfig
from trading_lib.execution.openings import next_opening
from trading_lib.execution.simulated import fill_at_open

FRIDAY, MONDAY = date(2024, 1, 5), date(2024, 1, 8)


def order(symbol: str, side: Side, quantity: str) -> Order:
    return Order(
        "id-1", "demo", FRIDAY, symbol, side, Decimal(quantity), Decimal(100), Decimal(0), 0.1, OrderPurpose.RISK, ""
    )


@pytest.mark.parametrize(
    ("symbol", "side", "quantity", "price", "commission"),
    [
        ("SPY", Side.BUY, "30", "333.6218", "10.01"),  # 333.4551 x 1.0005; 0.1 % of 10,008.65
        ("SPY", Side.SELL, "30", "333.2884", "10.00"),
        ("BTC-USD", Side.BUY, "0.1234", "333.9553", "0.04"),  # 0.15 % slippage
        ("BTC-USD", Side.SELL, "0.1234", "332.9549", "0.04"),
    ],
)
def test_a_fill_by_hand(symbol: str, side: Side, quantity: str, price: str, commission: str) -> None:
    when = instant("2024-01-08 14:30")
    fill = fill_at_open(order(symbol, side, quantity), 333.4551, UNIVERSE[symbol], when, MONDAY, PaperConfig())
    assert fill.price == Decimal(price)
    assert fill.commission == Decimal(commission)
    assert fill.reference_price == Decimal("333.4551")
    assert fill.quantity == Decimal(quantity)
    assert (fill.trade_id, fill.client_order_id, fill.broker) == ("id-1-1", "id-1", "paper")
    assert (fill.session, fill.filled_at) == (MONDAY, when)


def test_prices_have_the_configured_decimals() -> None:
    config = PaperConfig(price_decimals=2)
    fill = fill_at_open(order("SPY", Side.BUY, "1"), 333.4551, UNIVERSE["SPY"], instant("2024-01-08"), MONDAY, config)
    assert fill.price == Decimal("333.62")


def test_an_exchange_asset_trades_when_the_exchange_next_opens() -> None:
    assert next_opening(UNIVERSE["SPY"], FRIDAY, CALENDAR) == instant("2024-01-08 14:30")
    assert next_opening(UNIVERSE["SPY"], date(2024, 7, 3), CALENDAR) == instant("2024-07-05 13:30")


def test_a_coin_trades_at_the_next_midnight_even_on_a_weekend() -> None:
    assert next_opening(UNIVERSE["BTC-USD"], FRIDAY, CALENDAR) == instant("2024-01-06 00:00")

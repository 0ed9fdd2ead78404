"""Orders of earlier sessions that are open: what is surely left to sell, and that nothing is bought."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tests.builders.books import order
from tests.builders.decisions import make_assessment, make_portfolio
from tests.builders.markets import vector
from trading_lib.domain.book.orders import Side
from trading_lib.domain.book.portfolio import PerpetualPosition
from trading_lib.session.open_orders import OpenOrder, at_worst, increases, still_open_reason, without_purchases

HELD = make_portfolio(1000, SPY=(10, 100, 100), GLD=(4, 50, 50))


def still_open(symbol: str, side: Side, left: str) -> OpenOrder:
    return OpenOrder(order(symbol, side, quantity=Decimal(left)), Decimal(left))


@pytest.mark.parametrize(
    ("open_orders", "left"),
    [
        ([], {"SPY": 10, "GLD": 4}),
        ([still_open("SPY", Side.SELL, "3")], {"SPY": 7, "GLD": 4}),
        ([still_open("SPY", Side.SELL, "3"), still_open("SPY", Side.SELL, "4")], {"SPY": 3, "GLD": 4}),
        ([still_open("SPY", Side.SELL, "10")], {"GLD": 4}),
        ([still_open("SPY", Side.SELL, "12")], {"GLD": 4}),
        # What may still be bought cannot be sold yet, and what is not held cannot be sold at all.
        ([still_open("SPY", Side.BUY, "5"), still_open("TLT", Side.SELL, "5")], {"SPY": 10, "GLD": 4}),
        ([still_open("SPY", Side.SELL, "12"), still_open("SPY", Side.SELL, "1")], {"GLD": 4}),
    ],
)
def test_what_open_sales_may_sell_is_not_there_to_sell(open_orders: list[OpenOrder], left: dict[str, int]) -> None:
    sure = at_worst(HELD, open_orders)
    assert {symbol: position.quantity for symbol, position in sure.positions.items()} == left
    assert (sure.cash, sure.nav) == (HELD.cash, HELD.nav)
    for symbol, position in sure.positions.items():
        assert position.average_cost == HELD.positions[symbol].average_cost


def test_only_open_orders_forbid_purchases() -> None:
    assessment = make_assessment(vector(0.05), may_increase=np.ones(len(vector(0.0)), dtype=np.bool_))
    assert without_purchases(assessment, []) is assessment
    held_back = without_purchases(assessment, [still_open("SPY", Side.SELL, "3")])
    assert not held_back.may_increase.any()
    assert assessment.may_increase.all()


@pytest.mark.parametrize(
    ("symbol", "side", "adds"),
    [
        ("SPY", Side.BUY, True),
        ("SPY", Side.SELL, False),
        ("BTC-USD:binance", Side.SELL, True),
        ("BTC-USD:binance", Side.BUY, False),
    ],
)
def test_a_sale_adds_to_what_is_sold_short_and_to_nothing_else(symbol: str, side: Side, adds: bool) -> None:
    assert increases(order(symbol, side)) is adds


def test_the_reason_names_the_order_that_is_in_the_way() -> None:
    entries = [still_open("SPY", Side.SELL, "3"), still_open("GLD", Side.BUY, "3")]
    identity = entries[0].order.client_order_id
    expected = f"order {identity} of session 2024-03-04 is still open: nothing is bought until it ends"
    assert still_open_reason(entries[:1]) == expected
    assert "is still open and 1 more: " in still_open_reason(entries)


@pytest.mark.parametrize(("open_buys", "left"), [((), -10), (("4",), -6), (("4", "5"), -1), (("10",), None)])
def test_what_may_still_be_bought_back_is_not_there_to_buy_back(open_buys: tuple[str, ...], left: int | None) -> None:
    symbol = "BINANCE:BTC-USDT"
    short = PerpetualPosition(symbol, Decimal(-10), Decimal(-1000), Decimal(90))
    held = replace(HELD, perpetuals={symbol: short})
    sure = at_worst(held, [still_open(symbol, Side.BUY, quantity) for quantity in open_buys])
    if left is None:
        assert not sure.perpetuals
    else:
        assert (sure.perpetuals[symbol].quantity, sure.perpetuals[symbol].entry_value) == (left, 100 * left)
    # A short that may still grow is no more than what is sold already.
    assert at_worst(held, [still_open(symbol, Side.SELL, "4")]).perpetuals == held.perpetuals

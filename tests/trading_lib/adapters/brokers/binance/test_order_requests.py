"""From orders to requests: what does not fit is refused with its reason, and what fits is sent digit by digit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peers.binance_account import BinanceAccount
from trading_lib.adapters.brokers.binance.answers.markets import Market, Range
from trading_lib.adapters.brokers.binance.order_requests import request_of
from trading_lib.domain.book.orders import Order, OrderType, TimeInForce

STEP = Decimal("0.00001")
MARKET = Market(
    name="BTCUSDT",
    status="TRADING",
    spot_allowed=True,
    order_types=frozenset({"MARKET"}),
    permissions=frozenset({"SPOT"}),
    lot=Range(STEP, Decimal(9_000), STEP),
    market_lot=Range(Decimal(0), Decimal(100), Decimal(0)),
    price=Range(Decimal("0.01"), Decimal(1_000_000), Decimal("0.01")),
    least=Decimal(5),
    least_at_market=True,
    most=Decimal(9_000_000),
    most_at_market=False,
)


def order(**changes: Any) -> Order:
    return BinanceAccount.order(ORDERS, **changes)


ORDERS = BinanceAccount()
LIMIT = {"order_type": OrderType.LIMIT, "limit_price": Decimal(80_000)}
STOP = {"order_type": OrderType.STOP, "stop_price": Decimal(80_000)}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"quantity": Decimal("NaN")}, "no number"),
        ({"quantity": Decimal("sNaN")}, "no number"),
        ({"quantity": Decimal("Infinity")}, "no number"),
        ({"quantity": Decimal("-0.1")}, "not above 0"),
        ({"quantity": Decimal(0)}, "not above 0"),
        ({"quantity": Decimal("1e30")}, "beyond anything"),
        ({"quantity": Decimal("1e-30")}, "beyond anything"),
        ({"quantity": Decimal("0.1000000000000000000000000000001")}, "beyond anything"),
        ({"quantity": Decimal("0.100001")}, "no multiple of 0.00001"),
        ({"quantity": Decimal("0.000009")}, "below the least one"),
        ({"quantity": Decimal("0.1") + Decimal("1e-11")}, "no multiple"),
        ({"quantity": Decimal("100.00001")}, "above the largest one, 100"),
        ({"quantity": Decimal("9000.00001"), **LIMIT}, "above the largest one, 9000"),
        ({"quantity": STEP * 5}, "less than the least order, 5 USDT"),
        ({"quantity": Decimal(9_000), **LIMIT}, "more than the largest order"),
        ({**LIMIT, "limit_price": None}, "needs a limit price"),
        ({**LIMIT, "limit_price": Decimal("80000.001")}, "limit price 80000.001 is no multiple of 0.01"),
        ({**LIMIT, "limit_price": Decimal("NaN")}, "no number"),
        ({**LIMIT, "limit_price": Decimal("-1")}, "not above 0"),
        ({**LIMIT, "limit_price": Decimal(1_000_001)}, "above the largest one"),
        ({**LIMIT, "stop_price": Decimal(80_000)}, "has no stop price"),
        ({"limit_price": Decimal(80_000)}, "has no limit price"),
        ({**STOP, "stop_price": None}, "needs a stop price"),
        ({**STOP, "limit_price": Decimal(80_000)}, "has no limit price"),
        ({**STOP, "order_type": OrderType.STOP_LIMIT}, "needs a limit price"),
        ({**STOP, "time_in_force": TimeInForce.OPENING}, "cannot be one for the opening"),
        ({"time_in_force": TimeInForce.DAY}, "no orders for a day"),
        ({"time_in_force": TimeInForce.UNTIL_CANCELLED}, "trades at once"),
        ({"client_order_id": ""}, "client order id"),
        ({"client_order_id": "x" * 37}, "client order id"),
        ({"client_order_id": "a b"}, "client order id"),
        ({"client_order_id": "ä"}, "client order id"),
        ({"client_order_id": "x&side=SELL"}, "client order id"),
        ({"client_order_id": "x\n"}, "client order id"),
    ],
)
def test_an_order_that_does_not_fit_is_refused_with_its_reason(changes: dict[str, Any], why: str) -> None:
    refused = request_of(order(**changes), MARKET)
    assert isinstance(refused, str)
    assert refused.startswith("BTC-USD: ")
    assert why in refused


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal(100)},
        {"quantity": STEP * 6},
        {"quantity": Decimal(112), **LIMIT},
        {**LIMIT, "limit_price": Decimal("1000000.00")},
        {**LIMIT, "limit_price": Decimal("5000000E-2"), "quantity": Decimal("1.00000E-1")},
        {"client_order_id": "x" * 36},
    ],
)
def test_an_order_a_unit_inside_each_limit_is_sent(changes: dict[str, Any]) -> None:
    assert not isinstance(request_of(order(**changes), MARKET), str)


@given(
    units=st.integers(1, 10_000_000_000),
    ticks=st.integers(1, 100_000_000),
    places=st.integers(0, 6),
    kind=st.sampled_from(OrderType),
)
def test_what_is_sent_is_the_order_to_the_last_digit(units: int, ticks: int, places: int, kind: OrderType) -> None:
    price = ticks * Decimal("0.01")
    prices = {
        "limit_price": price if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
        "stop_price": price if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
    }
    # The same number with zeros behind it is the same order.
    quantity = (units * STEP).quantize(STEP.scaleb(-places))
    made = request_of(order(quantity=quantity, order_type=kind, **prices), MARKET)
    if isinstance(made, str):
        assert "least" in made or "largest" in made
        return
    assert Decimal(made["quantity"]) == quantity
    assert {name: Decimal(made[name]) for name in ("price", "stopPrice") if name in made} == {
        sent: value for sent, value in (("price", prices["limit_price"]), ("stopPrice", prices["stop_price"])) if value
    }
    assert not any(letter in "eE+ " for name in ("quantity", "price", "stopPrice") for letter in made.get(name, ""))
    assert "quoteOrderQty" not in made
    assert all(isinstance(value, str) for value in made.values())


@given(st.decimals(min_value=Decimal("1e-12"), max_value=Decimal("1e12")))
def test_a_market_without_bounds_sends_every_digit_or_nothing(quantity: Decimal) -> None:
    anything = replace(MARKET, lot=Range(), market_lot=Range(), least=Decimal(0), most=Decimal(0))
    made = request_of(order(quantity=quantity), anything)
    assert isinstance(made, str) or Decimal(made["quantity"]) == quantity
    fine = replace(anything, lot=Range(step=Decimal("1e-12")))
    request_of(order(quantity=quantity), fine)


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_no_quantity_at_all_upsets_the_checks(quantity: Decimal) -> None:
    made = request_of(order(quantity=quantity), MARKET)
    if not isinstance(made, str):
        assert Decimal(made["quantity"]) == quantity
        assert quantity % STEP == 0

"""Every order passes the same checks before it is sent; each denial says why."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.builders.decisions import make_assessment, make_portfolio
from tests.builders.markets import ASSETS, SESSION, UNIVERSE, vector
from trading_lib.domain.book.orders import Order, OrderPurpose, Side
from trading_lib.orders.config import PreTradeConfig
from trading_lib.orders.pre_trade import PreTradeContext, deny_reason, refusal_kind

ORDER = Order(
    client_order_id="20240103-SPY-B0-0123456789",
    book="demo",
    session=SESSION,
    symbol="SPY",
    side=Side.BUY,
    quantity=Decimal(10),
    expected_price=Decimal(400),
    estimated_commission=Decimal(4),
    weight_change=0.04,
    purpose=OrderPurpose.REBALANCE,
    reason="test",
)
SALE = replace(ORDER, side=Side.SELL)


def context(**fields: Any) -> PreTradeContext:
    return replace(
        PreTradeContext(
            universe=UNIVERSE,
            portfolio=make_portfolio(50_000, SPY=(100, 380, 400)),
            assessment=make_assessment(vector(0.0)),
            last_prices=dict.fromkeys(UNIVERSE.symbols, 400.0),
            config=PreTradeConfig(),
        ),
        **fields,
    )


@pytest.mark.parametrize("order", [ORDER, SALE, replace(SALE, quantity=Decimal(100))])
def test_a_sound_order_passes(order: Order) -> None:
    assert deny_reason(order, context()) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbol": "TSLA"}, "TSLA is not in the universe"),
        ({"quantity": Decimal(0)}, "quantity 0 is not positive"),
        ({"quantity": Decimal(-1)}, "quantity -1 is not positive"),
        ({"quantity": Decimal("NaN")}, "quantity NaN is not positive"),
        ({"quantity": Decimal("1.5")}, "quantity 1.5 is not a multiple of the lot size 1"),
        (
            {"symbol": "BTC-USD", "quantity": Decimal("0.00005")},
            "quantity 0.00005 is not a multiple of the lot size 0.0001",
        ),
        ({"quantity": Decimal(2501)}, "value 1000400.00 is above the limit of 1000000"),
        ({"expected_price": Decimal(0)}, "price 0 is not positive"),
        ({"expected_price": Decimal("Infinity")}, "value Infinity is above the limit"),
        ({"expected_price": Decimal(481)}, "price 481 is 20.2% away from the last good price 400.0"),
        ({"expected_price": Decimal(319)}, "price 319 is 20.2% away from the last good price 400.0"),
    ],
)
def test_a_denial_says_why(change: dict[str, Any], words: str) -> None:
    assert (deny_reason(replace(ORDER, **change), context()) or "").startswith(words)


def test_a_price_within_the_collar_passes() -> None:
    assert deny_reason(replace(ORDER, expected_price=Decimal(480)), context()) is None
    assert deny_reason(replace(ORDER, expected_price=Decimal(320)), context()) is None


@pytest.mark.parametrize("prices", [{}, {"SPY": float("nan")}, {"SPY": 0.0}])
def test_without_a_last_good_price_nothing_is_sent(prices: dict[str, float]) -> None:
    assert deny_reason(ORDER, context(last_prices=prices)) == "no good price of SPY is known"


def test_the_kill_switch_stops_everything() -> None:
    for order in (ORDER, SALE, replace(SALE, purpose=OrderPurpose.RISK)):
        assert deny_reason(order, context(kill_switch=True)) == "the kill switch is on"


def test_nothing_is_sold_short() -> None:
    assert (
        deny_reason(replace(SALE, quantity=Decimal(101)), context()) == "selling 101 SPY with 100 held would go short"
    )
    assert deny_reason(replace(SALE, symbol="GLD"), context()) == "selling 10 GLD with 0 held would go short"
    risk = replace(SALE, quantity=Decimal(101), purpose=OrderPurpose.RISK)
    assert "would go short" in (deny_reason(risk, context()) or "")


def test_the_level_rules_are_checked_again() -> None:
    closed = make_assessment(vector(0.0), effective_level=2, may_increase=np.zeros(ASSETS, dtype=np.bool_))
    assert deny_reason(ORDER, context(assessment=closed)) == "buying SPY is not allowed at risk level 2"
    assert deny_reason(SALE, context(assessment=closed)) is None


def test_the_size_limit_does_not_hold_back_a_reduction_of_risk() -> None:
    wide = context(portfolio=make_portfolio(0, SPY=(5_000, 380, 400)))
    large = replace(SALE, quantity=Decimal(5_000))
    assert "is above the limit of 1000000" in (deny_reason(large, wide) or "")
    assert deny_reason(replace(large, purpose=OrderPurpose.RISK), wide) is None
    # The lot size still applies to it.
    odd = replace(large, quantity=Decimal("0.5"), purpose=OrderPurpose.RISK)
    assert "lot size" in (deny_reason(odd, wide) or "")


@pytest.mark.parametrize("purpose", list(OrderPurpose))
@pytest.mark.parametrize("last", [4.0, 4_000.0, float("nan")])
def test_no_check_against_the_last_good_price_holds_back_a_sale_of_what_is_held(
    purpose: OrderPurpose, last: float
) -> None:
    sale = replace(SALE, purpose=purpose)
    assert deny_reason(sale, context(last_prices={"SPY": last})) is None
    assert "price" in (deny_reason(ORDER, context(last_prices={"SPY": last})) or "")


@pytest.mark.parametrize(
    ("change", "fields", "kind"),
    [
        ({}, {"kill_switch": True}, "kill switch"),
        ({"symbol": "TSLA"}, {}, "not in the universe"),
        ({"symbol": "BINANCE:BTC-USDT"}, {}, "not a configured perpetual"),
        ({"quantity": Decimal(0)}, {}, "quantity or price not positive"),
        ({"expected_price": Decimal(0)}, {}, "quantity or price not positive"),
        ({"quantity": Decimal("1.5")}, {}, "quantity not in whole lots"),
        ({"quantity": Decimal(2501)}, {}, "order value above max_order_notional"),
        ({"expected_price": Decimal(481)}, {}, "price beyond the collar around the last good price"),
        ({}, {"last_prices": {}}, "no good price known"),
        ({"side": Side.SELL, "quantity": Decimal(101)}, {}, "would sell more than is held"),
    ],
)
def test_every_denial_has_a_kind(change: dict[str, Any], fields: dict[str, Any], kind: str) -> None:
    assert refusal_kind(deny_reason(replace(ORDER, **change), context(**fields)) or "") == kind


def test_a_leg_that_is_denied_for_the_other_is_of_its_kind() -> None:
    reason = "its other leg BUY BTC-USD is denied: value 10000.00 is above the limit of 5000"
    assert refusal_kind(reason) == "order value above max_order_notional"
    assert refusal_kind("a reason that nobody has thought of") == "other"


def test_an_order_that_calls_itself_a_risk_order_but_buys_is_limited() -> None:
    purchase = replace(ORDER, quantity=Decimal(5_000), purpose=OrderPurpose.RISK)
    assert "is above the limit" in (deny_reason(purchase, context()) or "")

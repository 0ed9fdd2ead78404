"""From approved weights to orders, example by example; tests/properties has the limits as invariants."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.builders.decisions import make_assessment, make_portfolio, make_signals
from tests.builders.markets import ASSETS, SESSION, UNIVERSE, at, make_view, vector
from trading_lib.decision import held_weights
from trading_lib.domain.book.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.prices import FloatArray
from trading_lib.orders.config import OrderConfig
from trading_lib.orders.generate import OrderBatch, generate_orders

CONFIG = OrderConfig()


def generate(
    portfolio: Portfolio,
    weights: FloatArray,
    close: FloatArray | None = None,
    config: OrderConfig = CONFIG,
    **assessment: Any,
) -> OrderBatch:
    view = make_view() if close is None else make_view(close=close)
    held = held_weights(UNIVERSE, portfolio)
    return generate_orders(
        view, make_signals(1, 0.75), make_assessment(weights, **assessment), held, portfolio, "demo", config
    )


def brief(orders: tuple[Order, ...]) -> list[tuple[str, str, str]]:
    return [(order.symbol, order.side.value, str(order.quantity)) for order in orders]


def test_a_purchase_in_full() -> None:
    batch = generate(make_portfolio(100_000), vector(0.0, SPY=0.10), vector(100.0, SPY=333.0))
    order = batch.orders[0]
    assert brief(batch.orders) == [("SPY", "BUY", "30")]  # 10,000 / 333 = 30.03
    assert order.client_order_id == client_order_id("demo", SESSION, "SPY", Side.BUY)
    assert order.expected_price == Decimal("333.0")
    assert order.expected_notional == Decimal(9990)
    assert order.estimated_commission == Decimal("9.99")
    assert order.weight_change == 0.10
    assert order.purpose is OrderPurpose.REBALANCE
    assert order.reason == "BUY (confidence 0.75): from 0.0% to 10.0% of net asset value"
    assert batch.skipped == {}


def test_coins_trade_in_fractions() -> None:
    batch = generate(make_portfolio(100_000), vector(0.0, BTC_USD=0.05), vector(100.0, BTC_USD=43_210.5))
    assert brief(batch.orders) == [("BTC-USD", "BUY", "0.1157")]


def test_changes_below_two_percent_wait() -> None:
    portfolio = make_portfolio(95_000, SPY=(50, 100, 100))
    assert generate(portfolio, vector(0.0, SPY=0.0699)).orders == ()
    assert brief(generate(portfolio, vector(0.0, SPY=0.0701)).orders) == [("SPY", "BUY", "20")]
    assert generate(portfolio, vector(0.0, SPY=0.0301)).orders == ()
    assert brief(generate(portfolio, vector(0.0, SPY=0.0299)).orders) == [("SPY", "SELL", "20")]


def test_sales_come_first_then_purchases_larger_ones_first() -> None:
    portfolio = make_portfolio(85_000, SPY=(50, 100, 100), QQQ=(100, 100, 100))
    batch = generate(portfolio, vector(0.0, GLD=0.05, TLT=0.08))
    assert brief(batch.orders) == [
        ("QQQ", "SELL", "100"),
        ("SPY", "SELL", "50"),
        ("TLT", "BUY", "80"),
        ("GLD", "BUY", "50"),
    ]


def test_a_target_of_nothing_sells_the_last_lot() -> None:
    portfolio = make_portfolio(90_000, BTC_USD=("0.1234", 20_000, "60123.45"))
    batch = generate(portfolio, vector(0.0), vector(100.0, BTC_USD=60_123.45))
    assert brief(batch.orders) == [("BTC-USD", "SELL", "0.1234")]


def test_the_sixth_trade_of_the_day_waits() -> None:
    batch = generate(
        make_portfolio(100_000), vector(0.0, GLD=0.05, SPY=0.05, QQQ=0.05, TLT=0.05, XLK=0.05, EFA=0.04, EEM=0.03)
    )
    assert len(batch.orders) == 5
    assert batch.skipped == {"EFA": "daily limit of 5 trades", "EEM": "daily limit of 5 trades"}


def test_turnover_ends_at_thirty_percent() -> None:
    batch = generate(make_portfolio(100_000), vector(0.0, GLD=0.25, SPY=0.20))
    assert brief(batch.orders) == [("GLD", "BUY", "250"), ("SPY", "BUY", "50")]
    assert batch.skipped == {"SPY": "daily turnover limit"}


def test_purchases_leave_five_percent_in_cash_after_costs() -> None:
    portfolio = make_portfolio(10_000, GLD=(900, 100, 100))
    batch = generate(portfolio, vector(0.0, GLD=0.90, SPY=0.10))
    # 5,000 to spend at 100.15 with commission and slippage.
    assert brief(batch.orders) == [("SPY", "BUY", "49")]
    assert batch.skipped == {"SPY": "cash buffer"}


def test_proceeds_of_a_sale_pay_for_a_purchase() -> None:
    portfolio = make_portfolio(5_000, GLD=(950, 100, 100))
    batch = generate(portfolio, vector(0.0, GLD=0.8499, SPY=0.10))
    assert brief(batch.orders) == [("GLD", "SELL", "100"), ("SPY", "BUY", "99")]


def test_less_than_a_hundred_dollars_is_not_worth_a_trade() -> None:
    portfolio = make_portfolio(1_000)
    batch = generate(portfolio, vector(0.0, SPY=0.05), vector(10.0))
    assert batch.orders == ()
    assert batch.skipped == {"SPY": "trade value below $100"}


def test_less_than_one_lot_is_no_order() -> None:
    config = OrderConfig(min_trade_value=Decimal(0))
    batch = generate(make_portfolio(1_000), vector(0.0, SPY=0.05), config=config)
    assert batch.orders == ()


def test_what_may_not_be_increased_is_not_bought_but_may_be_sold() -> None:
    may_increase = np.zeros(ASSETS, dtype=np.bool_)
    portfolio = make_portfolio(90_000, SPY=(100, 100, 100))
    batch = generate(portfolio, vector(0.0, SPY=0.05, GLD=0.20), may_increase=may_increase)
    assert brief(batch.orders) == [("SPY", "SELL", "50")]


def test_an_asset_without_any_price_is_left_alone() -> None:
    assert generate(make_portfolio(100_000), vector(0.0, SPY=0.1), vector(100.0, SPY=np.nan)).orders == ()


def risk_fields(**ceilings: float) -> dict[str, Any]:
    reasons = {name.replace("_", "-"): f"because of {name}" for name in ceilings}
    return {"ceilings": vector(np.inf, **ceilings), "ceiling_reasons": reasons}


def test_risk_orders_sell_down_to_their_ceilings_whatever_the_limits_say() -> None:
    holdings = dict.fromkeys(("GLD", "SPY", "QQQ", "TLT", "XLK", "EFA", "EEM"), (100, 100, 100))
    portfolio = make_portfolio(30_000, **holdings)
    batch = generate(
        portfolio, held_weights(UNIVERSE, portfolio), **risk_fields(**dict.fromkeys(holdings, 50.0) | {"GLD": 99.0})
    )
    assert len(batch.orders) == 7
    assert {order.purpose for order in batch.orders} == {OrderPurpose.RISK}
    assert sum(order.expected_notional for order in batch.orders) > portfolio.nav * 3 / 10
    gold = next(order for order in batch.orders if order.symbol == "GLD")
    assert gold.quantity == 1
    assert gold.reason == "because of GLD"
    assert gold.weight_change == pytest.approx(-0.001)


def test_an_asset_with_a_risk_order_is_not_rebalanced_as_well() -> None:
    portfolio = make_portfolio(80_000, SPY=(200, 100, 100))
    batch = generate(portfolio, vector(0.0, SPY=0.02, GLD=0.05), **risk_fields(SPY=150.0))
    assert brief(batch.orders) == [("SPY", "SELL", "50"), ("GLD", "BUY", "50")]


def test_proceeds_of_risk_orders_count_as_cash() -> None:
    portfolio = make_portfolio(5_000, SPY=(950, 100, 100))
    batch = generate(portfolio, vector(0.0, SPY=0.95, GLD=0.10), **risk_fields(SPY=850.0))
    assert brief(batch.orders) == [("SPY", "SELL", "100"), ("GLD", "BUY", "99")]


def test_ceilings_at_or_above_the_holding_sell_nothing() -> None:
    portfolio = make_portfolio(90_000, SPY=(100, 100, 100))
    assert generate(portfolio, held_weights(UNIVERSE, portfolio), **risk_fields(SPY=100.0, GLD=0.0)).orders == ()


def test_level_4_liquidates_and_does_nothing_else() -> None:
    portfolio = make_portfolio(50_000, SPY=(300, 100, 100), GLD=(200, 100, 100))
    batch = generate(portfolio, vector(0.1), effective_level=4, **risk_fields(SPY=0.0, GLD=0.0))
    assert brief(batch.orders) == [("GLD", "SELL", "200"), ("SPY", "SELL", "300")]
    assert batch.skipped == {}


def test_a_worthless_book_still_sells_what_it_must() -> None:
    portfolio = make_portfolio(-20_000, SPY=(100, 100, 100))
    batch = generate(portfolio, vector(0.0), effective_level=4, **risk_fields(SPY=0.0))
    assert brief(batch.orders) == [("SPY", "SELL", "100")]
    assert batch.orders[0].weight_change == 0.0


def test_the_same_decision_makes_the_same_orders() -> None:
    portfolio, weights = make_portfolio(80_000, SPY=(200, 100, 100)), vector(0.0, GLD=0.1, SPY=0.05)
    one, other = generate(portfolio, weights), generate(portfolio, weights)
    assert one == other
    assert len({order.client_order_id for order in one.orders}) == len(one.orders) == 2
    assert at("GLD") < at("SPY")


def test_every_change_that_is_left_alone_says_why() -> None:
    portfolio = make_portfolio(90_000, GLD=(100, 100, 100), XLF=(100, 100, 100))
    allowed = np.ones(ASSETS, dtype=np.bool_)
    allowed[at("QQQ")] = False
    ceilings = vector(np.inf, XLF=50)
    batch = generate(
        portfolio,
        vector(0.0, GLD=0.08, SPY=0.03, QQQ=0.05, TLT=0.03, EFA=0.03),
        vector(100.0, SPY=9_999_999.0, TLT=float("nan")),
        OrderConfig(rebalance_threshold=0.025),
        may_increase=allowed,
        ceilings=ceilings,
        ceiling_reasons={"XLF": "a stop"},
    )
    assert {order.symbol for order in batch.orders} == {"XLF", "EFA"}
    assert batch.skipped == {
        "GLD": "change of weight below the rebalance threshold of 2.5%",
        "SPY": "the change is smaller than one lot",
        "QQQ": "buying is not allowed",
        "TLT": "no price is known",
        "XLF": "a risk order of this session comes first",
    }

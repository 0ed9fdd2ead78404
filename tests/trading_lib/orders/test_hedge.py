"""The short leg follows the spot leg: whatever is held, wanted and approved."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.carry import SHORT, carry_config, hedged_universe
from tests.builders.decisions import make_assessment, make_portfolio, make_targets
from tests.builders.markets import SESSION, at, make_view, vector
from trading_lib.domain.book.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.book.portfolio import PerpetualPosition, Portfolio
from trading_lib.domain.decision.sleeves import SleeveRecord, SleeveTarget
from trading_lib.orders.config import OrderConfig, PreTradeConfig
from trading_lib.orders.generate import OrderBatch
from trading_lib.orders.hedge import approved_share, with_hedges
from trading_lib.orders.pre_trade import PreTradeContext, deny_reason

BTC = at("BTC-USD")
UNIVERSE = hedged_universe(carry_config())
VIEW = make_view(universe=UNIVERSE)
LOT = Decimal("0.0001")
NAV = Decimal(100_000)


def spot_order(change: Decimal, purpose: OrderPurpose = OrderPurpose.REBALANCE) -> Order:
    return order("BTC-USD", Side.BUY if change > 0 else Side.SELL, abs(change), purpose)


def order(symbol: str, side: Side, quantity: Decimal | str, purpose: OrderPurpose = OrderPurpose.REBALANCE) -> Order:
    identity = client_order_id("demo", SESSION, symbol, side)
    return Order(identity, "demo", SESSION, symbol, side, Decimal(quantity), Decimal(100), Decimal(0), 0.0, purpose, "")


def book(spot: Decimal | int, short: Decimal | int, symbol: str = SHORT) -> Portfolio:
    """A book worth 100,000 with Bitcoin at 100, so that 10 Bitcoin are one percent."""
    holdings = {"BTC_USD": (str(spot), 100, 100)} if spot else {}
    found = make_portfolio(str(NAV - 100 * Decimal(spot)), **holdings)
    if not short:
        return found
    sold = Decimal(short)
    return replace(found, perpetuals={symbol: PerpetualPosition(symbol, -sold, -100 * sold, Decimal(100))})


def hedge(
    spot: Decimal | int,
    short: Decimal | int,
    traded: Decimal | int = 0,
    mine: float = 0.0,
    others: float = 0.0,
    approved: float | None = None,
    may_buy: bool = True,
    purpose: OrderPurpose = OrderPurpose.REBALANCE,
) -> tuple[Decimal, OrderBatch]:
    """Units short afterwards and the batch; ``mine`` and ``others`` are wanted weights."""
    portfolio = book(spot, short)
    target = SleeveTarget(vector(0.0, BTC_USD=mine), hedges={SHORT: mine} if mine else {})
    targets = replace(
        make_targets(vector(0.0, BTC_USD=mine + others)),
        sleeves={"carry": SleeveRecord(target, vector(0.0), 1.0)},
    )
    approval = mine + others if approved is None else approved
    allowed = make_assessment(vector(0.0, BTC_USD=approval), may_increase=VIEW.fresh & may_buy)
    orders = (spot_order(Decimal(traded), purpose),) if traded else ()
    batch = with_hedges(OrderBatch(orders, {}), VIEW, targets, allowed, portfolio, "demo", OrderConfig())
    change = sum(
        (o.quantity if o.side is Side.SELL else -o.quantity for o in batch.orders if o.symbol == SHORT), Decimal(0)
    )
    return Decimal(short) + change, batch


@pytest.mark.parametrize(
    ("case", "short_after"),
    [
        ({"spot": 0, "short": 0, "traded": 60, "mine": 0.06}, 60),  # entry
        ({"spot": 0, "short": 0, "traded": 30, "mine": 0.06}, 30),  # entry cut by a limit
        ({"spot": 30, "short": 30, "traded": 30, "mine": 0.06}, 60),  # the rest of it
        ({"spot": 60, "short": 60, "traded": -60, "mine": 0.0}, 0),  # exit
        ({"spot": 60, "short": 60, "traded": -20, "mine": 0.0}, 40),  # exit cut by a limit
        ({"spot": 60, "short": 0, "mine": 0.06}, 60),  # a hedge that was refused yesterday
        ({"spot": 60, "short": 60, "mine": 0.061}, 60),  # a change below the threshold
        ({"spot": 80, "short": 80, "traded": -20, "mine": 0.06}, 60),  # grown beyond its limit
        ({"spot": 105, "short": 50, "mine": 0.055, "others": 0.05}, 50),  # too little to trade for
        ({"spot": 50, "short": 60, "mine": 0.06}, 50),  # never more short than spot
        ({"spot": 60, "short": 60, "traded": -60, "mine": 0.06, "approved": 0.0}, 0),  # liquidated
        ({"spot": 100, "short": 0, "traded": 50, "mine": 0.05, "others": 0.10}, 50),  # beside trend
        ({"spot": 100, "short": 0, "mine": 0.05, "others": 0.05}, 50),  # trend gives up what carry takes
        ({"spot": 150, "short": 50, "traded": -50, "mine": 0.0, "others": 0.10}, 0),  # only carry leaves
        ({"spot": 150, "short": 50, "traded": -20, "mine": 0.0, "others": 0.10}, 30),
        ({"spot": 150, "short": 50, "traded": -100, "mine": 0.05, "others": 0.0}, 50),  # only trend leaves
        ({"spot": 60, "short": 60, "mine": 0.06, "others": 0.05, "approved": 0.06, "may_buy": False}, 60),
        ({"spot": 0, "short": 0, "mine": 0.06, "approved": 0.0, "may_buy": False}, 0),
    ],
)
def test_the_short_follows_the_spot_leg(case: dict[str, Any], short_after: int) -> None:
    assert hedge(**case)[0] == short_after


def test_a_hedge_of_a_risk_order_is_a_risk_order() -> None:
    _, batch = hedge(60, 60, traded=-60, mine=0.06, approved=0.0, purpose=OrderPurpose.RISK)
    assert [(o.symbol, o.side, o.purpose) for o in batch.orders] == [
        ("BTC-USD", Side.SELL, OrderPurpose.RISK),
        (SHORT, Side.BUY, OrderPurpose.RISK),
    ]


def test_the_order_is_a_real_one() -> None:
    _, batch = hedge(0, 0, traded=60, mine=0.06)
    leg = batch.orders[1]
    assert leg.client_order_id == client_order_id("demo", SESSION, SHORT, Side.SELL)
    assert leg.expected_price == 100
    assert leg.estimated_commission == Decimal("6.00")
    assert leg.weight_change == pytest.approx(-0.06)
    assert leg.reason.startswith("hedge: 60")
    assert leg.reason.endswith("sold short against the spot leg in BTC-USD")


@pytest.mark.parametrize(
    ("approved", "mine", "others", "hedged", "unhedged", "share"),
    [
        (0.15, 0.05, 0.10, 0.0, 0.0, 0.05),  # all approved
        (0.10, 0.05, 0.15, 0.0, 0.0, 0.025),  # both new: in proportion
        (0.10, 0.05, 0.10, 0.05, 0.0, 0.05),  # what is hedged already comes first
        (0.10, 0.05, 0.10, 0.0, 0.10, 0.0),  # what the others hold comes first
        (0.06, 0.05, 0.07, 0.05, 0.07, 0.025),  # a cut below what both hold: in proportion
        (0.0, 0.05, 0.0, 0.05, 0.0, 0.0),
    ],
)
def test_what_is_approved_is_shared(
    approved: float, mine: float, others: float, hedged: float, unhedged: float, share: float
) -> None:
    assert approved_share(approved, mine, others, hedged, unhedged) == pytest.approx(share)


weights = st.floats(0, 0.15)


@settings(max_examples=500, deadline=None)
@given(
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.integers(-2000, 2000),
    weights,
    weights,
    st.floats(0, 1),
    st.booleans(),
)
def test_a_short_never_exceeds_its_spot_and_a_ban_on_buying_never_lets_the_net_holding_grow(
    lots: int, other_lots: int, traded_lots: int, mine: float, others: float, cut: float, may_buy: bool
) -> None:
    short, spot = LOT * lots * 10, LOT * (lots + other_lots) * 10
    traded = max(LOT * traded_lots * 10, -spot)
    if not may_buy:
        traded = min(traded, Decimal(0))
    approved = (mine + others) * cut if may_buy else min((mine + others) * cut, float(spot) / 1000)
    after, batch = hedge(spot, short, traded, mine, others, approved, may_buy)
    assert 0 <= after <= spot + traded
    assert after % LOT == 0
    if not may_buy:
        assert spot + traded - after <= spot - short
    allowed = make_assessment(vector(0.0, BTC_USD=approved), may_increase=VIEW.fresh & may_buy)
    prices = {"BTC-USD": 100.0, SHORT: 100.0}
    context = PreTradeContext(UNIVERSE, book(spot, short), allowed, prices, PreTradeConfig(), orders=batch.orders)
    assert [deny_reason(one, context) for one in batch.orders] == [None] * len(batch.orders)


def denied(*orders: Order, spot: int = 60, short: int = 60, may_buy: bool = True, **more: Any) -> list[str | None]:
    allowed = make_assessment(vector(0.1), may_increase=VIEW.fresh & may_buy)
    prices = {"BTC-USD": 100.0, **{one.symbol: 100.0 for one in orders}}
    portfolio = book(spot, short, more.get("symbol", SHORT))
    context = PreTradeContext(
        more.get("universe", UNIVERSE), portfolio, allowed, prices, PreTradeConfig(), orders=orders,
        kill_switch=more.get("kill_switch", False),
    )  # fmt: skip
    return [deny_reason(one, context) for one in orders]


@pytest.mark.parametrize(
    ("leg", "state", "words"),
    [
        ((SHORT, Side.SELL, "1"), {}, "61 short would be more than the 60 BTC-USD it may hedge"),
        ((SHORT, Side.BUY, "61"), {}, "buying 61 BINANCE:BTC-USDT with 60 short would go long"),
        ((SHORT, Side.BUY, "10"), {"may_buy": False}, "BTC-USD may not be bought, and buying back would leave more"),
        (("BYBIT:BTC-USDT", Side.SELL, "10"), {"spot": 70}, "bybit is not among the allowed venues of carry"),
        (("BINANCE:ETH-USDT", Side.SELL, "10"), {"spot": 70}, "BINANCE:ETH-USDT is not a configured perpetual"),
        ((SHORT, Side.SELL, "0.00001"), {"spot": 70}, "is not a multiple of the lot size"),
        ((SHORT, Side.SELL, "10"), {"spot": 70, "kill_switch": True}, "the kill switch is on"),
    ],
)
def test_a_perpetual_may_hedge_and_close_and_nothing_else(
    leg: tuple[str, Side, str], state: dict[str, Any], words: str
) -> None:
    (reason,) = denied(order(*leg), **state)
    assert reason is not None
    assert words in reason


def test_a_short_may_be_closed_on_a_venue_that_is_no_longer_allowed() -> None:
    orders = order("BYBIT:BTC-USDT", Side.BUY, "60"), order("BTC-USD", Side.SELL, "60")
    assert denied(*orders, symbol="BYBIT:BTC-USDT") == [None, None]


@pytest.mark.parametrize("bad", ["spot", "short"])
def test_neither_leg_goes_without_the_other(bad: str) -> None:
    buy, sell = order("BTC-USD", Side.BUY, "10"), order(SHORT, Side.SELL, "10")
    if bad == "spot":
        buy = replace(buy, expected_price=Decimal(150))
    else:
        sell = replace(sell, expected_price=Decimal(150))
    reasons = denied(buy, sell)
    assert all(reason and "50.0% away from the last good price" in reason for reason in reasons)
    assert sum("its other leg" in str(reason) for reason in reasons) == 1

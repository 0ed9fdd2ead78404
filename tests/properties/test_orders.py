"""Whatever is held and wanted, the orders of a session respect every limit (docs/specification.md#orders)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.decisions import make_assessment, make_portfolio, make_signals
from tests.builders.markets import ASSETS, UNIVERSE, make_view
from trading_lib.decision import held_weights
from trading_lib.domain.book.orders import OrderPurpose, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.orders.config import OrderConfig, PreTradeConfig
from trading_lib.orders.generate import OrderBatch, generate_orders
from trading_lib.orders.pre_trade import PreTradeContext, deny_reason

CONFIG = OrderConfig()


@dataclass(frozen=True)
class Case:
    view: MarketView
    portfolio: Portfolio
    assessment: RiskAssessment
    held: FloatArray

    def orders(self, book: str = "demo") -> OrderBatch:
        return generate_orders(self.view, make_signals(1), self.assessment, self.held, self.portfolio, book, CONFIG)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    level = draw(st.integers(0, 4))
    close = np.exp(generator.uniform(1, 6, ASSETS)).round(2)
    close[UNIVERSE.positions["BTC-USD"]] = round(generator.uniform(300, 70_000), 2)
    worth = draw(st.sampled_from([2_000.0, 30_000.0, 100_000.0, 5_000_000.0]))
    holdings = {}
    for i, instrument in enumerate(UNIVERSE):
        lots = int(worth * generator.uniform(0, 0.12) / close[i] / float(instrument.lot_size))
        if lots and generator.random() < 0.6:
            name = instrument.symbol.replace("-", "_")
            holdings[name] = (str(lots * instrument.lot_size), str(close[i]), str(close[i]))
    share = draw(st.one_of(st.floats(0.03, 0.15), st.floats(0, 0.6)))
    portfolio = make_portfolio(round(worth * share, 2), **holdings)
    held = held_weights(UNIVERSE, portfolio)
    weights = generator.random(ASSETS) * (generator.random(ASSETS) < 0.5)
    weights *= 0.95 / max(weights.sum(), 1.0) * draw(st.floats(0, 1))
    if draw(st.booleans()):  # nothing to sell, so that purchases meet the cash buffer before the turnover limit
        weights = held + generator.uniform(0.02, 0.15, ASSETS) * (generator.random(ASSETS) < 0.3)
    may_increase = (generator.random(ASSETS) < 0.8) & (level not in (2, 4))
    weights = np.minimum(weights, held, out=weights, where=~may_increase)
    ceilings, reasons = np.full(ASSETS, np.inf), {}
    for symbol, position in portfolio.positions.items():
        if level == 4 or generator.random() < 0.3:
            kept = 0 if level == 4 else generator.uniform(0, 1.2)
            lot = UNIVERSE[symbol].lot_size
            ceilings[UNIVERSE.positions[symbol]] = float(int(float(position.quantity / lot) * kept) * lot)
            reasons[symbol] = "a reason"
    assessment = make_assessment(
        np.zeros(ASSETS) if level == 4 else weights,
        effective_level=level,
        may_increase=may_increase,
        ceilings=ceilings,
        ceiling_reasons=reasons,
    )
    return Case(make_view(close=close), portfolio, assessment, held)


@settings(max_examples=500, deadline=None)
@given(cases())
def test_every_limit_holds(case: Case) -> None:
    portfolio, batch = case.portfolio, case.orders()
    risk = [order for order in batch.orders if order.purpose is OrderPurpose.RISK]
    rebalancing = [order for order in batch.orders if order.purpose is OrderPurpose.REBALANCE]
    assert len(rebalancing) <= 5
    assert sum(o.expected_notional for o in rebalancing) <= portfolio.nav * Decimal("0.30")
    for order in batch.orders:
        index, instrument = UNIVERSE.positions[order.symbol], UNIVERSE[order.symbol]
        assert order.quantity > 0
        assert order.quantity % instrument.lot_size == 0
        if order.side is Side.SELL:
            assert order.quantity <= portfolio.positions[order.symbol].quantity
        else:
            assert case.assessment.may_increase[index]
    for order in rebalancing:
        index = UNIVERSE.positions[order.symbol]
        assert abs(order.weight_change) >= 0.02
        assert order.expected_notional >= 100
        moved = float(order.expected_notional / portfolio.nav)
        assert moved <= abs(case.assessment.weights[index] - case.held[index]) + 1e-9
    for order in risk:
        assert order.side is Side.SELL
        left = portfolio.positions[order.symbol].quantity - order.quantity
        ceiling = Decimal(repr(float(case.assessment.ceilings[UNIVERSE.positions[order.symbol]])))
        assert ceiling <= left < ceiling + UNIVERSE[order.symbol].lot_size
    if any(order.side is Side.BUY for order in batch.orders):
        assert cash_after(batch, portfolio) >= portfolio.nav * Decimal("0.05")
    assert len({order.symbol for order in batch.orders}) == len(batch.orders)


def cash_after(batch: OrderBatch, portfolio: Portfolio) -> Decimal:
    """Cash once everything has traded at the expected prices, with slippage and commission."""
    cash = portfolio.cash
    for order in batch.orders:
        instrument = UNIVERSE[order.symbol]
        value = order.expected_notional
        costs = value * (instrument.commission_rate + instrument.slippage_rate)
        cash += (value if order.side is Side.SELL else -value) - costs
    # The estimated commission is rounded to the cent.
    return cash + Decimal("0.01") * len(batch.orders)


@settings(max_examples=500, deadline=None)
@given(cases())
def test_whatever_is_above_a_ceiling_is_sold_and_level_4_does_nothing_else(case: Case) -> None:
    batch = case.orders()
    sold = {order.symbol for order in batch.orders if order.purpose is OrderPurpose.RISK}
    above = {
        symbol
        for symbol, position in case.portfolio.positions.items()
        if float(position.quantity) > case.assessment.ceilings[UNIVERSE.positions[symbol]]
    }
    assert sold == above
    if case.assessment.effective_level == 4:
        assert {order.symbol for order in batch.orders} == case.portfolio.positions.keys()
        for order in batch.orders:
            assert order.purpose is OrderPurpose.RISK
            assert order.quantity == case.portfolio.positions[order.symbol].quantity
    elif case.assessment.effective_level == 2:
        assert all(order.side is Side.SELL for order in batch.orders)


@settings(max_examples=500, deadline=None)
@given(cases())
def test_orders_are_deterministic_and_pass_their_own_checks(case: Case) -> None:
    batch = case.orders()
    assert batch == case.orders()
    other = {order.client_order_id for order in case.orders("other").orders}
    assert other.isdisjoint(order.client_order_id for order in batch.orders)
    closes = {symbol: float(case.view.close[i]) for symbol, i in UNIVERSE.positions.items()}
    context = PreTradeContext(
        UNIVERSE, case.portfolio, case.assessment, closes, PreTradeConfig(max_order_notional=Decimal(10**9))
    )
    for order in batch.orders:
        assert re.fullmatch(r"[A-Za-z0-9-]{1,36}", order.client_order_id)
        assert deny_reason(order, context) is None

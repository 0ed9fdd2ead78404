"""Rules that hold in every session of any backtest: levels, orders, cash, accounting. The market is made wild."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from tests.builders.markets import UNIVERSE
from tests.builders.runs import wild_run
from trading_lib.accounting.reconcile import unexplained_differences
from trading_lib.decision import held_weights
from trading_lib.domain.book.orders import OrderPurpose, Side
from trading_lib.domain.decision.risk import RiskState

SEEDS = (5, 6, 7)


def test_the_runs_meet_every_level_and_every_kind_of_order() -> None:
    levels = {int(level) for seed in SEEDS for level in wild_run(seed).result.levels}
    kinds = {event.kind for seed in SEEDS for event in wild_run(seed).result.events}
    orders = [order for seed in SEEDS for order in wild_run(seed).result.orders]
    assert levels == {0, 1, 2, 3, 4}
    assert {"level_raised", "level_lowered", "reduction", "stop_exit", "recovery"} <= kinds
    # A backtest's broker takes no fee in units.
    assert {order.purpose for order in orders} == set(OrderPurpose) - {OrderPurpose.FEE}
    assert {"BTC-USD", "SPY", "GLD"} <= {order.symbol for order in orders}


@pytest.mark.parametrize("seed", SEEDS)
def test_each_level_allows_what_it_allows(seed: int) -> None:
    previous: RiskState | None = None
    for _, decision, portfolio in wild_run(seed).decisions:
        level = decision.assessment.effective_level
        for order in decision.batch.orders:
            if order.purpose is OrderPurpose.RISK:
                assert order.side is Side.SELL
                assert order.quantity <= portfolio.positions[order.symbol].quantity
            if order.side is Side.BUY:
                assert level in (0, 1, 3)
                assert level == 0 or order.symbol != "BTC-USD"
                assert level != 3 or UNIVERSE[order.symbol].safe_haven
            if level == 4:
                assert order.purpose is OrderPurpose.RISK
                assert order.quantity == portfolio.positions[order.symbol].quantity
        if previous is not None and previous.level > decision.assessment.level:
            calm = previous.level - decision.assessment.level == 1 and previous.calm_sessions >= 4
            assert calm or float(portfolio.nav) >= previous.reference_peak
        previous = decision.assessment.next_state


@pytest.mark.parametrize("seed", SEEDS)
def test_a_purchase_is_not_taken_back_by_an_old_ceiling(seed: int) -> None:
    """A risk order has a cause of its session: a level entered, liquidation, a stop, or an order that did not fill."""
    cancelled = {one.client_order_id for one in wild_run(seed).result.cancelled}
    sold_before: set[str] = set()
    for _, decision, _ in wild_run(seed).decisions:
        causes = {"reduction", "stop_reduce", "stop_exit", "cash"}
        caused = causes & {event.kind for event in decision.assessment.events}
        risk = [order for order in decision.batch.orders if order.purpose is OrderPurpose.RISK]
        for order in risk:
            assert caused or decision.assessment.effective_level == 4 or order.symbol in sold_before
        sold_before = {order.symbol for order in risk if order.client_order_id in cancelled}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stopped_asset_is_not_bought_for_five_sessions(seed: int) -> None:
    blocked: dict[str, int] = {}
    for _, decision, _ in wild_run(seed).decisions:
        blocked = {symbol: left - 1 for symbol, left in blocked.items() if left > 1}
        blocked |= {
            event.symbol: 5 for event in decision.assessment.events if event.kind in ("stop_reduce", "stop_exit")
        }
        bought = {order.symbol for order in decision.batch.orders if order.side is Side.BUY}
        assert bought.isdisjoint(blocked)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_daily_limits_hold_in_every_session(seed: int) -> None:
    for _, decision, portfolio in wild_run(seed).decisions:
        rebalancing = [o for o in decision.batch.orders if o.purpose is OrderPurpose.REBALANCE]
        assert len(rebalancing) <= 5
        assert sum(o.expected_notional for o in rebalancing) <= portfolio.nav * Decimal("0.30")
        assert decision.targets.weights.sum() <= 0.95 + 1e-9
        held = held_weights(UNIVERSE, portfolio)
        assert (decision.assessment.weights <= np.maximum(decision.targets.weights, held) + 1e-12).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_books_add_up(seed: int) -> None:
    fills, decisions = wild_run(seed).result.fills, wild_run(seed).decisions
    for day, _, portfolio in decisions:
        worth = portfolio.cash + sum(
            (p.quantity * portfolio.marks[s] for s, p in portfolio.positions.items()), Decimal(0)
        )
        assert abs(portfolio.nav - worth) <= Decimal("0.005")
        assert all(p.quantity > 0 for p in portfolio.positions.values())
        assert portfolio.session == day
    assert unexplained_differences(decisions[-1][2], Decimal(100_000), fills, wild_run(seed).splits) == []
    assert len({fill.trade_id for fill in fills}) == len(fills)

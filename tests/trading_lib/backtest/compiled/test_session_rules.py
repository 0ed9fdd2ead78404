"""What the rules of a session demand, stated independently and checked on both ways of trading.

That both ways agree proves little where they share a rule; tests/campaigns/mutants/session_rules.py plants faults in
those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from tests.builders.markets import backtest_input, market_of, random_bars
from trading_lib.backtest.compiled.run import Segment
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.orders import OrderPurpose, Side
from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.market.market_view import SessionViews
from trading_lib.session.inputs import SessionInput

FIRST, LAST = date(2021, 11, 1), date(2022, 7, 29)
CRASHES = {date(2022, 2, 10): 0.93, date(2022, 5, 18): 0.90}
COOL_OFF = 5

Road = Callable[[SessionInput, date], BacktestResult]


def in_the_loop(data: SessionInput, last: date) -> BacktestResult:
    result = run_backtest(data, FIRST, last)
    assert any(isinstance(part, Segment) for part in result.run.parts)
    return result


def with_objects(data: SessionInput, last: date) -> BacktestResult:
    return run_backtest(data, FIRST, last, lambda day, decision, portfolio: None)


ROADS = pytest.mark.parametrize("road", [in_the_loop, with_objects])


@lru_cache
def market(volatility: float) -> SessionInput:
    bars = random_bars(date(2021, 1, 4), LAST, 5, daily_volatility=volatility, crashes=CRASHES)
    data = backtest_input(market_of(bars))
    return replace(data, views=SessionViews(data.universe, data.panel, data.factors, data.funding))


def configured(volatility: float = 0.011, **sections: dict[str, Any]) -> SessionInput:
    data = market(volatility)
    return replace(data, config=DecisionConfig.model_validate({**data.config.model_dump(), **sections}))


def days_of(data: SessionInput) -> list[date]:
    days: list[date] = data.panel.sessions.astype(object).tolist()
    return days


def state_after(road: Road, data: SessionInput, day: date) -> RiskState:
    return road(data, day).risk


def first_event(result: BacktestResult, kind: str) -> RiskEvent:
    return next(event for event in result.events if event.kind == kind)


@ROADS
def test_a_stopped_asset_cools_off_for_five_sessions_and_no_longer(road: Road) -> None:
    data = configured(0.03)
    result, days = road(data, LAST), days_of(data)
    stopped = [event for event in result.events if event.kind == "stop_exit"]
    # One whose asset is not stopped again while it cools off.
    event = next(e for e in stopped if sum(abs((e.session - o.session).days) < 12 for o in stopped) == 1)
    at = days.index(event.session)
    left = [state_after(road, data, days[at + k]).cooling_off.get(event.symbol) for k in range(COOL_OFF + 1)]
    assert left == [5, 4, 3, 2, 1, None]


@ROADS
def test_a_position_is_halved_once_while_it_is_held(road: Road) -> None:
    data = configured(0.03)
    result, days = road(data, LAST), days_of(data)
    halvings = [event for event in result.events if event.kind == "stop_reduce"]
    assert len(halvings) >= 3
    for event in halvings:
        at = days.index(event.session)
        assert event.symbol in state_after(road, data, event.session).halved
        column = data.universe.positions[event.symbol]
        later = [other.session for other in halvings if other.symbol == event.symbol and other.session > event.session]
        rows = [days.index(day) for day in later[:1]]
        for row in rows:  # only after it was held no more
            held = result.quantity[at - days.index(FIRST) : row - days.index(FIRST), column]
            assert (held == 0).any()


@ROADS
def test_the_higher_of_level_and_floor_is_in_force(road: Road) -> None:
    data = configured(risk={"correlation": {"average_floor_1": 0.15}})
    days = days_of(data)
    seen = set()
    for day in days[days.index(FIRST) + 30 :: 6]:
        state = state_after(road, data, day)
        assert state.effective_level == max(state.level, state.floor)
        seen.add((state.level > state.floor, state.floor > state.level))
    assert {(True, False), (False, True)} <= seen


@ROADS
def test_entering_level_2_leaves_three_quarters_and_no_coins(road: Road) -> None:
    data = configured()
    result = road(data, LAST)
    entry = next(e for e in result.events if e.kind == "reduction" and e.level_after == 2)
    state, row = state_after(road, data, entry.session), list(result.sessions.astype(object)).index(entry.session)
    held = {s: round(q * 1_000_000) for s, q in zip(data.universe.symbols, result.quantity[row], strict=True) if q}
    stopped = {e.symbol for e in result.events if e.session == entry.session and e.kind.startswith("stop_")}
    spared = held.keys() - stopped
    assert len(spared) >= 3
    for symbol in spared:
        quantity = held[symbol]
        lot = int(data.universe.lots[data.universe.positions[symbol]])
        left = 0 if symbol == "BTC-USD" else quantity * 3 // 4 // lot * lot
        assert int(state.ceilings[symbol] * 1_000_000) == left
    sold = {o.symbol for o in result.orders if o.session == entry.session and o.purpose is OrderPurpose.RISK}
    assert sold == set(held)


@ROADS
def test_level_1_asks_more_confidence_of_a_purchase_and_level_0_does_not(road: Road) -> None:
    data = configured(
        risk={"levels": {"level_1_minimum_confidence": 0.9}, "correlation": {"average_floor_1": 0.15}},
        orders={"rebalance_threshold": 0.0},
    )
    result = road(data, LAST)
    cuts = result.cuts
    levels = result.levels[cuts.row[cuts.limit == cuts.limits.index("minimum_confidence")]]
    assert (levels >= 1).all()
    assert (levels == 1).sum() > 10
    bought = [order for order in result.orders if order.side is Side.BUY]
    at_level_0 = {day for day, level in zip(result.sessions.astype(object), result.levels, strict=True) if level == 0}
    assert any(order.session in at_level_0 for order in bought)


@ROADS
@pytest.mark.parametrize(("leverage", "buffer", "limit"), [(0.6, 0.05, 0.6), (1.5, 0.3, 0.7)])
def test_all_weights_together_meet_the_lower_of_two_limits(
    road: Road, leverage: float, buffer: float, limit: float
) -> None:
    data = configured(constraints={"max_leverage": leverage, "cash_buffer": buffer}, orders={"rebalance_threshold": 0})
    cuts = road(data, LAST).cuts
    assert cuts.approved.sum(axis=1).max() == pytest.approx(limit, abs=1e-9)
    binding = "max_leverage" if leverage < 1 - buffer else "cash_buffer"
    assert np.isin(cuts.limit, [cuts.limits.index(binding)]).any()


@ROADS
def test_every_change_of_regime_is_told_in_its_session(road: Road) -> None:
    result = road(configured(), LAST)
    told = {event.session for event in result.events if event.kind == "regime"}
    changes = np.flatnonzero(np.diff(result.regimes)) + 1
    assert len(changes) >= 3
    assert set(result.sessions[changes].astype(object)) <= told


@ROADS
def test_weights_held_are_values_at_the_last_close_over_net_asset_value(road: Road) -> None:
    data = configured()
    result = road(data, LAST)
    row = days_of(data).index(FIRST)
    close = data.panel.close[row : row + len(result.nav)]
    values = np.where(result.quantity > 0, result.quantity * close, 0.0) / result.nav[:, np.newaxis]
    known = np.isfinite(values)
    assert (result.quantity > 0).any(axis=1).sum() > 100
    np.testing.assert_allclose(result.cuts.held[known], values[known], rtol=1e-9)

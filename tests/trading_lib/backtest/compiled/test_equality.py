"""The compiled loop against the slow path: the same orders, fills, events and values to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.builders.runs import CRASHES, assert_same, changed, market, sessions_in_loop, slow_path, with_openings
from tests.environment.interpreted import interpreted
from trading_lib.backtest.compiled import inputs as compiled_inputs
from trading_lib.backtest.compiled import results
from trading_lib.backtest.compiled import run as loop_run
from trading_lib.backtest.compiled.journal import LEFT, ORDER_MARK, PRICE
from trading_lib.backtest.compiled.run import Segment, SlowSession, can_loop
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.domain.book.orders import Fill
from trading_lib.domain.market.market_view import MarketView, SessionViews
from trading_lib.domain.market.prices import FloatArray
from trading_lib.session.inputs import SessionInput
from trading_lib.strategies.registry import register_strategy
from trading_lib.workflows.research.backtest import run_record

FIRST, LAST = date(2021, 11, 1), date(2022, 12, 30)


class Halves:
    """Half of the first two assets that rise, planned at month ends."""

    monthly = True

    def plan(self, view: MarketView) -> FloatArray:
        rising = np.flatnonzero(view.factors["Momentum_60"] > 0)[:2]
        weights = np.zeros(len(view.universe))
        weights[rising] = 0.45
        return weights


class Nervous:
    """Plans every day but Monday, for a different asset each time."""

    def plan(self, view: MarketView) -> FloatArray | None:
        if view.session.weekday() == 0:
            return None
        weights = np.zeros(len(view.universe))
        weights[view.session.day % len(weights)] = 0.3
        return weights


class Senseless:
    """Answers with nonsense now and then, of every kind."""

    def plan(self, view: MarketView) -> Any:
        weights = np.full(len(view.universe), 0.05)
        match view.session.day:
            case 3:
                raise ZeroDivisionError("nothing to divide")
            case 8:
                return weights[:3]
            case 15:
                return weights.astype(np.float32)
            case 21:
                return -weights
        return weights


register_strategy("halves", Halves)
register_strategy("senseless", Senseless)
register_strategy("nervous", Nervous)


def sessions_with_events(result: BacktestResult) -> int:
    return sum(int(p.log.has_events[p.steps].sum()) for p in result.run.parts if isinstance(p, Segment))


@pytest.mark.parametrize(
    ("more", "kinds"),
    [
        ({}, {"regime"}),
        ({"crashes": CRASHES}, {"level_raised", "level_lowered", "reduction"}),
        ({"crashes": CRASHES, "daily_volatility": 0.03}, {"stop_reduce", "stop_exit"}),
        ({"missing": 0.10}, set()),
    ],
)
def test_both_ways_are_the_same(more: dict[str, Any], kinds: set[str]) -> None:
    data = market(**more)
    loop, other = run_backtest(data, FIRST, LAST), slow_path(data)
    assert_same(loop, other)
    assert kinds <= {event.kind for event in loop.events}
    assert sessions_in_loop(loop) > 0.8 * len(loop.nav)
    assert sessions_in_loop(other) == 0


@pytest.mark.parametrize(
    "sleeves",
    [
        {"trend": 1.0},
        {"rotation": 1.0},
        {"patient_trend": 0.5, "rotation": 0.5},
        {"cross_sectional_momentum": 0.6},
        {"halves": 1.0},
        {"trend": 0.3, "nervous": 0.3, "rotation": 0.4},
        {"senseless": 0.5, "trend": 0.5},
    ],
)
def test_every_kind_of_sleeve_is_the_same(sleeves: dict[str, float]) -> None:
    data = changed(market(crashes=CRASHES), sleeves)
    loop = run_backtest(data, FIRST, LAST)
    assert_same(loop, slow_path(data))
    assert len(loop.fills) > 5
    assert sessions_in_loop(loop) > 0


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    volatility=st.sampled_from([0.006, 0.015, 0.04]),
    missing=st.sampled_from([0.0, 0.05]),
    threshold=st.sampled_from([0.0, 0.02, 0.08]),
    trades=st.sampled_from([0, 1, 5, 15]),
    cool_off=st.sampled_from([0, 5]),
    notional=st.sampled_from([5_000, 1_000_000]),
    leverage=st.sampled_from([0.6, 1.5]),
    buffer=st.sampled_from([0.0, 0.05, 0.5]),
    pair_limit=st.sampled_from([0.1, 0.7]),
    drawdowns=st.sampled_from([(0.01, 0.02, 0.2, 0.3), (0.05, 0.08, 0.12, 0.15)]),
    floor=st.sampled_from([0.15, 0.5]),
    confidence=st.sampled_from([0.4, 0.9]),
    pairs=st.sampled_from([(0.70, 0.65), (0.15, 0.15), (0.2, 0.05)]),
)
def test_any_market_and_limits_are_the_same(
    seed: int, volatility: float, missing: float, threshold: float, trades: int, cool_off: int, notional: int,
    leverage: float, buffer: float, pair_limit: float, drawdowns: tuple[float, float, float, float], floor: float,
    confidence: float, pairs: tuple[float, float],
) -> None:  # fmt: skip
    data = changed(
        market(seed, daily_volatility=volatility, missing=missing, crashes=CRASHES),
        orders={"rebalance_threshold": threshold, "max_daily_trades": trades},
        risk={
            "stops": {"cool_off_sessions": cool_off},
            "levels": {"drawdowns": drawdowns, "level_1_minimum_confidence": confidence},
            "correlation": {"pair_warning": pairs[0], "pair_rearm": pairs[1], "average_floor_1": floor},
        },
        pre_trade={"max_order_notional": Decimal(notional)},
        constraints={"max_leverage": leverage, "cash_buffer": buffer, "pair_correlation": pair_limit},
    )
    last = date(2022, 6, 30)
    assert_same(run_backtest(data, FIRST, last), slow_path(data, last=last))


def bar_of(data: SessionInput, fill: Fill, decided: date) -> tuple[float, float]:
    """Low and high of the bar at whose opening an order meets its price: of its own day, when decided off session."""
    row = int(np.searchsorted(data.panel.sessions, np.datetime64(fill.session)))
    if decided > data.panel.sessions[row - 1].item():
        _, low, high = data.panel.daily[fill.symbol].opening(fill.filled_at.date())
        return low, high
    column = data.universe.positions[fill.symbol]
    return float(data.panel.fill_low[row, column]), float(data.panel.fill_high[row, column])


@example(seed=11, wrong=0.0, gap=0.1, buffer=0.0, turnover=0.3)  # Sells Bitcoin on a Sunday.
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    wrong=st.sampled_from([0.0, 0.05, 0.5]),
    gap=st.sampled_from([0.0, 0.1, 0.5]),
    buffer=st.sampled_from([0.0, 0.05]),
    turnover=st.sampled_from([0.3, 2.0]),
)
def test_any_openings_are_met_alike_and_never_badly(
    seed: int, wrong: float, gap: float, buffer: float, turnover: float
) -> None:
    plain = changed(
        market(seed, daily_volatility=0.02),
        constraints={"cash_buffer": buffer},
        orders={"cash_buffer": buffer, "max_daily_turnover": turnover, "max_daily_trades": 15},
    )
    data, last = with_openings(plain, wrong, gap, seed), date(2022, 4, 29)
    cash: list[Decimal] = []
    loop = run_backtest(data, FIRST, last)
    other = run_backtest(data, FIRST, last, lambda day, decision, portfolio: cash.append(portfolio.cash))
    assert_same(loop, other)
    # Sales are filled before purchases, so that nowhere in a session there is less cash than at its end.
    assert min(cash) >= 0
    decided = {order.client_order_id: order.session for order in loop.orders}
    for fill in loop.fills:
        low, high = bar_of(data, fill, decided[fill.client_order_id])
        assert low - 1.01e-4 < float(fill.reference_price) < high + 1.01e-4
    assert all(one.symbol in one.reason for one in loop.cancelled)


def test_the_loop_itself_cuts_and_cancels() -> None:
    data = with_openings(
        changed(market(), constraints={"cash_buffer": 0.0}, orders={"cash_buffer": 0.0, "max_daily_turnover": 2.0}),
        wrong=0.1, gap=0.2, seed=3,
    )  # fmt: skip
    loop, other = run_backtest(data, FIRST, LAST), slow_path(data)
    assert_same(loop, other)
    assert sessions_in_loop(loop) > 0.8 * len(loop.nav)
    reasons = [one.reason for one in loop.cancelled]
    assert any("is outside the bar's own low" in reason for reason in reasons)
    assert any("pays for none of" in reason for reason in reasons)
    partly = {one.client_order_id for one in loop.cancelled} & {fill.client_order_id for fill in loop.fills}
    assert partly
    # Cash that runs out is no reason to hand a session over.
    logged = np.concatenate([part.log.fills[part.fills] for part in loop.run.parts if isinstance(part, Segment)])
    assert ((logged[:, PRICE] > 0) & (logged[:, LEFT] > 0)).any()


def test_pairs_are_told_without_trading_their_sessions_again() -> None:
    """Most sessions change a pair here; none of them is has_events for it, so the loop keeps its speed."""
    data = changed(market(), risk={"correlation": {"pair_warning": 0.15, "pair_rearm": 0.15}})
    loop, other = run_backtest(data, FIRST, LAST), slow_path(data)
    assert_same(loop, other)
    told = {event.session for event in loop.events if event.kind == "pair_correlation"}
    assert len(told) > 0.8 * len(loop.nav)
    assert sessions_with_events(loop) == sessions_with_events(run_backtest(market(), FIRST, LAST))
    assert loop.risk.correlated


def test_a_liquidation_and_the_way_back_are_the_same() -> None:
    data = market(crashes={date(2022, 1, 20): 0.55})
    loop = run_backtest(data, FIRST, LAST)
    assert_same(loop, slow_path(data))
    assert loop.levels.max() == 4
    # The loop hands over what it does not know, and goes on afterwards.
    assert sum(isinstance(part, SlowSession) for part in loop.run.parts) > 5
    assert isinstance(loop.run.parts[-1], Segment)


def test_an_order_the_checks_refuse_is_refused() -> None:
    data = changed(market(), pre_trade={"max_order_notional": Decimal(8_000)})
    loop = run_backtest(data, FIRST, LAST)
    assert loop.denied
    assert_same(loop, slow_path(data))


def test_a_plan_that_makes_no_sense_is_told() -> None:
    result = run_backtest(changed(market(), {"senseless": 1.0}), FIRST, LAST)
    reasons = {event.reason.split(": ", 1)[1] for event in result.events if event.kind == "sleeve_fault"}
    assert "ZeroDivisionError: nothing to divide" in reasons
    assert len(reasons) == 3


def test_segments_of_any_length_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = market(crashes=CRASHES)
    whole = run_backtest(data, FIRST, LAST)
    monkeypatch.setattr(loop_run, "SEGMENT_BYTES", 400_000)
    pieces = run_backtest(data, FIRST, LAST)
    assert len(pieces.run.parts) > len(whole.run.parts)
    assert_same(pieces, whole)


def test_runs_that_share_a_market_do_not_disturb_each_other() -> None:
    data = market(crashes=CRASHES)
    shared = replace(data, views=SessionViews(data.universe, data.panel, data.factors))
    other = changed(shared, {"halves": 0.5, "rotation": 0.5}, constraints={"pair_correlation": 0.3})
    expected = [run_backtest(replace(one, views=None), FIRST, LAST) for one in (shared, other)]
    for run in (0, 1, 0, 1):
        assert_same(run_backtest((shared, other)[run], FIRST, LAST), expected[run])


@pytest.mark.parametrize(
    "other",
    [
        lambda data: replace(data, paper=data.paper.model_copy(update={"price_decimals": 2})),
        lambda data: changed(data, risk={"stops": {"days_without_session": False}}),
        lambda data: changed(data, risk={"retire_after_sessions": 3}),
        lambda data: changed(data, strategy={"signals": {"momentum_high": 0.03}}),
        lambda data: changed(data, strategy={"regime": {"elevated": 12.0}}),
    ],
    ids=["price unit", "stops between", "retirement", "signals", "regime"],
)
def test_what_runs_share_is_of_their_own_configuration(other: Callable[[SessionInput], SessionInput]) -> None:
    data = market(crashes=CRASHES)
    shared = replace(data, views=SessionViews(data.universe, data.panel, data.factors))
    runs = shared, other(shared)
    for run in (0, 1, 0):
        expected = compiled_inputs.rows_of(runs[run])
        np.testing.assert_equal(compiled_inputs.shared_rows(runs[run], shared.views)._asdict(), expected._asdict())
        alone = run_backtest(replace(runs[run], views=None), FIRST, LAST)
        assert_same(run_backtest(runs[run], FIRST, LAST), alone)


def test_the_compiled_loop_is_the_python_it_was_written_in() -> None:
    data = market(crashes=CRASHES, daily_volatility=0.02)
    first, last = date(2022, 4, 20), date(2022, 7, 15)
    compiled = run_backtest(data, first, last)
    with interpreted():
        plain = run_backtest(data, first, last)
    assert {"level_raised", "reduction"} <= {event.kind for event in compiled.events}
    np.testing.assert_allclose(plain.nav, compiled.nav, rtol=1e-9)
    assert [(fill.symbol, fill.side, fill.quantity) for fill in plain.fills] == [
        (fill.symbol, fill.side, fill.quantity) for fill in compiled.fills
    ]


def test_only_what_the_loop_knows_is_looped(monkeypatch: pytest.MonkeyPatch) -> None:
    data = market()
    assert can_loop(data)
    assert not can_loop(changed(data, {"trend": 0.5, "carry": 0.1}))
    retired = replace(data.universe, instruments=(replace(data.universe.instruments[0], retired=True),))
    assert not can_loop(replace(data, universe=retired))


def test_what_a_report_says_needs_no_session_to_be_traded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = market(crashes=CRASHES)
    expected = slow_path(data).cuts
    result = run_backtest(data, FIRST, LAST)

    def refuse(*_: Any) -> None:
        raise AssertionError("a session was traded again")

    monkeypatch.setattr(results, "trade_session", refuse)
    for name in (field.name for field in fields(expected)):
        np.testing.assert_array_equal(getattr(result.cuts, name), getattr(expected, name), err_msg=name)
    # Among them what risk control sold, in sessions that the loop traded.
    assert any(part.log.orders[part.orders, ORDER_MARK].any() for part in result.run.parts if isinstance(part, Segment))
    record = run_record(data, result)
    assert record.refused == {}
    with pytest.raises(AssertionError, match="traded again"):
        record.orders()


def test_a_session_that_comes_out_otherwise_when_replayed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    data = market(crashes=CRASHES)
    result = run_backtest(data, FIRST, LAST)
    segment = next(part for part in result.run.parts if isinstance(part, Segment))
    step = int(np.flatnonzero(segment.log.has_events)[3])
    segment.kept.account[segment.log.book[step]] += 100
    with pytest.raises(RuntimeError, match="came to another value when it was replayed"):
        result.events  # noqa: B018

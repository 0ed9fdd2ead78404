"""A price series that ends while it is held: retirement and its end, proceeds, and the loop beside the slow path."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.builders.markets import CALENDAR, backtest_input, market_of, random_bars
from tests.builders.runs import CRASHES, FIRST, LAST, assert_same, changed, sessions_in_loop, slow_path
from trading_lib.accounting.old_prices import OldPrice, old_prices
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.domain.book.orders import Side
from trading_lib.domain.book.proceeds import RECORDED, Proceeds
from trading_lib.domain.decision.risk import RiskEvent
from trading_lib.domain.market.prices import Bars
from trading_lib.session.inputs import SessionInput

ENDS = date(2022, 4, 14)
SYMBOLS = ("XLE", "GLD", "SPY")


def market(
    gone: tuple[str, ...] = SYMBOLS, sessions: int | None = None, fall: float = 0.0, **more: Any
) -> SessionInput:
    """A market in which the prices of ``gone`` end, or pause for so many sessions, their last close after a fall."""
    frame = random_bars(date(2021, 1, 4), LAST, seed=5, **more).frame
    final = frame["symbol"].isin(gone) & (frame["date"].dt.date == ENDS)
    frame.loc[final, ["low", "close"]] *= 1 - fall
    back = CALENDAR.offset(ENDS, sessions) if sessions else LAST
    lost = frame["symbol"].isin(gone) & (frame["date"].dt.date > ENDS) & (frame["date"].dt.date <= back)
    return backtest_input(market_of(Bars(frame[~lost].reset_index(drop=True))))


def retirements(result: BacktestResult) -> list[RiskEvent]:
    return [event for event in result.events if event.kind in ("retired", "price_returned")]


def orders_of(result: BacktestResult, symbol: str, first: date, last: date) -> list[date]:
    return [order.session for order in result.orders if order.symbol == symbol and first <= order.session <= last]


@pytest.mark.parametrize("after", [1, 5, 20])
@pytest.mark.parametrize("sessions", [None, 12, 40])
@pytest.mark.parametrize("more", [{}, {"fall": 0.25}, {"crashes": CRASHES, "daily_volatility": 0.03}])
def test_the_loop_and_the_slow_path_are_the_same(after: int, sessions: int | None, more: dict[str, Any]) -> None:
    data = changed(market(sessions=sessions, **more), risk={"retire_after_sessions": after})
    loop = run_backtest(data, FIRST, LAST)
    assert_same(loop, slow_path(data))
    assert sessions_in_loop(loop) > 0.7 * len(loop.nav)
    assert bool(retirements(loop)) == (sessions is None or sessions >= after)


def test_proceeds_are_the_same_in_the_loop_and_on_the_slow_path() -> None:
    data, day = market(), CALENDAR.offset(ENDS, 30)
    closed = tuple(Proceeds(symbol, day, Decimal("61.25")) for symbol in SYMBOLS)
    loop = run_backtest(replace(data, proceeds=closed), FIRST, LAST)
    assert_same(loop, slow_path(replace(data, proceeds=closed)))
    assert not set(SYMBOLS) & loop.portfolio.positions.keys()
    assert {fill.session for fill in loop.fills if fill.broker == RECORDED} == {day}


def test_a_stop_that_fires_at_the_last_price_is_tried_until_the_asset_is_retired() -> None:
    data = market(fall=0.25)
    loop = run_backtest(data, FIRST, LAST)
    assert_same(loop, slow_path(data))
    fired = {event.symbol for event in loop.events if event.kind == "stop_exit" and event.session == ENDS}
    assert fired
    for symbol in fired:
        tried = orders_of(loop, symbol, ENDS, LAST)
        assert tried == [day.item() for day in CALENDAR.between(ENDS, CALENDAR.offset(ENDS, 19))]
        assert symbol in loop.portfolio.positions


@pytest.fixture(scope="module")
def ended() -> tuple[SessionInput, BacktestResult, str]:
    """A run that ends with a symbol it could not sell."""
    data = market()
    result = run_backtest(data, FIRST, LAST)
    held = [symbol for symbol in SYMBOLS if symbol in result.portfolio.positions]
    assert held, "choose another market: nothing is held when its prices end"
    return data, result, held[0]


def test_an_asset_is_retired_after_the_configured_sessions_and_told_once(
    ended: tuple[SessionInput, BacktestResult, str],
) -> None:
    _, result, symbol = ended
    (event,) = [event for event in retirements(result) if event.symbol == symbol]
    assert (event.kind, event.session) == ("retired", CALENDAR.offset(ENDS, 20))
    assert f"{symbol} has had no price since {ENDS}, for 20 sessions" in event.reason
    assert result.risk.retired == frozenset(SYMBOLS)


def test_a_retired_asset_gets_no_order_and_before_that_none_that_buys(
    ended: tuple[SessionInput, BacktestResult, str],
) -> None:
    _, result, symbol = ended
    retired = CALENDAR.offset(ENDS, 20)
    assert orders_of(result, symbol, retired, LAST) == []
    late = [order for order in result.orders if order.symbol == symbol and order.session > ENDS]
    assert all(order.side is Side.SELL for order in late)


def test_retirement_does_not_know_whether_a_price_will_return(ended: tuple[SessionInput, BacktestResult, str]) -> None:
    _, forever, _ = ended
    pausing = run_backtest(market(sessions=40), FIRST, LAST)
    returns = np.searchsorted(pausing.sessions, np.datetime64(CALENDAR.offset(ENDS, 41)))
    np.testing.assert_array_equal(pausing.nav[:returns], forever.nav[:returns])


def test_a_price_that_returns_ends_the_retirement_by_itself_and_a_stop_can_sell_again() -> None:
    data = market(sessions=40, crashes={CALENDAR.offset(ENDS, 30): 0.55})
    result = run_backtest(data, FIRST, LAST)
    back = CALENDAR.offset(ENDS, 41)
    told = [event for event in retirements(result) if event.kind == "price_returned"]
    assert {event.session for event in told} == {back}
    assert {event.symbol for event in told} == set(SYMBOLS)
    assert result.risk.retired == frozenset()
    stopped = {event.symbol for event in result.events if event.kind == "stop_exit" and event.session == back}
    assert stopped & set(SYMBOLS)
    quiet = [e for e in result.events if e.symbol in SYMBOLS and CALENDAR.offset(ENDS, 20) < e.session < back]
    assert quiet == []
    for symbol in stopped & set(SYMBOLS):
        assert orders_of(result, symbol, back, back) == [back]


@pytest.mark.parametrize("amount", ["61.25", "0"])
def test_proceeds_close_the_holding_once_with_the_profit_it_made(
    ended: tuple[SessionInput, BacktestResult, str], amount: str
) -> None:
    data, without, symbol = ended
    day = CALENDAR.offset(ENDS, 30)
    result = run_backtest(replace(data, proceeds=(Proceeds(symbol, day, Decimal(amount)),)), FIRST, day)
    before = run_backtest(data, FIRST, day)
    held = before.portfolio.positions[symbol]
    value = held.quantity * Decimal(amount)
    assert symbol not in result.portfolio.positions
    assert result.portfolio.cash - before.portfolio.cash == value.quantize(Decimal("0.01"))
    profit = float(result.portfolio.realised_pnl - before.portfolio.realised_pnl)
    assert profit == pytest.approx(float(value - held.quantity * held.average_cost), abs=0.006)
    assert result.portfolio.costs == before.portfolio.costs
    assert without.portfolio.positions[symbol].quantity == held.quantity


def test_proceeds_of_what_is_not_held_book_nothing(ended: tuple[SessionInput, BacktestResult, str]) -> None:
    data, without, _ = ended
    listed = (Proceeds("GLD", FIRST, Decimal(10)), Proceeds("UUP", LAST, Decimal(10)))
    result = run_backtest(replace(data, proceeds=listed), FIRST, LAST)
    np.testing.assert_array_equal(result.nav, without.nav)
    assert result.fills == without.fills


def test_proceeds_on_the_ex_date_of_a_split_pay_for_the_new_shares(
    ended: tuple[SessionInput, BacktestResult, str],
) -> None:
    data, _, symbol = ended
    day = CALENDAR.offset(ENDS, 30)
    row = int(np.searchsorted(data.panel.sessions, np.datetime64(day)))
    split = data.panel.split.copy()
    split[row, data.universe.positions[symbol]] = 3.0
    moved = replace(data, panel=replace(data.panel, split=split), proceeds=(Proceeds(symbol, day, Decimal(5)),))
    loop = run_backtest(moved, FIRST, day)
    (closing,) = [fill for fill in loop.fills if fill.broker == RECORDED]
    before = run_backtest(data, FIRST, CALENDAR.previous(day)).portfolio
    assert closing.quantity == 3 * before.positions[symbol].quantity
    assert_same(loop, slow_path(moved, last=day))


def old_prices_at_the_end(data: SessionInput, result: BacktestResult) -> tuple[OldPrice, ...]:
    row = int(np.searchsorted(data.panel.sessions, result.sessions[-1]))
    day, age = data.panel.price_day[row], data.panel.price_age[row]
    return old_prices(result.portfolio, data.universe.symbols, day, age, result.risk.retired)


def test_a_holding_at_an_old_price_is_named_with_its_share(ended: tuple[SessionInput, BacktestResult, str]) -> None:
    data, result, symbol = ended
    (found,) = [one for one in old_prices_at_the_end(data, result) if one.symbol == symbol]
    position, mark = result.portfolio.positions[symbol], result.portfolio.marks[symbol]
    assert (found.price_day, found.sessions) == (ENDS, len(CALENDAR.between(ENDS, LAST)) - 1)
    assert found.share == pytest.approx(float(position.quantity * mark / result.portfolio.nav), abs=1e-6)
    assert found.retired
    expected = f"{symbol} has had no price since {ENDS}: {position.quantity:f} shares valued at ${found.value:,.2f}"
    assert found.describe().startswith(f"{expected}, {100 * found.share:.1f} % of NAV")


def test_a_holding_with_a_price_of_the_session_is_not_named() -> None:
    data = market(gone=())
    result = run_backtest(data, FIRST, LAST)
    assert result.portfolio.positions
    assert old_prices_at_the_end(data, result) == ()


def test_the_panel_knows_the_age_of_every_price() -> None:
    panel = market(sessions=12).panel
    column = panel.symbols.index("XLE")
    rows = slice(*np.searchsorted(panel.sessions, [np.datetime64(ENDS), np.datetime64(CALENDAR.offset(ENDS, 14))]))
    assert panel.price_age[rows, column].tolist() == [*range(13), 0]
    assert set(panel.price_day[rows, column][:13].tolist()) == {ENDS}
    started = np.flatnonzero(panel.price_age[:, panel.symbols.index("DBC")] >= 0)[0]
    assert started > 0
    assert np.isnat(panel.price_day[started - 1, panel.symbols.index("DBC")])
    np.testing.assert_array_equal(panel.price_age == 0, panel.fresh)

"""The event loop: windows, openings, day orders, corporate actions, determinism."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from tests.builders.decisions import make_portfolio
from tests.builders.markets import (
    CALENDAR,
    FIRST,
    LAST,
    MONDAY,
    SATURDAY,
    backtest_input,
    market_of,
    random_bars,
    row_of,
    small_market,
)
from tests.builders.orders import order
from tests.builders.prices import instant
from trading_lib.backtest.engine import run_backtest
from trading_lib.domain.book.orders import Cancellation, Side
from trading_lib.domain.errors import SessionError
from trading_lib.orders.config import PreTradeConfig
from trading_lib.session.inputs import SessionInput
from trading_lib.session.opening import execute
from trading_lib.session.settle import settle_row
from trading_lib.session.window import window_rows

RICH = make_portfolio(100_000)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (LAST, FIRST, "the window 2023-03-31 to 2023-01-03 is inverted: swap the two dates"),
        (SATURDAY, date(2023, 2, 12), "there is no trading session from 2023-02-11 to 2023-02-12"),
        (date(2022, 12, 1), LAST, r"is not covered by the data \(2023-01-03 to 2023-03-31\)"),
        (FIRST, date(2023, 4, 3), r"is not covered by the data \(2023-01-03 to 2023-03-31\)"),
    ],
)
def test_an_impossible_window_says_so(first: date, last: date, words: str) -> None:
    with pytest.raises(SessionError, match=words):
        run_backtest(small_market(), first, last)


def test_a_window_need_not_begin_or_end_on_a_session() -> None:
    data = small_market()
    rows = window_rows(data.panel, CALENDAR, SATURDAY, date(2023, 2, 18))
    assert data.panel.sessions[rows.start].item() == MONDAY
    assert data.panel.sessions[rows.stop - 1].item() == date(2023, 2, 17)


def test_an_exchange_order_fills_at_the_next_sessions_open_and_a_coin_at_the_next_midnight() -> None:
    data = small_market()
    working = [order("SPY", Side.BUY, "10"), order("BTC-USD", Side.BUY, "0.5")]
    filled, cancelled = execute(data, RICH, working, row_of(data, MONDAY), MONDAY)
    assert cancelled == []
    spy, btc = filled
    assert spy.reference_price == 144  # Monday is day 44
    assert spy.filled_at == instant("2023-02-13 14:30")
    assert btc.reference_price == 142  # Saturday is day 42
    assert btc.filled_at == instant("2023-02-11 00:00")
    assert {fill.session for fill in filled} == {MONDAY}


@pytest.mark.parametrize("price", [np.nan, 0.0])
def test_a_day_order_without_an_opening_price_is_cancelled(price: float) -> None:
    data = small_market()
    data.panel.fill_open[row_of(data, MONDAY), :2] = price
    filled, cancelled = execute(data, RICH, [order("SPY", Side.BUY, "10")], row_of(data, MONDAY), MONDAY)
    assert filled == []
    reason = "SPY 2023-02-13: no opening price: the day order expired"
    assert cancelled == [Cancellation("SPY-BUY", "SPY", Side.BUY, Decimal(10), MONDAY, reason)]


def test_a_missing_bar_cancels_the_order_in_a_whole_run() -> None:
    bars = random_bars(date(2021, 1, 4), date(2022, 6, 30), seed=3, missing=0.10)
    result = run_backtest(backtest_input(market_of(bars)), date(2021, 11, 1), date(2022, 6, 30))
    filled = {fill.client_order_id for fill in result.fills}
    cancelled = {one.client_order_id for one in result.cancelled}
    assert cancelled
    assert filled.isdisjoint(cancelled)
    placed = {one.client_order_id for one in result.orders if one.session < date(2022, 6, 30)}
    assert filled | cancelled == placed


@pytest.mark.parametrize(("split", "sold"), [(2.0, "200"), (0.1, "10"), (1.5, "150")])
def test_an_order_to_sell_everything_still_does_on_the_day_of_a_split(split: float, sold: str) -> None:
    sessions = CALENDAR.between(FIRST, LAST)
    ratio = np.where(sessions == np.datetime64(MONDAY), split, 1.0)
    data = small_market(split=ratio)
    row = row_of(data, MONDAY)
    portfolio = make_portfolio(0, SPY=(100, 100, 100))
    filled, cancelled = execute(data, portfolio, [order("SPY", Side.SELL, "100")], row, MONDAY)
    assert cancelled == []
    assert filled[0].quantity == Decimal(sold)
    settled = settle_row(data, portfolio, row, MONDAY, filled)
    assert settled.positions == {}


def test_an_order_for_less_than_a_share_after_a_reverse_split_is_cancelled() -> None:
    ratio = np.where(CALENDAR.between(FIRST, LAST) == np.datetime64(MONDAY), 0.1, 1.0)
    data = small_market(split=ratio)
    filled, cancelled = execute(data, RICH, [order("SPY", Side.BUY, "5")], row_of(data, MONDAY), MONDAY)
    assert filled == []
    assert [one.reason for one in cancelled] == [
        "SPY 2023-02-13: less than one lot is left of the order after the split of 0.1"
    ]


def test_settling_pays_dividends_on_the_previous_holdings_and_marks_at_the_close() -> None:
    dividend = np.where(CALENDAR.between(FIRST, LAST) == np.datetime64(MONDAY), 0.75, 0.0)
    data = small_market(dividend=dividend)
    row = row_of(data, MONDAY)
    portfolio = make_portfolio(10_000, SPY=(40, 100, 140))
    filled, _ = execute(data, portfolio, [order("SPY", Side.BUY, "10")], row, MONDAY)
    settled = settle_row(data, portfolio, row, MONDAY, filled)
    assert settled.dividends == Decimal("30.00")  # 40 shares, not 50
    assert settled.marks == {"SPY": Decimal("144.5")}
    assert settled.session == MONDAY


def test_the_same_run_twice_is_the_same_to_the_last_bit() -> None:
    bars = random_bars(date(2021, 1, 4), date(2022, 6, 30), seed=8)
    one, other = (run_backtest(backtest_input(market_of(bars)), date(2021, 11, 1), date(2022, 6, 30)) for _ in range(2))
    assert one.nav.tobytes() == other.nav.tobytes()
    assert one.orders == other.orders
    assert one.fills == other.fills
    assert one.risk == other.risk
    assert len(one.fills) > 20


def test_a_result_describes_each_session() -> None:
    bars = random_bars(date(2021, 1, 4), date(2022, 6, 30), seed=8)
    seen: list[tuple[date, Decimal]] = []
    result = run_backtest(
        backtest_input(market_of(bars)),
        date(2021, 11, 1),
        date(2022, 6, 30),
        lambda day, decision, portfolio: seen.append((day, portfolio.nav)),
    )
    assert [day for day, _ in seen] == result.sessions.astype(object).tolist()
    assert [float(nav) for _, nav in seen] == result.nav.tolist()
    assert result.nav[0] == 100_000
    assert result.invested[0] == 0.0
    assert 0.3 < result.invested.max() <= 1.0
    assert result.portfolio.nav == seen[-1][1]
    assert result.risk.session == date(2022, 6, 30)


def test_a_refused_order_is_reported_and_never_filled() -> None:
    data = backtest_input(market_of(random_bars(date(2021, 1, 4), date(2022, 6, 30), seed=8)))
    tight = data.config.model_copy(update={"pre_trade": PreTradeConfig(max_order_notional=Decimal(8_000))})
    result = run_backtest(
        SessionInput(**{**{f: getattr(data, f) for f in data.__slots__}, "config": tight}),
        date(2021, 11, 1),
        date(2022, 6, 30),
    )
    assert result.denied
    assert all("above the limit of 8000" in reason for _, reason in result.denied)
    refused = {one.client_order_id for one, _ in result.denied}
    assert refused.isdisjoint(fill.client_order_id for fill in result.fills)
    assert refused.isdisjoint(one.client_order_id for one in result.orders)

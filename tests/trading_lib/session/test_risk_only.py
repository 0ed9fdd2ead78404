"""Days without a session: a stop of what trades every day fires there, sells, and nothing else happens."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.builders.markets import CALENDAR, backtest_input, market_of, random_bars
from tests.builders.prices import bars_of, price_rows
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.orders import Order, OrderPurpose, Side
from trading_lib.domain.book.portfolio import Portfolio, Position
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.market.prices import DailyBars
from trading_lib.orders.pre_trade import PreTradeContext, deny_reason
from trading_lib.session.inputs import SessionInput
from trading_lib.session.opening import execute
from trading_lib.session.risk_only import check_day, days_without_session, lowest_between, risk_only_days
from trading_lib.session.settle import settle_row
from trading_lib.workflows.data.market import Market

BITCOIN = "BTC-USD"
FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2023, 2, day) for day in (10, 11, 12, 13))
DAYS = [date(2023, 1, 2) + timedelta(days=k) for k in range(60)]


def config(days_without_session: bool = True) -> DecisionConfig:
    plain = DecisionConfig()
    stops = plain.risk.stops.model_copy(update={"days_without_session": days_without_session})
    return plain.model_copy(update={"risk": plain.risk.model_copy(update={"stops": stops})})


def market(closes: dict[date, float], opens: dict[date, float] | None = None, on: bool = True) -> SessionInput:
    """SPY at 100, and Bitcoin at 100 but for the given days."""
    sessions = CALENDAR.between(DAYS[0], DAYS[-1]).astype(object).tolist()
    close = np.array([closes.get(day, 100.0) for day in DAYS])
    opening = np.array([(opens or {}).get(day, 100.0) for day in DAYS])
    bitcoin = price_rows(
        BITCOIN,
        DAYS,
        open=opening,
        high=np.maximum(opening, close) + 1,
        low=np.minimum(opening, close) - 1,
        close=close,
    )
    return backtest_input(market_of(bars_of(bitcoin, price_rows("SPY", sessions, close=100.0))), config(on))


def book(quantity: str = "10", cost: str = "100", day: date = FRIDAY) -> Portfolio:
    held = Decimal(quantity)
    return Portfolio(
        day,
        Decimal(100_000),
        Decimal(100_000) + held * 100,
        {BITCOIN: Position(BITCOIN, held, Decimal(cost))} if held else {},
        {BITCOIN: Decimal(100)} if held else {},
    )


RISK = RiskState.opened(FRIDAY, 101_000.0)


def order(side: Side, quantity: str, session: date = FRIDAY) -> Order:
    nothing = Decimal(0)
    name, amount = f"{side}-{session}", Decimal(quantity)
    return Order(name, "b", session, BITCOIN, side, amount, Decimal(100), nothing, 0.0, OrderPurpose.REBALANCE, "")


def test_the_days_between_two_sessions() -> None:
    assert days_without_session(FRIDAY, MONDAY) == [SATURDAY, SUNDAY]
    assert days_without_session(date(2023, 2, 9), FRIDAY) == []


@pytest.mark.parametrize(("friday", "saturday"), [(82.0, 82.0), (100.0, 82.1)])
def test_no_stop_no_order(friday: float, saturday: float) -> None:
    data = market({FRIDAY: friday, SATURDAY: saturday})
    assert list(risk_only_days(data, book(), RISK, (), MONDAY)) == []


def test_a_stop_sells_at_the_opening_of_the_next_utc_day() -> None:
    """The close of Friday is complete on Saturday; what is ordered then trades as Sunday begins."""
    data = market({FRIDAY: 81.0, SATURDAY: 60.0}, {SUNDAY: 59.0})
    (checked,) = risk_only_days(data, book(), RISK, (), MONDAY)
    (sale,) = checked.orders
    assert (checked.day, sale.session, sale.side, sale.quantity) == (SATURDAY, SATURDAY, Side.SELL, Decimal(10))
    assert sale.purpose is OrderPurpose.RISK
    assert sale.reason == "BTC-USD lost 19.0% from its average cost 100.00, more than 18%"
    row = int(np.searchsorted(data.panel.sessions, np.datetime64(MONDAY)))
    (fill,), cancelled = execute(data, book(), checked.orders, row, MONDAY)
    assert (fill.reference_price, fill.filled_at.date(), fill.session) == (Decimal(59), SUNDAY, MONDAY)
    assert cancelled == []
    assert BITCOIN not in settle_row(data, book(), row, MONDAY, [fill]).positions


def test_without_the_configuration_nothing_is_checked() -> None:
    data = market({FRIDAY: 50.0, SATURDAY: 40.0}, on=False)
    assert list(risk_only_days(data, book(), RISK, (), MONDAY)) == []
    assert not np.isfinite(lowest_between(data)).any()


def test_a_check_sees_no_bar_of_its_own_day() -> None:
    """Saturday's bar is not complete on Saturday."""
    data = market({SATURDAY: 50.0})
    assert [day.day for day in risk_only_days(data, book(), RISK, (), MONDAY)] == [SUNDAY]


def test_the_loop_looks_at_every_close_that_a_check_sees() -> None:
    """Friday's bar is missing, so Saturday's check sees Thursday's close."""
    data = market({date(2023, 2, 9): 50.0})
    bars = data.panel.daily[BITCOIN]
    there = bars.days != np.datetime64(FRIDAY)
    fewer = DailyBars(*(getattr(bars, field.name)[there] for field in fields(bars)))
    data = replace(data, panel=replace(data.panel, daily={BITCOIN: fewer}))
    assert [day.day for day in risk_only_days(data, book(), RISK, (), MONDAY)] == [SATURDAY]
    row = int(np.searchsorted(data.panel.sessions, np.datetime64(MONDAY)))
    assert lowest_between(data)[row, data.universe.positions[BITCOIN]] == 50.0


def test_no_close_is_lowest_where_none_is_known() -> None:
    data = market({FRIDAY: float("nan"), SATURDAY: float("nan")})
    bars = data.panel.daily[BITCOIN]
    row, place = int(np.searchsorted(data.panel.sessions, np.datetime64(MONDAY))), data.universe.positions[BITCOIN]
    assert not np.isfinite(lowest_between(data)[row, place])
    earlier = DailyBars(*(getattr(bars, field.name)[:3] for field in fields(bars)))
    ended = replace(data, panel=replace(data.panel, daily={BITCOIN: earlier}))
    assert lowest_between(ended)[row, place] == bars.close[2], "the newest close that there is"
    nothing = DailyBars(*(getattr(bars, field.name)[:0] for field in fields(bars)))
    assert not np.isfinite(lowest_between(replace(data, panel=replace(data.panel, daily={BITCOIN: nothing})))).any()


def test_what_is_sold_already_is_not_sold_again() -> None:
    data = market({FRIDAY: 50.0, SATURDAY: 40.0})
    assert [day.day for day in risk_only_days(data, book(), RISK, (), MONDAY)] == [SATURDAY]
    waiting = order(Side.SELL, "10")
    assert list(risk_only_days(data, book(), RISK, (waiting,), MONDAY)) == []
    (rest,) = risk_only_days(data, book(), RISK, (order(Side.SELL, "4"),), MONDAY)
    assert rest.orders[0].quantity == 6


def test_a_purchase_that_has_traded_moves_the_average_cost() -> None:
    """10 at 100 and 30 at 60 cost 70 on average: a price of 60 is 14 % below it, and of 50 28 %."""
    purchase = order(Side.BUY, "30")
    assert list(risk_only_days(market({FRIDAY: 60.0}, {SATURDAY: 60.0}), book(), RISK, (purchase,), SATURDAY)) == []
    data = market({FRIDAY: 60.0, SATURDAY: 50.0}, {SATURDAY: 60.0})
    (checked,) = risk_only_days(data, book(), RISK, (purchase,), MONDAY)
    assert (checked.day, checked.orders[0].quantity) == (SUNDAY, Decimal(40))


def test_a_sale_after_a_purchase_that_cash_cut_sells_what_is_there() -> None:
    purchase = order(Side.BUY, "5000")
    data = market({FRIDAY: 100.0, SATURDAY: 50.0}, {SATURDAY: 100.0, SUNDAY: 100.0})
    (checked,) = risk_only_days(data, book(), RISK, (purchase,), MONDAY)
    row = int(np.searchsorted(data.panel.sessions, np.datetime64(MONDAY)))
    filled, cancelled = execute(data, book(), (purchase, *checked.orders), row, MONDAY)
    bought, sold = filled
    assert (bought.side, sold.side) == (Side.BUY, Side.SELL)
    assert sold.quantity == bought.quantity + 10 < checked.orders[0].quantity
    assert cancelled[1].reason.endswith("sold, as no more was held")
    assert BITCOIN not in settle_row(data, book(), row, MONDAY, filled).positions


def test_the_asset_is_not_bought_for_the_cool_off_from_the_next_session_on() -> None:
    data = market({FRIDAY: 80.0})
    state = replace(RISK, cooling_off={"SPY": 3}, halved=frozenset({"SPY"}))
    checked = check_day(data, book(), state, (), SATURDAY)
    assert checked is not None
    # The next session counts one down before it decides, so five are left for it and the four after it.
    assert dict(checked.risk.cooling_off) == {"SPY": 3, BITCOIN: 6}
    assert checked.risk.halved == {"SPY"}
    assert (checked.risk.session, checked.risk.level) == (SATURDAY, RISK.level)
    (event,) = checked.events
    assert (event.session, event.kind, event.symbol) == (SATURDAY, "stop_exit", BITCOIN)


def test_the_kill_switch_holds_the_sale_back_with_its_reason() -> None:
    checked = check_day(market({FRIDAY: 80.0}), book(), RISK, (), SATURDAY, kill_switch=True)
    assert checked is not None
    assert checked.orders == ()
    assert [reason for _, reason in checked.denied] == ["the kill switch is on"]


def test_nothing_may_be_bought_on_such_a_day() -> None:
    data = market({})
    context = PreTradeContext(data.universe, book(), None, {BITCOIN: 100.0}, data.config.pre_trade)
    reason = deny_reason(order(Side.BUY, "1"), context)
    assert reason == "buying BTC-USD is not allowed on a day without a session"


def traded(result: BacktestResult) -> list[Any]:
    return [result.fills, result.orders, result.events, result.denied, result.cancelled, result.nav.tolist()]


FIRST, LAST = date(2021, 1, 4), date(2022, 12, 30)
SEEDS = range(6)


def weekend_crashes(seed: int) -> Market:
    """A made-up market in which Bitcoin is at 70 % of itself on one weekend day in five."""
    bars = random_bars(FIRST, LAST, seed).frame
    weekend = pd.DatetimeIndex(bars["date"]).day_of_week >= 5
    chosen = np.random.default_rng(seed).random(len(bars)) < 0.2
    hit = (bars["symbol"] == BITCOIN).to_numpy() & weekend & chosen
    for name in ("open", "high", "low", "close"):
        bars.loc[hit, name] = (bars.loc[hit, name] * 0.7).round(4)
    return market_of(bars_of(bars))


def run(found: Market, on: bool, slow: bool = False) -> BacktestResult:
    observe = (lambda *seen: None) if slow else None
    return run_backtest(backtest_input(found, config(on)), date(2021, 11, 1), LAST, observe)


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_compiled_loop_and_the_slow_path_agree(seed: int, on: bool) -> None:
    found = weekend_crashes(seed)
    loop = run(found, on)
    assert traded(loop) == traded(run(found, on, slow=True))
    between = [order for order in loop.orders if not CALENDAR.contains(order.session)]
    assert all((order.symbol, order.side) == (BITCOIN, Side.SELL) for order in between)
    assert loop.order_count == len(loop.orders)


def test_such_crashes_are_sold_into() -> None:
    """Otherwise the test above would hold with the feature removed."""
    orders = [order for seed in SEEDS for order in run(weekend_crashes(seed), on=True).orders]
    assert sum(not CALENDAR.contains(order.session) for order in orders) > 5

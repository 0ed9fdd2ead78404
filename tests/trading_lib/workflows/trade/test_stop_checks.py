"""Days without a session in the pipeline: what a stop sells there, and that backtest and book agree to the cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.backtest.engine import run_backtest
from trading_lib.domain.book.orders import OrderEvent, OrderStatus, Side
from trading_lib.domain.errors import ConfigurationError, InputError, OvertakenSessionError, SessionError
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.market import market_from_source, session_input
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import research_source
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade import stop_checks
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.daily import trade_session
from trading_lib.workflows.trade.stop_checks import Checked, SoldOut
from trading_lib.workflows.trade.summary import render, session_summary

pytestmark = pytest.mark.postgres

FIRST, LAST = date(2020, 1, 2), date(2021, 2, 26)
OPENED = date(2021, 1, 4)
BITCOIN, BOOK = "BTC-USD", "demo-weekend"
# Bitcoin falls on the Saturday; what is known on Sunday sells, at Monday's first price.
SATURDAY, SUNDAY = date(2021, 1, 23), date(2021, 1, 24)
FRIDAY, MONDAY, TUESDAY = date(2021, 1, 22), date(2021, 1, 25), date(2021, 1, 26)


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bitcoin rises all the time, so that it is held, and loses 40 % on one Saturday."""
    folder = write_price_folder(tmp_path_factory.mktemp("data") / "prices", FIRST, LAST)
    path = folder / "prices.parquet"
    frame = pd.read_parquet(path)
    bitcoin = frame["symbol"] == BITCOIN
    days = frame.loc[bitcoin, "date"]
    rising = 100 * 1.004 ** ((days - pd.Timestamp(FIRST)) / pd.Timedelta(days=1))
    close = rising.where(days < pd.Timestamp(SATURDAY), rising * 0.6)
    opening = rising.where(days <= pd.Timestamp(SATURDAY), rising * 0.6)
    frame.loc[bitcoin, "open"], frame.loc[bitcoin, "close"] = opening.round(4), close.round(4)
    frame.loc[bitcoin, "high"] = pd.concat([opening, close], axis=1).max(axis=1).mul(1.001).round(4)
    frame.loc[bitcoin, "low"] = pd.concat([opening, close], axis=1).min(axis=1).mul(0.999).round(4)
    frame.to_parquet(path, index=False)
    return folder


def configured(settings: Settings, on: bool = True) -> Settings:
    decision = settings.configuration.decision
    stops = decision.risk.stops.model_copy(update={"days_without_session": on})
    risk = decision.risk.model_copy(update={"stops": stops})
    decision = decision.model_copy(update={"risk": risk})
    return replace(settings, configuration=replace(settings.configuration, decision=decision))


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return configured(make_settings(database_url, tmp_path))


def plan_for(settings: Settings, prices: Path, session: date) -> SessionPlan:
    return market_data.plan(session.isoformat(), "files", str(prices), BOOK, settings)


def sessions(settings: Settings, last: date) -> list[date]:
    return [day.item() for day in settings.calendar.between(OPENED, last)]


def trade_until(settings: Settings, prices: Path, last: date) -> None:
    plan = plan_for(settings, prices, OPENED)
    fetching.ingest_history(plan, settings, LAST)
    before = None
    for day in sessions(settings, last):
        if before is not None:
            check_between(settings, prices, before, day)
        trade_session(plan_for(settings, prices, day), settings)
        before = day


def check_between(settings: Settings, prices: Path, before: date, session: date) -> None:
    day = before + timedelta(days=1)
    while day < session:
        checked_and_sent(settings, prices, day)
        day += timedelta(days=1)


def checked_and_sent(settings: Settings, prices: Path, day: date) -> tuple[Checked, SoldOut]:
    plan = stop_checks.plan(day.isoformat(), "files", str(prices), BOOK, settings)
    stop_checks.ingest(plan, settings)
    run = stop_checks.open_run(plan, settings)
    return stop_checks.check(plan, run), stop_checks.send(plan, run)


def book(settings: Settings, prices: Path, session: date) -> BookRun:
    return BookRun.open(plan_for(settings, prices, session), settings)


@pytest.fixture
def friday(settings: Settings, prices: Path) -> Settings:
    trade_until(settings, prices, FRIDAY)
    assert book(settings, prices, FRIDAY).portfolio().positions[BITCOIN].quantity > 0
    return settings


def test_a_stop_of_a_sunday_sells_at_mondays_first_price(friday: Settings, prices: Path) -> None:
    assert checked_and_sent(friday, prices, SATURDAY)[0] == {"day": "2021-01-23", "stops": 0, "orders": 0}
    checked, sent = checked_and_sent(friday, prices, SUNDAY)
    assert checked == {"day": "2021-01-24", "stops": 1, "orders": 1}
    assert sent == {"day": "2021-01-24", "sent": 1, "denied": 0, "unknown": 0}
    trade_session(plan_for(friday, prices, MONDAY), friday)
    run = book(friday, prices, MONDAY)
    assert BITCOIN not in run.portfolio().positions
    (fill,) = [fill for fill in run.orders.fills(BOOK, MONDAY) if fill.symbol == BITCOIN]
    assert (fill.side, fill.filled_at, fill.session) == (Side.SELL, datetime(2021, 1, 25, tzinfo=UTC), MONDAY)
    (event,) = run.state.risk_events(BOOK, SUNDAY)
    assert (event.kind, event.symbol) == ("stop_exit", BITCOIN)
    state = run.state.risk_state(BOOK, MONDAY)
    assert state is not None
    assert state.cooling_off[BITCOIN] == friday.configuration.decision.risk.stops.cool_off_sessions


def test_mondays_summary_tells_the_stop_of_the_sunday(friday: Settings, prices: Path) -> None:
    checked_and_sent(friday, prices, SUNDAY)
    trade_session(plan_for(friday, prices, MONDAY), friday)
    for session, orders in ((FRIDAY, 0), (MONDAY, 1), (TUESDAY, 0)):
        if session == TUESDAY:
            trade_session(plan_for(friday, prices, TUESDAY), friday)
        summary = session_summary(BOOK, session.isoformat(), friday)
        between, text = summary["between_sessions"], render(summary)
        assert (len(between["orders"]), len(between["risk_events"])) == (orders, orders)
        assert ("Risk on 2021-01-24, a day without a session: BTC-USD lost" in text) is (session == MONDAY)


def test_the_same_day_again_changes_nothing(friday: Settings, prices: Path) -> None:
    first = checked_and_sent(friday, prices, SUNDAY)
    orders = book(friday, prices, FRIDAY).orders.orders(BOOK)
    again = checked_and_sent(friday, prices, SUNDAY)
    assert again[0] == first[0]
    assert again[1] == {"day": "2021-01-24", "sent": 0, "denied": 0, "unknown": 0}
    assert book(friday, prices, FRIDAY).orders.orders(BOOK) == orders


def test_the_kill_switch_stops_the_sale(friday: Settings, prices: Path) -> None:
    book(friday, prices, FRIDAY).kill_switch.turn_on("test", datetime(2021, 1, 24, tzinfo=UTC))
    checked, sent = checked_and_sent(friday, prices, SUNDAY)
    assert (checked["orders"], sent["sent"], sent["denied"]) == (1, 0, 1)


def test_a_sale_that_was_sent_before_a_crash_is_looked_up(friday: Settings, prices: Path) -> None:
    plan = stop_checks.plan(SUNDAY.isoformat(), "files", str(prices), BOOK, friday)
    run = stop_checks.open_run(plan, friday)
    stop_checks.check(plan, run)
    (order, status) = run.orders.orders(BOOK, session=SUNDAY)[0]
    assert status is OrderStatus.INTENDED
    run.orders.record(order.client_order_id, OrderEvent.SUBMIT, friday.clock(), broker="paper")
    assert stop_checks.send(plan, run)["sent"] == 1
    assert run.orders.orders(BOOK, session=SUNDAY)[0][1] is OrderStatus.WORKING


def test_a_day_whose_book_has_gone_on_is_refused(friday: Settings, prices: Path) -> None:
    trade_session(plan_for(friday, prices, MONDAY), friday)
    with pytest.raises(OvertakenSessionError, match=r"stops of 2021-01-24 come too late: .* gone on to 2021-01-25"):
        checked_and_sent(friday, prices, SUNDAY)


def test_the_session_before_has_to_be_done(settings: Settings, prices: Path) -> None:
    fetching.ingest_history(plan_for(settings, prices, OPENED), settings, LAST)
    plan = stop_checks.plan(SUNDAY.isoformat(), "files", str(prices), BOOK, settings)
    with pytest.raises(InputError, match="there is no book 'demo-weekend': run a session of it first"):
        stop_checks.open_run(plan, settings)
    trade_session(plan_for(settings, prices, OPENED), settings)
    with pytest.raises(InputError, match="session 2021-01-22 of book demo-weekend is not decided and sent yet"):
        stop_checks.check(plan, stop_checks.open_run(plan, settings))


@pytest.mark.parametrize(
    ("day", "on", "error", "words"),
    [
        ("2021-01-22", True, SessionError, "2021-01-22 is a session: its stops are checked by its decision"),
        ("2027-01-02", True, SessionError, "the stops of 2027-01-02 are checked at 2027-01-02 21:30 UTC"),
        ("2021-01-24", False, ConfigurationError, "stops.days_without_session is false"),
    ],
)
def test_days_that_cannot_be_checked(
    settings: Settings, prices: Path, day: str, on: bool, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        stop_checks.plan(day, "files", str(prices), BOOK, configured(settings, on))


def test_the_newest_day_is_the_default(settings: Settings, prices: Path) -> None:
    """The clock stands at a Friday; the Sunday before is the newest day without a session."""
    plan = stop_checks.plan(None, "files", str(prices), BOOK, settings)
    assert (plan.day, plan.session.session, plan.session.groups) == (
        date(2026, 11, 15),
        date(2026, 11, 13),
        ("crypto",),
    )


def test_backtest_and_book_agree_to_the_cent(settings: Settings, prices: Path) -> None:
    trade_until(settings, prices, date(2021, 2, 5))
    universe, calendar = settings.configuration.universe, settings.calendar
    source = research_source(prices, settings)
    market = market_from_source(source, universe, calendar, date(2021, 2, 5), settings.clock()).market
    result = run_backtest(session_input(settings, market, BOOK), OPENED, date(2021, 2, 5))
    run = book(settings, prices, date(2021, 2, 5))
    assert [float(nav) for _, nav in run.state.nav_history(BOOK)] == result.nav.tolist()
    assert run.orders.fills(BOOK) == sorted(result.fills, key=lambda f: (f.filled_at, f.broker, f.trade_id))
    assert {event.session for event in result.events if event.symbol == BITCOIN} >= {SUNDAY}
    assert run.state.risk_events(BOOK) == list(result.events)

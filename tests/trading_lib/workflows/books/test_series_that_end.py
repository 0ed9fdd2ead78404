"""A series that ends while a book holds it: parity with the backtest, proceeds booked once, and what is reported."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.builders.parity import fill_figures, order_figures
from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.database import MakeDatabase, table_contents
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.proceeds_store import ProceedsStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.domain.book.orders import Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.book.proceeds import RECORDED
from trading_lib.domain.errors import InputError, TradingError
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.books import proceeds, trade_history
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.operations import bootstrap as history
from trading_lib.workflows.research import backtest as backtesting
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade import tasks as trading
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.daily import run_daily, trade_session
from trading_lib.workflows.trade.summary import render, session_summary

pytestmark = pytest.mark.postgres

CALENDAR = exchange_sessions()
BOOK = "demo-ended"
LAST = date(2021, 6, 15)
ENDS = CALENDAR.offset(LAST, -45)
RETIRED = CALENDAR.offset(ENDS, 20)


def folder_without_prices_after(folder: Path, ends: date, symbols: Sequence[str]) -> Path:
    data = write_price_folder(folder, date(2020, 1, 2), date(2021, 6, 30))
    prices = pd.read_parquet(data / "prices.parquet")
    lost = prices["symbol"].isin(symbols) & (prices["date"] > pd.Timestamp(ends))
    prices[~lost].to_parquet(data / "prices.parquet", index=False)
    return data


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a book that opens 60 sessions before `LAST` holds for a fifth of that time and still when prices end."""
    folder = tmp_path_factory.mktemp("all")
    data = write_price_folder(folder / "prices", date(2020, 1, 2), date(2021, 6, 30))
    settings = make_settings("postgresql+psycopg2://nobody@nowhere/none", folder)
    run = backtesting.backtest(settings, CALENDAR.offset(LAST, -60), ENDS, data)
    exchange = [symbol for symbol in run.result.portfolio.positions if symbol != "BTC-USD"]
    assert exchange, "choose other prices: nothing is held when they end"
    return max(exchange, key=lambda symbol: run.result.portfolio.weight(symbol))


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, held: str) -> Path:
    """A folder that nobody writes to."""
    return folder_without_prices_after(tmp_path_factory.mktemp("ended") / "prices", ENDS, [held])


@pytest.fixture
def data(ended: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(ended, tmp_path / "prices"))


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


def plan_for(settings: Settings, data: Path, session: date) -> SessionPlan:
    return market_data.plan(session.isoformat(), "files", str(data), BOOK, settings)


def replay_until(settings: Settings, data: Path, session: date) -> None:
    """Trade the 60 sessions before ``session``."""
    history.bootstrap("files", str(data), session.isoformat(), BOOK, lambda line: None, settings, track_backtest=False)


def run_session(settings: Settings, data: Path, session: date) -> dict[str, object]:
    return run_daily(plan_for(settings, data, session), settings)


def portfolio_of(settings: Settings, session: date) -> Portfolio:
    portfolio = StateStore(settings.engine()).portfolio(BOOK, session)
    assert portfolio is not None
    return portfolio


def assert_same_as_backtest(settings: Settings, data: Path, last: date) -> None:
    state, stored = StateStore(settings.engine()), OrderStore(settings.engine())
    curve = state.nav_history(BOOK)
    run = backtesting.backtest(settings, curve[0][0], last, data)
    days = [day.item() for day in run.result.sessions]
    assert [(day, float(nav)) for day, nav in curve] == list(zip(days, run.result.nav, strict=True))
    orders = [order for order, _ in stored.orders(BOOK)]
    assert sorted(map(order_figures, orders)) == sorted(map(order_figures, run.result.orders))
    traded = [fill for fill in run.result.fills if fill.broker != RECORDED]
    assert sorted(map(fill_figures, stored.fills(BOOK))) == sorted(map(fill_figures, traded))
    closed = [one for day in days for one in proceeds.closings_of(state, BOOK, day)]
    assert closed == run.report["closings"]
    assert [event for event in state.risk_events(BOOK) if event.kind != "approval"] == list(run.result.events)
    ours, theirs = portfolio_of(settings, last), run.result.portfolio
    assert (ours.cash, ours.realised_pnl, ours.positions) == (theirs.cash, theirs.realised_pnl, theirs.positions)


@pytest.mark.parametrize("listed", [False, True], ids=["without proceeds", "with proceeds in the folder"])
def test_backtest_and_pipeline_agree_on_a_series_that_ends(
    settings: Settings, data: Path, held: str, listed: bool
) -> None:
    day = CALENDAR.offset(RETIRED, 10)
    if listed:
        entry = {"symbol": held, "session": day, "amount_per_share": 43.21, "note": "merger"}
        (data / "proceeds.yaml").write_text(yaml.safe_dump([entry]))
    replay_until(settings, data, LAST)
    run_session(settings, data, LAST)
    assert_same_as_backtest(settings, data, LAST)
    events = [e for e in StateStore(settings.engine()).risk_events(BOOK) if e.kind == "retired"]
    assert [(event.symbol, event.session) for event in events] == [(held, RETIRED)]
    assert (held in portfolio_of(settings, LAST).positions) is not listed
    late = [o for o, _ in OrderStore(settings.engine()).orders(BOOK) if o.symbol == held and o.session >= RETIRED]
    assert late == []


def test_run_daily_names_the_holding_in_its_stages_text_and_json(settings: Settings, data: Path, held: str) -> None:
    session = CALENDAR.offset(RETIRED, 2)
    replay_until(settings, data, session)
    results = run_session(settings, data, session)
    portfolio = portfolio_of(settings, session)
    position, share = portfolio.positions[held], portfolio.weight(held)
    value = position.quantity * portfolio.marks[held]
    judged = results["check_completeness"]
    assert (judged["severity"], judged["missing"], judged["ended"]) == ("WARNING", [], [held])  # type: ignore[index]
    assert judged["lines"] == [f"{held} has had no bar since {ENDS}: it is retired"]  # type: ignore[index]
    line = f"{held} has had no price since {ENDS}: {position.quantity:f} shares valued at ${value:,.2f}, "
    for stage in ("settle", "report"):
        (told,) = results[stage]["old_prices"]  # type: ignore[index]
        assert told.startswith(line + f"{100 * share:.1f} % of NAV; retired")
    summary = session_summary(BOOK, session.isoformat(), settings)
    (record,) = summary["old_prices"]
    assert (record["symbol"], record["last_price_day"], record["retired"]) == (held, ENDS.isoformat(), True)
    assert record["sessions_without_price"] == 22
    assert record["share_of_nav"] == pytest.approx(share, abs=1e-6)
    assert f"Old price: {told}" in render(summary)


def test_a_backtest_names_the_holding_in_report_and_tear_sheet(settings: Settings, data: Path, held: str) -> None:
    run = backtesting.backtest(settings, CALENDAR.offset(LAST, -60), LAST, data)
    (record,) = run.report["old_prices"]
    assert (record["symbol"], record["last_price_day"]) == (held, ENDS.isoformat())
    assert run.report["notes"][0].startswith(record["message"])
    lost = [o for o in run.result.orders if o.symbol == held and o.client_order_id in run.result.cancelled]
    assert record["cancelled_orders"] == len(lost) <= 20
    assert f"{held} has had no price since {ENDS}" in backtesting.tear_sheet(run).decode()


@pytest.fixture(scope="module")
def retired(make_database: MakeDatabase, ended: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Database with a book that still holds a symbol retired two sessions before."""
    url = make_database()
    settings = make_settings(url, tmp_path_factory.mktemp("retired"))
    replay_until(settings, ended, CALENDAR.offset(RETIRED, 3))
    fetching.ingest_history(plan_for(settings, ended, LAST), settings, LAST)
    return url


@pytest.fixture
def retired_book(retired: str, make_database: MakeDatabase, tmp_path: Path) -> Settings:
    """The book of `retired` in a database of the test's own."""
    return make_settings(make_database(of=retired), tmp_path)


def record(settings: Settings, symbol: str, amount: str, session: date, note: str = "merger") -> dict[str, object]:
    return proceeds.record(BOOK, symbol, amount, session, "operator", note, settings)


def test_recorded_proceeds_are_booked_once_and_reconcile(retired_book: Settings, ended: Path, held: str) -> None:
    before = portfolio_of(retired_book, CALENDAR.offset(RETIRED, 2))
    session = CALENDAR.offset(RETIRED, 3)
    result = record(retired_book, held, "43.21", session)
    assert (result["books_on"], result["quantity"]) == (session.isoformat(), str(before.positions[held].quantity))
    plan = plan_for(retired_book, ended, session)
    stages = trade_session(plan, retired_book)
    after, position = portfolio_of(retired_book, session), before.positions[held]
    assert held not in after.positions
    cash = position.quantity * Decimal("43.21")
    profit, moved = float(cash - position.quantity * position.average_cost), cash
    for fill in OrderStore(retired_book.engine()).fills(BOOK, session):
        sold = fill.side is Side.SELL
        moved += (fill.quantity * fill.price).quantize(Decimal("0.01")) * (1 if sold else -1) - fill.commission
        cost = before.positions[fill.symbol].average_cost if sold else fill.price
        profit += float(fill.quantity * (fill.price - cost)) if sold else 0.0
    assert float(after.realised_pnl - before.realised_pnl) == pytest.approx(profit, abs=0.02)
    assert after.cash == before.cash + after.dividends - before.dividends + moved
    assert stages["reconcile"]["differences"] == 0
    assert stages["settle"]["closings"] == [
        f"{held} was closed on {session} by recorded proceeds: {position.quantity:f} shares at $43.21 a share, "
        f"${cash:,.2f}"
    ]
    tables = {t: table_contents(retired_book.engine(), t) for t in sorted(metadata.tables)}
    again = trade_session(plan, retired_book)
    assert (again["settle"], again["reconcile"]) == (stages["settle"], stages["reconcile"])
    assert {t: table_contents(retired_book.engine(), t) for t in sorted(metadata.tables)} == tables
    following = trade_session(plan_for(retired_book, ended, CALENDAR.next(session)), retired_book)
    assert "closings" not in following["settle"]
    assert following["reconcile"]["differences"] == 0
    told = trade_history.listing(BOOK, settings=retired_book)
    closed = next(trade for trade in told["trades"] if trade["symbol"] == held and trade["broker"] == "recorded")
    assert (closed["exit_price"], closed["reason"]) == (Decimal("43.21"), "recorded proceeds")
    assert told["totals"]["not_listed"] == 0


def test_proceeds_of_a_settled_session_are_booked_by_the_next(retired_book: Settings, ended: Path, held: str) -> None:
    result = record(retired_book, held, "0", CALENDAR.next(ENDS), "worthless")
    session = CALENDAR.offset(RETIRED, 3)
    assert (result["books_on"], result["proceeds"]) == (session.isoformat(), "0.00")
    stages = trade_session(plan_for(retired_book, ended, session), retired_book)
    assert held not in portfolio_of(retired_book, session).positions
    assert stages["reconcile"]["differences"] == 0


def test_until_they_are_booked_the_newest_record_counts_and_all_are_kept(
    retired_book: Settings, ended: Path, held: str
) -> None:
    session, later = CALENDAR.offset(RETIRED, 3), CALENDAR.offset(RETIRED, 4)
    record(retired_book, held, "99", session)
    then = replace(retired_book, clock=lambda: retired_book.clock() + timedelta(minutes=1))
    record(then, held, "43.21", later)
    for day in (session, later):
        trade_session(plan_for(retired_book, ended, day), retired_book)
    state = StateStore(retired_book.engine())
    assert proceeds.closings_of(state, BOOK, session) == []
    assert [one["amount_per_share"] for one in proceeds.closings_of(state, BOOK, later)] == ["43.21"]
    kept = ProceedsStore(retired_book.engine()).history(BOOK)
    assert [(str(r.proceeds.amount_per_share), r.recorded_by, r.proceeds.note) for r in kept] == [
        ("99", "operator", "merger"),
        ("43.21", "operator", "merger"),
    ]


def test_proceeds_that_cannot_be_are_refused(retired_book: Settings, held: str) -> None:
    session = CALENDAR.offset(RETIRED, 3)
    with pytest.raises(InputError, match=r"holds no UUP.*use one of"):
        record(retired_book, "UUP", "1", session)
    with pytest.raises(InputError, match=f"{held} has a price of {ENDS}, so it can be sold"):
        record(retired_book, held, "1", ENDS)
    for amount in ("-1", "nan", "a", "1.0000001"):
        with pytest.raises(InputError, match="is no amount of dollars per share"):
            record(retired_book, held, amount, session)
    with pytest.raises(TradingError, match="no trading session"):
        record(retired_book, held, "1", date(2021, 5, 29))
    assert ProceedsStore(retired_book.engine()).history(BOOK) == []


def test_a_holding_that_disappears_without_proceeds_does_not_reconcile(
    retired_book: Settings, ended: Path, held: str
) -> None:
    session = CALENDAR.offset(RETIRED, 3)
    plan = plan_for(retired_book, ended, session)
    trading.settle(plan, BookRun.open(plan, retired_book))
    record(retired_book, held, "43.21", session)
    trading.reconcile(plan, BookRun.open(plan, retired_book))
    with retired_book.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE recorded_proceeds SET books_on = settled")
    with pytest.raises(TradingError, match=f"{held}: .* stored, 0 from fills"):
        trading.reconcile(plan, BookRun.open(plan, retired_book))


def test_a_fresh_database_decides_with_the_whole_history(settings: Settings, data: Path, tmp_path: Path) -> None:
    session = date(2021, 6, 10)
    said: list[str] = []
    results = run_daily(plan_for(settings, data, session), settings, said.append)
    assert any("too little history before 2021-06-10 is stored, loading all" in line for line in said)
    assert results["ingest etf"]["history_from"] == "1990-01-02"
    assert results["signals"]["complete"] >= 14
    fresh = session_summary(BOOK, session.isoformat(), settings)
    other = "demo-ingested"
    plan = plan_for(settings, data, session)
    assert fetching.ingest_history(plan, settings, session)["inserted"] == 0
    run_daily(replace(plan, book=other), settings)
    ingested = session_summary(other, session.isoformat(), settings)
    for name in ("nav", "signals", "skipped", "regime", "risk_level"):
        assert fresh[name] == ingested[name], name
    assert [(o["symbol"], o["quantity"]) for o in fresh["orders"]] == [
        (o["symbol"], o["quantity"]) for o in ingested["orders"]
    ]
    assert fresh["orders"]
    again: list[str] = []
    tables = {t: table_contents(settings.engine(), t) for t in sorted(metadata.tables)}
    run_daily(plan, settings, again.append)
    assert {t: table_contents(settings.engine(), t) for t in sorted(metadata.tables)} == tables
    assert not any("too little history" in line for line in again)


def test_history_is_loaded_again_after_a_hole_in_what_was_fetched(settings: Settings, data: Path) -> None:
    assert "history_from" in market_data.ingest(plan_for(settings, data, date(2021, 1, 4)), "etf", settings)
    later = plan_for(settings, data, date(2021, 6, 10))
    # A past session is fetched with the weeks that follow it.
    ahead = settings.configuration.sources.ingest.fetch_ahead_days
    assert timedelta(days=ahead) < date(2021, 5, 31) - date(2021, 1, 4)
    assert "etf" in market_data.groups_to_ingest(later, settings=settings)
    assert "history_from" in market_data.ingest(later, "etf", settings)
    assert "history_from" not in market_data.ingest(later, "etf", settings)
    assert "etf" not in market_data.groups_to_ingest(later, settings=settings)


def test_a_source_with_too_little_history_is_a_warning_that_names_its_symbols(
    settings: Settings, tmp_path: Path
) -> None:
    data = write_price_folder(tmp_path / "short", date(2021, 3, 1), date(2021, 6, 30))
    results = run_session(settings, data, date(2021, 6, 10))
    judged = results["check_completeness"]
    assert judged["severity"] == "WARNING"  # type: ignore[index]
    lines = [line for line in judged["lines"] if "sessions of history" in line]  # type: ignore[index]
    assert len(lines) == len(settings.configuration.universe)
    assert f"SPY has {len(CALENDAR.between(date(2021, 3, 1), date(2021, 6, 10)))} sessions of history" in "".join(lines)
    assert judged["warnings"] == len(lines)  # type: ignore[index]


def test_what_the_source_never_had_is_a_warning_that_names_it(settings: Settings, data: Path) -> None:
    prices = pd.read_parquet(data / "prices.parquet")
    prices[~prices["symbol"].isin(["QQQ", "BTC-USD"])].to_parquet(data / "prices.parquet", index=False)
    (data / "volatility.csv").unlink()
    plan = plan_for(settings, data, CALENDAR.previous(ENDS))
    fetching.ingest_history(plan, settings, ENDS)
    judged = market_data.check_completeness(plan, settings)
    assert judged["severity"] == "WARNING"
    said = [line for line in judged["lines"] if line.startswith("files:prices: ")]
    assert said == [
        "files:prices: no prices for QQQ, BTC-USD",
        "files:prices: no ^VIX: all sessions count as HIGH_VOL",
    ]


def test_what_ingestion_warned_of_reaches_the_validate_stage(settings: Settings, tmp_path: Path) -> None:
    data = write_price_folder(tmp_path / "prices", date(2020, 1, 2), date(2021, 6, 30))
    prices = pd.read_parquet(data / "prices.parquet")
    row = (prices["symbol"] == "GLD") & (prices["date"] == pd.Timestamp("2021-06-10"))
    prices.loc[row, "volume"] = 0.0
    prices.to_parquet(data / "prices.parquet", index=False)
    judged = run_session(settings, data, date(2021, 6, 10))["check_completeness"]
    assert judged["severity"] == "WARNING"  # type: ignore[index]
    assert judged["lines"] == ["GLD 2021-06-10: nothing was traded on a trading day"]  # type: ignore[index]
    assert judged["warnings"] == 1  # type: ignore[index]
    clean = run_session(settings, data, date(2021, 6, 11))["check_completeness"]
    assert (clean["severity"], clean["lines"], clean["warnings"]) == ("OK", [], 0)  # type: ignore[index]

"""Backtest and paper pipeline give the same orders, fills and net asset value, to the cent (SPEC section 2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from sqlalchemy import text

from tests.price_folder import write_price_folder
from tests.workflows.workflow_settings import make_settings
from trading_lib.accounting.closed_trades import is_closing
from trading_lib.adapters.stores.order_store import OrderStore
from trading_lib.adapters.stores.state_store import StateStore
from trading_lib.domain.orders import Fill, Order
from trading_lib.domain.sessions import exchange_sessions
from trading_lib.workflows import backtesting, history, market_data, trade_history
from trading_lib.workflows.daily import run_daily
from trading_lib.workflows.settings import Settings

# Long runs of code whose coverage other tests measure: tracing them would only take time.
pytestmark = [pytest.mark.postgres, pytest.mark.no_cover]
BOOK = "demo-parity"


def order_figures(order: Order) -> tuple[object, ...]:
    return (order.session, order.symbol, order.side, order.quantity, order.expected_price, order.purpose, order.reason)


def fill_figures(fill: Fill) -> tuple[object, ...]:
    return (fill.session, fill.symbol, fill.side, fill.quantity, fill.price, fill.commission, fill.filled_at)


def assert_same_as_backtest(settings: Settings, data: Path, last: date) -> int:
    engine = settings.engine()
    curve = StateStore(engine).nav_history(BOOK)
    assert curve[-1][0] == last
    run = backtesting.backtest(settings, curve[0][0], last, data)
    assert [(day, float(nav)) for day, nav in curve] == [
        (day.item(), nav) for day, nav in zip(run.result.sessions, run.result.nav, strict=True)
    ]
    stored = OrderStore(engine)
    orders = [order for order, _ in stored.orders(BOOK)]
    assert sorted(map(order_figures, orders)) == sorted(map(order_figures, run.result.orders))
    assert sorted(map(fill_figures, stored.fills(BOOK))) == sorted(map(fill_figures, run.result.fills))
    assert_closed_trades_explain_the_books(settings)
    events = StateStore(engine).risk_events(BOOK)
    assert events == list(run.result.events)
    assert [event.resolved_session for event in events] == [event.resolved_session for event in run.result.events]
    return len(run.result.fills)


def assert_closed_trades_explain_the_books(settings: Settings) -> None:
    """Each closing fill is a closed trade, and together they are the realised profit, to the cent."""
    engine = settings.engine()
    listed, booked = trade_history.listing(BOOK, settings=settings), StateStore(engine).latest_portfolio(BOOK)
    assert booked is not None
    assert listed["totals"]["gross_pnl"] == booked.realised_pnl
    assert listed["totals"]["not_listed"] == 0
    closing = [fill for fill in OrderStore(engine).fills(BOOK) if is_closing(fill)]
    assert closing
    assert {trade["trade_id"] for trade in listed["trades"]} == {fill.trade_id for fill in closing}
    assert all(trade["purpose"] and trade["reason"] for trade in listed["trades"])


def pipeline(settings: Settings, data: Path, last: date) -> None:
    """Replay 60 sessions, then run the last one the way the DAGs do, ingestion included."""
    history.bootstrap("files", str(data), last.isoformat(), BOOK, lambda line: None, settings, track_backtest=False)
    run_daily(market_data.plan(last.isoformat(), "files", str(data), BOOK, settings), settings)


def test_backtest_and_pipeline_agree_on_made_up_prices(database_url: str, tmp_path: Path) -> None:
    data = write_price_folder(tmp_path / "prices", date(2020, 1, 2), date(2021, 6, 30))
    settings = make_settings(database_url, tmp_path)
    pipeline(settings, data, date(2021, 6, 15))
    assert assert_same_as_backtest(settings, data, date(2021, 6, 15)) > 10


def damage(data: Path, sessions: tuple[date, ...]) -> None:
    """Plant what a vendor gets wrong: a unit, a broken range with a dividend on it, a spike, a second source off."""
    prices = pd.read_parquet(data / "prices.parquet")
    second = prices[["symbol", "date", "open", "high", "low", "close", "volume"]].copy()
    columns = ["open", "high", "low", "close"]

    def row(symbol: str, session: date) -> pd.Series:
        return (prices["symbol"] == symbol) & (prices["date"] == pd.Timestamp(session))

    unit, broken, spike, doubtful = sessions
    prices.loc[row("GLD", unit), columns] *= 100
    prices.loc[row("SPY", broken), ["high", "dividend"]] = [1.0, 0.9]
    prices.loc[row("QQQ", spike), columns] *= 1.3
    second.loc[row("QQQ", spike), columns] *= 1.3
    second.loc[row("TLT", doubtful), columns] *= 1.1
    prices.to_parquet(data / "prices.parquet", index=False)
    second.to_parquet(data / "second.parquet", index=False)
    roles = {
        "prices": [{"file": "prices.parquet"}, {"file": "volatility.csv"}],
        "cross_check": [{"file": "second.parquet"}],
    }
    (data / "dataset.yaml").write_text(yaml.safe_dump(roles))


def test_bad_bars_are_kept_out_of_both_alike(database_url: str, tmp_path: Path) -> None:
    """History is loaded a quarter at a time and ten days again each session; the backtest reads it all at once."""
    data = write_price_folder(tmp_path / "prices", date(2020, 1, 2), date(2021, 6, 30))
    sessions = tuple(exchange_sessions().offset(date(2021, 6, 15), -number) for number in (8, 6, 4, 1))
    damage(data, sessions)
    settings = make_settings(database_url, tmp_path)
    last = date(2021, 6, 15)
    history.bootstrap("files", str(data), "2021-06-02", BOOK, lambda line: None, settings, track_backtest=False)
    day = date(2021, 6, 2)
    while day <= last:
        session = settings.calendar.data_time(day)
        then = replace(settings, clock=lambda moment=session: moment + timedelta(minutes=20))
        run_daily(market_data.plan(day.isoformat(), "files", str(data), BOOK, then), then)
        day = settings.calendar.next(day)
    assert assert_same_as_backtest(settings, data, last) > 10
    with settings.engine().connect() as connection:
        kept_out = connection.execute(text("SELECT symbol, session FROM quarantine ORDER BY session")).all()
    unit, broken, _, doubtful = sessions
    assert [tuple(row) for row in kept_out] == [("GLD", unit), ("SPY", broken), ("TLT", doubtful)]


@pytest.mark.parametrize("last", [date(2020, 4, 9), date(2022, 6, 15)])
def test_backtest_and_pipeline_agree_on_sixty_real_sessions(
    database_url: str, tmp_path: Path, shared_market_data: Path, last: date
) -> None:
    settings = make_settings(database_url, tmp_path)
    pipeline(settings, shared_market_data, last)
    assert assert_same_as_backtest(settings, shared_market_data, last) > 10

"""Backtest and paper pipeline give the same orders, fills and net asset value, to the cent.

See docs/specification.md#parity.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from sqlalchemy import text

from tests.builders.parity import BOOK, assert_same_as_backtest, pipeline
from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.orders import Fill, OrderEvent, OrderStatus, Side
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.operations import bootstrap as history
from trading_lib.workflows.research import backtest as backtesting
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.daily import run_daily

# Long runs of code whose coverage other tests measure: tracing them would only take time.
pytestmark = [pytest.mark.postgres, pytest.mark.no_cover]


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


def spending_all(settings: Settings) -> Settings:
    """The same without a cash buffer, so that an opening above the close leaves too little cash.

    No stop sells between sessions, either: what it frees pays for what is to come out short.
    """
    decision = settings.configuration.decision
    stops = decision.risk.stops.model_copy(update={"days_without_session": False})
    changes = {
        "risk": decision.risk.model_copy(update={"stops": stops}),
        "constraints": decision.constraints.model_copy(update={"cash_buffer": 0.0, "max_leverage": 1.0}),
        "orders": decision.orders.model_copy(update={"cash_buffer": 0.0, "max_daily_turnover": 2.0}),
    }
    configuration = replace(settings.configuration, decision=decision.model_copy(update=changes))
    return replace(settings, configuration=configuration)


def spoil_openings(data: Path, fills: tuple[Fill, ...]) -> None:
    """Put the openings of some of the fills off by ten, and let others gap up with their bar."""
    prices = pd.read_parquet(data / "prices.parquet")
    chosen: dict[tuple[bool, Side], int] = {}
    for number, fill in enumerate(fills):
        row = (prices["symbol"] == fill.symbol) & (prices["date"] == pd.Timestamp(fill.filled_at.date()))
        kind = (fill.symbol == "BTC-USD", fill.side)
        chosen[kind] = chosen.get(kind, 0) + 1
        if chosen[kind] % (2 if kind[0] else 4) == 1:
            prices.loc[row, "open"] = (prices.loc[row, "open"] * (10.0 if number % 2 else 0.1)).round(4)
        elif fill.side is Side.BUY:
            higher = (prices.loc[row, "high"] * 2.5).round(4)
            prices.loc[row, "open"] = prices.loc[row, "high"] = higher
    prices.to_parquet(data / "prices.parquet", index=False)


def test_wrong_openings_and_missing_cash_are_met_alike(database_url: str, tmp_path: Path) -> None:
    data, last = write_price_folder(tmp_path / "prices", date(2020, 1, 2), date(2021, 6, 30), seed=9), date(2021, 3, 15)
    settings = spending_all(make_settings(database_url, tmp_path))
    begin = exchange_sessions().offset(last, -60)
    for _ in range(2):
        # What is decided after a cancelled order differs, so that the second time other openings are met.
        spoil_openings(data, backtesting.backtest(settings, begin, last, data).result.fills)
    pipeline(settings, data, last)
    assert assert_same_as_backtest(settings, data, last) > 10
    assert StateStore(settings.engine()).nav_history(BOOK)[0][0] == begin
    store, result = OrderStore(settings.engine()), backtesting.backtest(settings, begin, last, data).result
    partly = {fill.symbol + str(fill.session) for fill in result.fills}
    seen = set()
    statuses = {(o.session, o.symbol, o.side): (o.client_order_id, status) for o, status in store.orders(BOOK)}
    decided = {o.client_order_id: (o.session, o.symbol, o.side) for o in result.orders}
    for one in result.cancelled:
        identity, status = statuses[decided[one.client_order_id]]
        *_, before, end = store.events(identity)
        assert (status, end[0], end[3]) == (OrderStatus.CANCELLED, OrderEvent.CANCEL, one.reason)
        cut = one.symbol + str(one.session) in partly
        assert before[0] is (OrderEvent.PARTIAL_FILL if cut else OrderEvent.ACCEPT)
        seen.add((one.symbol == "BTC-USD", "cash" if "cash of" in one.reason else "range", cut))
    # A coin's bar is not complete at the decision that finds its order filled or cancelled.
    assert {(True, "range", False), (False, "range", False), (False, "cash", True), (False, "cash", False)} <= seen


@pytest.mark.parametrize("last", [date(2020, 4, 9), date(2022, 6, 15)])
def test_backtest_and_pipeline_agree_on_sixty_real_sessions(
    database_url: str, tmp_path: Path, shared_market_data: Path, last: date
) -> None:
    settings = make_settings(database_url, tmp_path)
    pipeline(settings, shared_market_data, last)
    assert assert_same_as_backtest(settings, shared_market_data, last) > 10

"""Closed trades of a traded book: caught up after an interruption, and never a reason for a session to fail."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.database import MakeDatabase, table_contents
from trading_lib.accounting.closed_trades import BookedSession, ClosedTradeLedger, is_closing
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.books.trade_history_store import TradeHistoryStore
from trading_lib.cli import main
from trading_lib.domain.book.orders import Fill
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import InputError
from trading_lib.workflows.books import trade_history
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.operations import bootstrap as history
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade import tasks as trading
from trading_lib.workflows.trade.book_run import BookRun

pytestmark = pytest.mark.postgres

BOOK, LAST = "demo-trades", date(2021, 6, 30)


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("trades") / "prices", date(2020, 1, 2), LAST)


@pytest.fixture(scope="module")
def stored(make_database: MakeDatabase, prices: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Database with a book that traded 60 sessions."""
    url = make_database()
    made = make_settings(url, tmp_path_factory.mktemp("traded"))
    history.bootstrap("files", str(prices), LAST.isoformat(), BOOK, lambda line: None, made, track_backtest=False)
    return url


@pytest.fixture
def traded(stored: str, make_database: MakeDatabase, prices: Path, tmp_path: Path) -> tuple[Settings, BookRun]:
    """The book of `stored` in a database of the test's own, and a run of its last session."""
    settings = make_settings(make_database(of=stored), tmp_path)
    newest = StateStore(settings.engine()).latest_portfolio(BOOK)
    assert newest is not None
    plan = market_data.plan(newest.session.isoformat(), "files", str(prices), BOOK, settings)
    return settings, BookRun.open(plan, settings)


def closing(engine: Engine) -> list[Fill]:
    return [fill for fill in OrderStore(engine).fills(BOOK) if is_closing(fill)]


def forget(engine: Engine, *trade_ids: str) -> None:
    with engine.begin() as connection:
        for trade_id in trade_ids:
            connection.execute(text("DELETE FROM trade_history WHERE trade_id = :id"), {"id": trade_id})


def test_what_an_interrupted_run_left_out_is_caught_up_exactly(traded: tuple[Settings, BookRun]) -> None:
    settings, run = traded
    engine = settings.engine()
    complete = trade_history.listing(BOOK, settings=settings)
    fills = closing(engine)
    assert len(fills) == complete["totals"]["trades"] > 10
    assert complete["totals"]["not_listed"] == 0
    before = table_contents(engine, "trade_history")
    trading.settle(run.plan, run)
    assert table_contents(engine, "trade_history") == before, "the same again writes nothing"
    # The first, one in the middle and the last, as kills at different sessions would leave it.
    forget(engine, *(fills[k].trade_id for k in (0, len(fills) // 2, -1)))
    assert trade_history.listing(BOOK, settings=settings)["totals"]["trades"] == len(fills) - 3
    trading.settle(run.plan, run)
    assert trade_history.listing(BOOK, settings=settings) == complete
    forget(engine, *(fill.trade_id for fill in fills))
    assert trade_history.store_closed_trades(run) == len(fills)
    assert trade_history.listing(BOOK, settings=settings) == complete


def test_profits_and_commissions_follow_from_the_fills_alone(traded: tuple[Settings, BookRun]) -> None:
    """A second count in dollars: of each symbol that is flat at the end, what its fills took and gave."""
    settings, _ = traded
    engine = settings.engine()
    held = StateStore(engine).latest_portfolio(BOOK)
    assert held is not None
    trades = trade_history.listing(BOOK, settings=settings)["trades"]
    fills = OrderStore(engine).fills(BOOK)
    flat = {trade["symbol"] for trade in trades} - held.positions.keys()
    assert flat
    for symbol in flat:
        mine = [fill for fill in fills if fill.symbol == symbol]
        flow = sum((fill.quantity * fill.price * (1 if is_closing(fill) else -1) for fill in mine), Decimal(0))
        told = [trade for trade in trades if trade["symbol"] == symbol]
        # Each booking rounds to the cent.
        assert abs(sum(trade["gross_pnl"] for trade in told) - flow) <= Decimal("0.01") * len(mine)
        assert sum(trade["commission"] for trade in told) == sum(fill.commission for fill in mine)
        for trade in told:
            opened = [f.session for f in mine if not is_closing(f) and f.session <= trade["closed_session"]]
            assert trade["opened_session"] in opened
            sessions = settings.calendar.between(trade["opened_session"], trade["closed_session"])
            assert trade["holding_sessions"] == len(sessions) - 1


def test_the_fills_from_the_first_session_on_tell_the_same_trades(traded: tuple[Settings, BookRun]) -> None:
    """The whole life of the book walked through in one go, without any stored portfolio or trade."""
    settings, run = traded
    fills, panel, universe = OrderStore(run.engine).fills(BOOK), run.market.panel, settings.configuration.universe
    ledger = ClosedTradeLedger(Portfolio.opened(run.book.opened_session, run.book.initial_cash), {}, universe)
    life = []
    for row in range(run.market.row(run.book.opened_session) + 1, run.market.row(run.session) + 1):
        day = panel.sessions[row].item()
        splits, closes = (
            dict(zip(panel.symbols, values[row].tolist(), strict=True)) for values in (panel.split, panel.close)
        )
        life.append(BookedSession(day, [fill for fill in fills if fill.session == day], splits, closes))
    told = {trade.trade_id: trade for trade in ledger.walk(life)}
    stored = TradeHistoryStore(run.engine).trades(BOOK)
    assert stored
    assert {t.trade_id: replace(t, holding_sessions=0, purpose="", reason="") for t in stored} == told
    parts = Counter((trade.symbol, trade.opened_session) for trade in stored)
    assert max(parts.values()) > 2, "some position was closed in several parts"
    again = Counter(symbol for symbol, _ in parts)
    assert max(again.values()) > 1, "some symbol was held twice"


def test_a_split_that_a_vendor_corrects_later_leaves_out_its_step_and_stops_nothing(
    traded: tuple[Settings, BookRun],
) -> None:
    settings, run = traded
    engine = settings.engine()
    complete = trade_history.listing(BOOK, settings=settings)
    victim = max(complete["trades"], key=lambda trade: abs(trade["gross_pnl"]))
    forget(engine, victim["trade_id"])
    panel = run.market.panel
    split = panel.split.copy()
    split[run.market.row(victim["closed_session"]), panel.symbols.index(victim["symbol"])] = 7.0
    other = replace(run, market=replace(run.market, panel=replace(panel, split=split)))
    trading.settle(other.plan, other)
    listed = trade_history.listing(BOOK, settings=settings)
    assert listed["totals"]["not_listed"] == victim["gross_pnl"] != 0
    trading.settle(run.plan, run)
    assert trade_history.listing(BOOK, settings=settings) == complete


def test_the_command_lists_totals_and_fails_when_they_do_not_explain_the_profit(
    traded: tuple[Settings, BookRun], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = traded
    monkeypatch.setattr(trade_history, "load_settings", lambda: settings)

    def printed(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["trades", "--book", BOOK, *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    code, shown = printed()
    listed: dict[str, Any] = trade_history.listing(BOOK, settings=settings)
    assert code == 0
    assert len(shown.splitlines()) == listed["totals"]["trades"] + 2
    assert f"{listed['totals']['realised_pnl']:,.2f} after" in shown
    symbol = listed["trades"][0]["symbol"]
    code, shown = printed("--symbol", symbol, "--json")
    assert code == 0
    assert f'"symbol": "{symbol}"' in shown
    assert '"not_listed": "0.00"' in shown
    forget(settings.engine(), max(listed["trades"], key=lambda trade: abs(trade["gross_pnl"]))["trade_id"])
    code, shown = printed()
    assert code == 1
    assert "explained by no stored trade" in shown
    with pytest.raises(InputError, match="there is no book 'nobody'"):
        trade_history.listing("nobody", settings=settings)

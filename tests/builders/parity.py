"""The same sessions as a paper book and as a backtest, and what must be equal, to the cent."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from trading_lib.accounting.closed_trades import is_closing
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.orders import Fill, Order
from trading_lib.workflows.books import trade_history
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.operations import bootstrap as history
from trading_lib.workflows.research import backtest as backtesting
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.daily import run_daily

BOOK = "demo-parity"


def order_figures(order: Order) -> tuple[object, ...]:
    """What of an order must be equal."""
    return (order.session, order.symbol, order.side, order.quantity, order.expected_price, order.purpose, order.reason)


def fill_figures(fill: Fill) -> tuple[object, ...]:
    """What of a fill must be equal."""
    return (fill.session, fill.symbol, fill.side, fill.quantity, fill.price, fill.commission, fill.filled_at)


def assert_same_as_backtest(settings: Settings, data: Path, last: date) -> int:
    """Hold that the stored book is what a backtest of its sessions gives; returns the number of fills."""
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

"""Closed trades of a book: stored at settlement, and listed with their realised profit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from trading_lib.accounting.closed_trades import (
    BookedSession,
    ClosedTrade,
    ClosedTradeLedger,
    OpenTrade,
    is_closing,
)
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.books.trade_history_store import TradeHistoryStore, trade_record
from trading_lib.domain.book.orders import Fill, Order
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.book.proceeds import RECORDED
from trading_lib.domain.errors import UnknownSymbolError, one_of
from trading_lib.workflows.books.flows import capital_record
from trading_lib.workflows.books.proceeds import closings_until
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.trade.book_run import BookRun

Result = dict[str, Any]
NOTHING = Decimal(0)


def store_closed_trades(run: BookRun) -> int:
    """Store the trades that the book closed up to the run's session; return how many are new.

    What is told follows the stored portfolios: each step from one to the next is booked again by the functions of
    settlement. A step that does not come to the stored portfolio (a vendor has corrected a split since) is left out;
    `listing` shows what is missing then, and no session ever fails for it. The same again changes nothing, and what an
    interrupted run left out is caught up.
    """
    book, store = run.book.name, TradeHistoryStore(run.engine)
    fills = [fill for fill in run.orders.fills(book) if fill.session <= run.session] + closings_until(run)
    stored = {(trade.broker, trade.trade_id) for trade in store.trades(book)}
    missing = [fill.session for fill in fills if is_closing(fill) and (fill.broker, fill.trade_id) not in stored]
    sessions = store.settled_sessions(book, run.session)
    steps = list(pairwise(sessions))
    first = min(missing, default=sessions[-1])
    orders = {order.client_order_id: order for order, _ in run.orders.orders(book)} if missing else {}
    new = 0
    for before, after in steps:
        newest = (before, after) == steps[-1]
        if after < first or not (newest or any(before < session <= after for session in missing)):
            continue
        closed = [trade for trade in _closed_between(run, before, after, fills, store) if _key(trade) not in stored]
        new += store.save(book, [_described(trade, run, orders) for trade in closed])
    return new


def _key(trade: ClosedTrade) -> tuple[str, str]:
    return trade.broker, trade.trade_id


def _closed_between(
    run: BookRun, before: date, after: date, fills: Sequence[Fill], store: TradeHistoryStore
) -> list[ClosedTrade]:
    portfolio, settled = run.state.portfolio(run.book.name, before), run.state.portfolio(run.book.name, after)
    assert portfolio is not None
    assert settled is not None
    booked = [fill for fill in fills if before < fill.session <= after]
    if not portfolio.perpetuals and not any(is_closing(fill) for fill in booked):
        return []
    concerned = {fill.symbol for fill in booked if is_closing(fill)} | portfolio.perpetuals.keys()
    open_trades = {
        symbol: _open_trade(run, symbol, before, fills, store)
        for symbol in concerned
        if symbol in portfolio.positions or symbol in portfolio.perpetuals
    }
    ledger = ClosedTradeLedger(portfolio, open_trades, run.settings.configuration.universe)
    try:
        trades = ledger.walk(_booked_sessions(run, before, after, booked, portfolio))
    except ValueError:
        return []
    same = (ledger.portfolio.positions, ledger.portfolio.realised_pnl) == (settled.positions, settled.realised_pnl)
    return trades if same else []


def _open_trade(run: BookRun, symbol: str, session: date, fills: Sequence[Fill], store: TradeHistoryStore) -> OpenTrade:
    """Return since when a position of ``session`` is held, and what its openings cost that nothing has borne yet."""
    flat = store.last_flat(run.book.name, symbol, session) or date.min
    since = [fill for fill in fills if fill.symbol == symbol and flat < fill.session <= session]
    paid = sum((fill.commission for fill in since), NOTHING)
    earlier = [t for t in store.trades(run.book.name, symbol) if flat < t.closed_session <= session]
    borne = sum((trade.commission for trade in earlier), NOTHING)
    return OpenTrade(min((fill.session for fill in since), default=session), paid - borne)


def _booked_sessions(
    run: BookRun, before: date, after: date, fills: Sequence[Fill], portfolio: Portfolio
) -> Iterator[BookedSession]:
    panel, universe = run.market.panel, run.settings.configuration.universe
    symbols = {*portfolio.positions, *portfolio.perpetuals, *(fill.symbol for fill in fills)}
    columns = {symbol: universe.traded(symbol)[1] for symbol in symbols}
    for row in range(run.market.row(before) + 1, run.market.row(after) + 1):
        day: date = panel.sessions[row].item()
        yield BookedSession(
            day,
            [fill for fill in fills if fill.session == day],
            {symbol: float(panel.split[row, column]) for symbol, column in columns.items()},
            {symbol: float(panel.close[row, column]) for symbol, column in columns.items()},
        )


def _described(trade: ClosedTrade, run: BookRun, orders: dict[str, Order]) -> ClosedTrade:
    held = run.market.row(trade.closed_session) - run.market.row(trade.opened_session)
    order = orders.get(trade.client_order_id)
    if order is None:
        reason = "recorded proceeds" if trade.broker == RECORDED else ""
        return replace(trade, holding_sessions=held, reason=reason)
    return replace(trade, holding_sessions=held, purpose=str(order.purpose), reason=order.reason)


def listing(book: str, symbol: str | None = None, settings: Settings | None = None) -> Result:
    """List the closed trades of a book with their totals.

    ``not_listed`` is the part of the book's realised profit, before commissions, that no closed trade explains: 0.00
    unless a step could not be told.
    """
    active = settings or load_settings()
    engine = active.engine()
    BookStore(engine).book(book)
    store = TradeHistoryStore(engine)
    everything = store.trades(book)
    symbols = {*active.configuration.universe.symbols, *(trade.symbol for trade in everything)}
    if symbol is not None and symbol not in symbols:
        raise UnknownSymbolError(f"symbol {symbol!r} is not in the universe", one_of(symbol, sorted(symbols)))
    trades = [trade for trade in everything if symbol in (None, trade.symbol)]
    newest = StateStore(engine).latest_portfolio(book)
    booked = newest.realised_pnl if newest else NOTHING
    totals = {
        "trades": len(trades),
        "winners": sum(trade.realised_pnl > 0 for trade in trades),
        **{name: _total(trades, name) for name in ("gross_pnl", "commission", "realised_pnl")},
        "not_listed": booked - _total(everything, "gross_pnl"),
    }
    return {
        "book": book,
        "trades": [trade_record(trade) for trade in trades],
        "totals": totals,
        "capital": capital_record(newest),
    }


def _total(trades: Sequence[ClosedTrade], name: str) -> Decimal:
    return sum((getattr(trade, name) for trade in trades), Decimal("0.00"))

"""Closed trades in PostgreSQL, each written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Engine, func, not_, or_, select

from trading_lib.accounting.closed_trades import ClosedTrade, Direction
from trading_lib.adapters.stores.postgres.immutable_rows import insert_once, writing
from trading_lib.adapters.stores.postgres.schema import portfolio_state, trade_history

COLUMNS = (
    "broker",
    "trade_id",
    "client_order_id",
    "symbol",
    "direction",
    "opened_session",
    "closed_session",
    "holding_sessions",
    "quantity",
    "entry_price",
    "exit_price",
    "gross_pnl",
    "commission",
    "realised_pnl",
    "purpose",
    "reason",
)


class TradeHistoryStore:
    """The closed trades of every book in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(self, book: str, trades: Sequence[ClosedTrade]) -> int:
        """Store trades in one transaction and return how many were not there yet.

        Raises
        ------
        DecisionConflictError
            When a stored trade of that broker and trade id differs.
        InputError
            When there is no such book.
        """
        rows = [{"book": book, **trade_record(trade)} for trade in trades]
        with writing(self._engine, book) as connection:
            return sum(insert_once(connection, trade_history, row) for row in rows)

    def trades(self, book: str, symbol: str | None = None) -> list[ClosedTrade]:
        """Return the closed trades of a book, by session, symbol and trade id."""
        table = trade_history
        query = select(table).where(table.c.book == book)
        if symbol is not None:
            query = query.where(table.c.symbol == symbol)
        order = (table.c.closed_session, table.c.symbol, table.c.broker, table.c.trade_id)
        with self._engine.connect() as connection:
            return [_trade(row) for row in connection.execute(query.order_by(*order)).mappings()]

    def settled_sessions(self, book: str, session: date) -> list[date]:
        """Return the sessions up to ``session`` with a stored portfolio, the oldest first."""
        table = portfolio_state
        query = select(table.c.session).where(table.c.book == book, table.c.session <= session)
        with self._engine.connect() as connection:
            return list(connection.execute(query.order_by(table.c.session)).scalars())

    def last_flat(self, book: str, symbol: str, session: date) -> date | None:
        """Newest session up to ``session`` whose stored portfolio does not hold a symbol; None when each does."""
        table = portfolio_state
        held = or_(table.c.positions.has_key(symbol), table.c.perpetuals.has_key(symbol))
        query = select(func.max(table.c.session)).where(table.c.book == book, table.c.session <= session, not_(held))
        with self._engine.connect() as connection:
            newest: date | None = connection.execute(query).scalar_one()
        return newest


def trade_record(trade: ClosedTrade) -> dict[str, Any]:
    """Every value of a closed trade by name, its profit after commissions among them."""
    return {name: getattr(trade, name) for name in COLUMNS} | {"direction": str(trade.direction)}


def _trade(row: Mapping[Any, Any]) -> ClosedTrade:
    values = {name: row[name] for name in COLUMNS if name != "realised_pnl"}
    return ClosedTrade(**values | {"direction": Direction(row["direction"])})

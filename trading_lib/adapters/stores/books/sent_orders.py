"""What was sent to real brokers, counted from the stored orders."""

from __future__ import annotations

from sqlalchemy import Engine, select

from trading_lib.adapters.stores.postgres.schema import orders as table

# Nothing is behind them.
SIMULATED_BROKERS = ("paper", "shadow")


class SentOrders:
    """The orders of every book of one database that went to a real broker."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def any_of(self, book: str) -> bool:
        """Whether a book has ever sent an order to a real broker."""
        query = select(table.c.client_order_id).where(table.c.book == book, _REAL).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None


_REAL = table.c.broker.is_not(None) & table.c.broker.not_in(SIMULATED_BROKERS)

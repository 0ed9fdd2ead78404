"""What was sent to real brokers, counted from the stored orders; every try of an order counts."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Engine, func, select

from trading_lib.adapters.stores.postgres.schema import order_intents
from trading_lib.adapters.stores.postgres.schema import orders as table
from trading_lib.domain.book.orders import OrderStatus
from trading_lib.domain.market.sessions import require_aware

# Nothing is behind them.
SIMULATED_BROKERS = ("paper", "shadow")
_REAL = table.c.broker.is_not(None) & table.c.broker.not_in(SIMULATED_BROKERS)


class SentOrders:
    """The orders of every book of one database that went to a real broker."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def any_of(self, book: str) -> bool:
        """Whether a book has ever sent an order to a real broker."""
        query = select(table.c.client_order_id).where(table.c.book == book, _REAL).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def of_session(self, book: str, session: date) -> int:
        """Count what a book has sent in a session."""
        query = (
            select(func.coalesce(func.sum(table.c.attempts), 0))
            .join(order_intents)
            .where(order_intents.c.book == book, order_intents.c.session == session, _REAL)
        )
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def since(self, moment: datetime) -> int:
        """Count what all books have sent since; an order that was sent again then counts with all of its tries."""
        at = require_aware(moment, "moment")
        query = select(func.coalesce(func.sum(table.c.attempts), 0)).where(table.c.sent_at >= at, _REAL)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def rejected_in_a_row(self, book: str, session: date, most: int) -> int:
        """Count the newest orders of a book's session, up to ``most``, that were rejected with no other between.

        What became of the last one is often not stored before the next is sent.
        """
        known = table.c.sent_at.is_not(None) & (table.c.status != str(OrderStatus.UNKNOWN))
        query = (
            select(table.c.status)
            .join(order_intents)
            .where(order_intents.c.book == book, order_intents.c.session == session, known, _REAL)
            .order_by(table.c.sent_at.desc(), table.c.client_order_id)
            .limit(most)
        )
        with self._engine.connect() as connection:
            statuses = list(connection.execute(query).scalars())
        rejected = [status == OrderStatus.REJECTED for status in statuses]
        return rejected.index(False) if False in rejected else len(rejected)

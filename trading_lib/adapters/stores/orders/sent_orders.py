"""What was sent to real brokers, counted from the stored orders; every try of an order counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, func, select

from trading_lib.adapters.stores.postgres.schema import order_intents
from trading_lib.adapters.stores.postgres.schema import orders as table
from trading_lib.domain.book.orders import OrderStatus
from trading_lib.domain.market.sessions import require_aware

# Nothing is behind them.
SIMULATED_BROKERS = ("paper", "shadow")
_REAL = table.c.broker.is_not(None) & table.c.broker.not_in(SIMULATED_BROKERS)


@dataclass(frozen=True, slots=True)
class Sent:
    """Counts of what was sent.

    Attributes
    ----------
    rejected_in_a_row
        Newest orders of the session that were rejected, with no other between.
    """

    session: int
    recent: int
    rejected_in_a_row: int


class SentOrders:
    """The orders of every book of one database that went to a real broker."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def any_of(self, book: str) -> bool:
        """Whether a book has ever sent an order to a real broker."""
        query = select(table.c.client_order_id).where(table.c.book == book, _REAL).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def counts(self, book: str, session: date, since: datetime, most: int) -> Sent:
        """Count in one question: it is asked before every order.

        Parameters
        ----------
        since
            Of what all books have sent; an order that was sent again then counts with all of its tries.
        most
            How many of the newest orders are looked at for rejections.
        """
        of_session = _of_session(func.coalesce(func.sum(table.c.attempts), 0), book, session)
        at = require_aware(since, "since")
        recent = select(func.coalesce(func.sum(table.c.attempts), 0)).where(table.c.sent_at >= at, _REAL)
        # What became of the last one is often not stored before the next is sent.
        known = table.c.sent_at.is_not(None) & (table.c.status != str(OrderStatus.UNKNOWN))
        newest = _of_session(table.c.status, book, session).where(known)
        newest = newest.order_by(table.c.sent_at.desc(), table.c.client_order_id).limit(most)
        query = select(of_session.scalar_subquery(), recent.scalar_subquery(), func.array(newest.scalar_subquery()))
        with self._engine.connect() as connection:
            session_count, recent_count, statuses = connection.execute(query).one()
        rejected = [status == OrderStatus.REJECTED for status in statuses]
        in_a_row = rejected.index(False) if False in rejected else len(rejected)
        return Sent(int(session_count), int(recent_count), in_a_row)


def _of_session(column: Any, book: str, session: date) -> Any:
    of_session = (order_intents.c.book == book) & (order_intents.c.session == session)
    return select(column).select_from(table.join(order_intents)).where(of_session, _REAL)

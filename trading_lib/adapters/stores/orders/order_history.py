"""Orders as people read them: every column, and every event with its source and the broker's own words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, select

from trading_lib.adapters.stores.books.order_rows import fill_from, order_from
from trading_lib.adapters.stores.postgres.schema import fills as fills_table
from trading_lib.adapters.stores.postgres.schema import order_events, order_intents
from trading_lib.adapters.stores.postgres.schema import orders as orders_table
from trading_lib.domain.book.orders import Fill, Order, OrderEvent, OrderPurpose, OrderStatus
from trading_lib.domain.market.sessions import require_aware


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order with what is known of it.

    Attributes
    ----------
    broker, broker_order_id, account, sent_at
        None where it was never sent, or where that was not noted.
    attempts
        How often it was sent.
    detail
        Of its newest event.
    """

    order: Order
    status: OrderStatus
    broker: str | None
    broker_order_id: str | None
    account: str | None
    sent_at: datetime | None
    attempts: int
    filled: Decimal
    detail: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of an order's life."""

    sequence: int
    event: OrderEvent
    status: OrderStatus
    at: datetime
    detail: str
    source: str
    attempt: int
    raw: str


class OrderHistory:
    """Orders and their lives, of every book in one database; it only reads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def orders(
        self,
        book: str | None = None,
        session: date | None = None,
        statuses: Collection[OrderStatus] | None = None,
        identities: Collection[str] | None = None,
        purpose: OrderPurpose | None = None,
    ) -> list[StoredOrder]:
        """Return orders by session and id."""
        columns = [column for column in orders_table.c if column.name not in ("client_order_id", "book")]
        query = select(order_intents, *columns).join(orders_table)
        if book is not None:
            query = query.where(order_intents.c.book == book)
        if session is not None:
            query = query.where(order_intents.c.session == session)
        if statuses is not None:
            query = query.where(orders_table.c.status.in_([str(status) for status in statuses]))
        if identities is not None:
            query = query.where(order_intents.c.client_order_id.in_(identities))
        if purpose is not None:
            query = query.where(order_intents.c.purpose == str(purpose))
        query = query.order_by(order_intents.c.session, order_intents.c.book, order_intents.c.client_order_id)
        with self._engine.connect() as connection:
            return [_stored(row) for row in connection.execute(query).mappings()]

    def identities(self, book: str | None = None) -> list[str]:
        """Return the ids of all orders, the newest session first."""
        query = select(order_intents.c.client_order_id).order_by(order_intents.c.session.desc())
        if book is not None:
            query = query.where(order_intents.c.book == book)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def accounts(self, book: str) -> dict[str, str]:
        """Return the account that each order of a book went to, where that is stored."""
        table = orders_table
        query = select(table.c.client_order_id, table.c.account).where(
            table.c.book == book, table.c.account.is_not(None)
        )
        with self._engine.connect() as connection:
            return {row.client_order_id: row.account for row in connection.execute(query)}

    def events(self, client_order_id: str) -> list[StoredEvent]:
        """Return the life of an order in the order it happened."""
        query = (
            select(order_events)
            .where(order_events.c.client_order_id == client_order_id)
            .order_by(order_events.c.sequence)
        )
        with self._engine.connect() as connection:
            return [_event(row) for row in connection.execute(query).mappings()]

    def fills(self, client_order_id: str) -> list[Fill]:
        """Return the fills of an order that stand, the oldest first."""
        table = fills_table
        query = select(table).where(table.c.client_order_id == client_order_id, table.c.voided_by.is_(None))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.filled_at, table.c.trade_id)).mappings()
            return [fill_from(row) for row in rows]


def _stored(row: Mapping[Any, Any]) -> StoredOrder:
    return StoredOrder(
        order=order_from(row),
        status=OrderStatus(row["status"]),
        broker=row["broker"],
        broker_order_id=row["broker_order_id"],
        account=row["account"],
        sent_at=row["sent_at"] and require_aware(row["sent_at"], "sent_at"),
        attempts=row["attempts"],
        filled=row["filled_quantity"],
        detail=row["detail"],
        updated_at=require_aware(row["updated_at"], "updated_at"),
    )


def _event(row: Mapping[Any, Any]) -> StoredEvent:
    return StoredEvent(
        sequence=row["sequence"],
        event=OrderEvent(row["event"]),
        status=OrderStatus(row["status"]),
        at=require_aware(row["at"], "at"),
        detail=row["detail"],
        source=row["source"],
        attempt=row["attempt"],
        raw=row["raw"],
    )

"""Orders in PostgreSQL: the intent is stored before anything is sent, and every event after it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.books.book_store import (
    SESSION_LOCK,
    SESSION_WAIT_SECONDS,
    WAIT_SECONDS,
    BookLock,
    book_lock,
)
from trading_lib.adapters.stores.books.order_rows import fill_from, fill_row, intent_row, order_from
from trading_lib.adapters.stores.postgres.immutable_rows import insert_once, writing
from trading_lib.adapters.stores.postgres.schema import fills as fills_table
from trading_lib.adapters.stores.postgres.schema import order_events, order_intents
from trading_lib.adapters.stores.postgres.schema import orders as orders_table
from trading_lib.domain.book.orders import (
    TERMINAL_STATUSES,
    EvidenceSource,
    Fill,
    Order,
    OrderEvent,
    OrderStatus,
    next_status,
)
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import require_aware


class OrderStore:
    """The outbox, the orders' lives and their fills, of every book in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def store_intents(self, orders: Sequence[Order], now: datetime) -> tuple[str, ...]:
        """Store orders as INTENDED in one transaction and return the ids that were not there yet.

        Raises
        ------
        DecisionConflictError
            When an id is stored with other content; nothing is stored then.
        InputError
            When an id is not derived from its order, an amount is not positive, or the book is unknown.
        """
        moment = require_aware(now, "now")
        if not orders:
            return ()
        # Sorted, so that two processes with the same orders wait for each other instead of deadlocking.
        rows = sorted((intent_row(order, moment) for order in orders), key=lambda row: str(row["client_order_id"]))
        new: set[str] = set()
        with writing(self._engine, orders[0].book) as connection:
            for row in rows:
                if insert_once(connection, order_intents, row, ignoring=("created_at",)):
                    connection.execute(insert(orders_table).values(_intended(row, moment)))
                    new.add(row["client_order_id"])
        return tuple(order.client_order_id for order in orders if order.client_order_id in new)

    def record(
        self,
        client_order_id: str,
        event: OrderEvent,
        at: datetime,
        detail: str = "",
        broker: str | None = None,
        broker_order_id: str | None = None,
        source: EvidenceSource = EvidenceSource.SYSTEM,
        raw: str = "",
        account: str | None = None,
    ) -> OrderStatus:
        """Append an event to an order's life and return the status it has then.

        Parameters
        ----------
        source, raw
            Where the event comes from, and the broker's own words without secrets.
        account
            The account that a SUBMIT sends it to.

        Raises
        ------
        OrderTransitionError
            When the order's present status does not allow the event; nothing is stored then.
        InputError
            When there is no such order.
        """
        moment = require_aware(at, "at")
        with self._engine.begin() as connection:
            row = _locked(connection, client_order_id)
            status = next_status(OrderStatus(row.status), event)
            sending = event is OrderEvent.SUBMIT
            attempt = row.attempts + sending
            _append_event(connection, client_order_id, event, status, moment, detail, source, attempt, raw)
            changes: dict[str, Any] = {"status": str(status), "detail": detail, "updated_at": moment}
            changes |= {"sent_at": moment, "attempts": attempt} if sending else {}
            changes |= {"account": account} if account is not None else {}
            changes |= {"broker": broker} if broker is not None else {}
            changes |= {"broker_order_id": broker_order_id} if broker_order_id is not None else {}
            connection.execute(
                update(orders_table).where(orders_table.c.client_order_id == client_order_id).values(changes)
            )
        return status

    def orders(
        self,
        book: str,
        session: date | None = None,
        statuses: Collection[OrderStatus] | None = None,
        identities: Collection[str] | None = None,
        sent_since: datetime | None = None,
    ) -> list[tuple[Order, OrderStatus]]:
        """Return the orders of a book with their status, by session and id."""
        query = select(order_intents, orders_table.c.status).join(orders_table).where(order_intents.c.book == book)
        if session is not None:
            query = query.where(order_intents.c.session == session)
        if statuses is not None:
            query = query.where(orders_table.c.status.in_([str(status) for status in statuses]))
        if identities is not None:
            query = query.where(order_intents.c.client_order_id.in_(identities))
        if sent_since is not None:
            query = query.where(orders_table.c.sent_at >= require_aware(sent_since, "sent_since"))
        query = query.order_by(order_intents.c.session, order_intents.c.client_order_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [(order_from(row), OrderStatus(row["status"])) for row in rows]

    def never_sent(self, book: str, session: date | None = None) -> list[Order]:
        """Return orders that were decided, but neither denied nor sent: still intended, or cancelled as too late."""
        table = orders_table
        unsent = table.c.status.in_([str(OrderStatus.INTENDED), str(OrderStatus.CANCELLED)]) & table.c.broker.is_(None)
        query = select(order_intents).join(table).where(order_intents.c.book == book, unsent)
        if session is not None:
            query = query.where(order_intents.c.session == session)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(order_intents.c.session, order_intents.c.client_order_id))
            return [order_from(row) for row in rows.mappings()]

    def at_other_brokers(self, book: str, broker: str) -> frozenset[str]:
        """Return the ids of a book's orders that were sent to another broker than ``broker``."""
        table = orders_table
        query = select(table.c.client_order_id).where(table.c.book == book, table.c.broker != broker)
        with self._engine.connect() as connection:
            return frozenset(connection.execute(query).scalars())

    def events(self, client_order_id: str) -> list[tuple[OrderEvent, OrderStatus, datetime, str]]:
        """Return the life of an order: event, status after it, time, detail, in the order they happened."""
        query = (
            select(order_events)
            .where(order_events.c.client_order_id == client_order_id)
            .order_by(order_events.c.sequence)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            (OrderEvent(row.event), OrderStatus(row.status), require_aware(row.at, "at"), row.detail) for row in rows
        ]

    def filled_quantity(self, client_order_id: str) -> Decimal:
        """Return the sum of the order's stored fills."""
        query = select(orders_table.c.filled_quantity).where(orders_table.c.client_order_id == client_order_id)
        with self._engine.connect() as connection:
            quantity: Decimal | None = connection.execute(query).scalar_one_or_none()
        if quantity is None:
            raise _unknown(client_order_id)
        return quantity

    def save_fills(self, fills: Sequence[Fill], book: str) -> int:
        """Store fills in one transaction and return how many were not there yet.

        A fill is the same when broker and trade id are. The orders' filled quantities follow.

        Raises
        ------
        DecisionConflictError
            When a stored fill of that broker and trade id differs.
        InputError
            When a fill's order is unknown, or of another book, symbol or side.
        """
        rows = [fill_row(fill, book) for fill in fills]
        new = 0
        with writing(self._engine, book) as connection:
            # Locking the orders first makes the sums below see every fill of a concurrent writer.
            for identity in sorted({fill.client_order_id for fill in fills}):
                _refuse_mismatch(connection, identity, book, fills)
            for row in sorted(rows, key=lambda row: (str(row["broker"]), str(row["trade_id"]))):
                new += insert_once(connection, fills_table, row)
            if new:
                sum_up_fills(connection, {fill.client_order_id for fill in fills})
        return new

    def refresh_filled(self, client_order_id: str) -> None:
        """Sum up an order's filled quantity anew, from the fills that stand."""
        with self._engine.begin() as connection:
            sum_up_fills(connection, [client_order_id])

    def void_fill(self, fill: Fill, repair: int, at: datetime, detail: str) -> None:
        """Strike a fill that a repair found impossible: it stays stored, names the repair, and no read returns it.

        A finished order stays what it is and tells of it in its events; an open one is cancelled. Only `book repair`
        calls this, for simulated fills that no portfolio has booked.
        """
        moment, identity = require_aware(at, "at"), fill.client_order_id
        with self._engine.begin() as connection:
            row = _locked(connection, identity)
            status = OrderStatus(row.status)
            open_still = status not in TERMINAL_STATUSES
            event = OrderEvent.CANCEL if open_still else OrderEvent.VOID
            after = next_status(status, event) if open_still else status
            _append_event(connection, identity, event, after, moment, detail, attempt=row.attempts)
            same = (fills_table.c.broker == fill.broker) & (fills_table.c.trade_id == fill.trade_id)
            connection.execute(update(fills_table).where(same).values(voided_by=repair))
            changes = {"status": str(after), "detail": detail, "updated_at": moment, "filled_quantity": Decimal(0)}
            connection.execute(update(orders_table).where(orders_table.c.client_order_id == identity).values(changes))

    def fills(self, book: str, session: date | None = None) -> list[Fill]:
        """Return the fills of a book that stand, by time, broker and trade id."""
        table = fills_table
        query = select(table).where(table.c.book == book, table.c.voided_by.is_(None))
        if session is not None:
            query = query.where(table.c.session == session)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.filled_at, table.c.broker, table.c.trade_id)).mappings()
            return [fill_from(row) for row in rows]

    def book_lock(self, book: str, wait_seconds: float = WAIT_SECONDS) -> AbstractContextManager[BookLock]:
        """Lock a book while working on it; see `trading_lib.adapters.stores.books.book_store.book_lock`."""
        return book_lock(self._engine, book, wait_seconds)

    def session_lock(self, book: str, wait_seconds: float = SESSION_WAIT_SECONDS) -> AbstractContextManager[BookLock]:
        """Lock a book for all tasks of a session that one process runs."""
        return book_lock(self._engine, book, wait_seconds, SESSION_LOCK)


def sum_up_fills(connection: Connection, identities: Collection[str]) -> None:
    """Store what of each order is filled by the fills that stand."""
    table = fills_table
    total = (
        select(func.coalesce(func.sum(table.c.quantity), 0))
        .where(table.c.client_order_id == orders_table.c.client_order_id, table.c.voided_by.is_(None))
        .scalar_subquery()
    )
    touched = orders_table.c.client_order_id.in_(identities)
    connection.execute(update(orders_table).where(touched).values(filled_quantity=total))


def _append_event(
    connection: Connection,
    client_order_id: str,
    event: OrderEvent,
    status: OrderStatus,
    moment: datetime,
    detail: str,
    source: EvidenceSource = EvidenceSource.SYSTEM,
    attempt: int = 0,
    raw: str = "",
) -> None:
    following = select(func.coalesce(func.max(order_events.c.sequence), 0) + 1).where(
        order_events.c.client_order_id == client_order_id
    )
    values = {"event": str(event), "status": str(status), "at": moment, "detail": detail}
    values |= {"source": str(source), "attempt": attempt, "raw": raw}
    statement = insert(order_events).values(
        client_order_id=client_order_id, sequence=following.scalar_subquery(), **values
    )
    connection.execute(statement)


def _intended(row: dict[str, Any], moment: datetime) -> dict[str, Any]:
    return {
        "client_order_id": row["client_order_id"],
        "book": row["book"],
        "status": str(OrderStatus.INTENDED),
        "filled_quantity": Decimal(0),
        "detail": "",
        "attempts": 0,
        "updated_at": moment,
    }


def _locked(connection: Connection, client_order_id: str) -> Any:
    """Lock and return the order joined with its intent."""
    query = (
        select(orders_table.c.status, orders_table.c.attempts, order_intents)
        .join(order_intents)
        .where(orders_table.c.client_order_id == client_order_id)
        .with_for_update(of=orders_table)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise _unknown(client_order_id)
    return row


def _refuse_mismatch(connection: Connection, client_order_id: str, book: str, fills: Sequence[Fill]) -> None:
    order = _locked(connection, client_order_id)
    for fill in fills:
        of_fill = (book, fill.symbol, str(fill.side))
        if fill.client_order_id == client_order_id and of_fill != (order.book, order.symbol, order.side):
            raise InputError(
                f"fill {fill.trade_id} of {fill.broker} is {fill.side} {fill.symbol} in book {book!r}, its order"
                f" {client_order_id} is {order.side} {order.symbol} in book {order.book!r}",
                "ask the broker again",
            )


def _unknown(client_order_id: str) -> InputError:
    return InputError(f"there is no order {client_order_id!r}", "store its intent first")

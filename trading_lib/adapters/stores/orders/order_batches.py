"""Several orders at once: what is known of each, and what is decided of each in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.books.order_rows import fill_row, order_from
from trading_lib.adapters.stores.books.order_store import sum_up_fills
from trading_lib.adapters.stores.orders.companions import insert_companion
from trading_lib.adapters.stores.postgres.immutable_rows import insert_once, writing
from trading_lib.adapters.stores.postgres.schema import fills as fills_table
from trading_lib.adapters.stores.postgres.schema import order_events, order_intents
from trading_lib.adapters.stores.postgres.schema import orders as orders_table
from trading_lib.domain.book.orders import Fill, OrderEvent, OrderStatus, next_status
from trading_lib.domain.errors import OrderTransitionError
from trading_lib.domain.market.sessions import require_aware
from trading_lib.execution.broker import Execution
from trading_lib.execution.fees import fee_companion
from trading_lib.execution.order_path.requests import Entry
from trading_lib.execution.order_path.tracked import Append, BookFill, Cancelling, StrikeFill, Tracked, Version

# Events that say more than the order's row does.
TELLING = (OrderEvent.SUBMIT, OrderEvent.ACCEPT, OrderEvent.REQUEST_CANCEL, OrderEvent.LOOK_UP, OrderEvent.BUST)
# Strikes a stored fill in the transaction of the event that says so.
Strike = Callable[[Connection, str, StrikeFill], None]


class OrderBatches:
    """The orders of one book in the database, several at once.

    Parameters
    ----------
    broker, account
        What the events that send an order store of where it goes.
    fill_of
        Makes the fill that is stored of what a broker reports.
    strike
        Strikes a fill; without it, a batch that strikes one is refused.
    """

    def __init__(
        self,
        engine: Engine,
        book: str,
        broker: str = "",
        account: str = "",
        fill_of: Callable[[Execution], Fill] | None = None,
        strike: Strike | None = None,
    ) -> None:
        self._engine, self._book = engine, book
        self._sent_to = {"broker": broker or None, "account": account or None}
        self._fill_of, self._strike = fill_of, strike

    def tracked(
        self, identities: Collection[str] | None = None, statuses: Collection[OrderStatus] | None = None
    ) -> list[Tracked]:
        """Return what is known of the book's orders, by session and id."""
        table = orders_table
        columns = (table.c.status, table.c.attempts, table.c.sent_at, table.c.broker_order_id, table.c.filled_quantity)
        query = select(order_intents, *columns).join(table).where(order_intents.c.book == self._book)
        if identities is not None:
            query = query.where(order_intents.c.client_order_id.in_(identities))
        if statuses is not None:
            query = query.where(table.c.status.in_([str(status) for status in statuses]))
        query = query.order_by(order_intents.c.session, order_intents.c.client_order_id)
        # One snapshot: rows and events of different moments could pass for a version that there was.
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            rows = connection.execute(query).mappings().all()
            found = [row["client_order_id"] for row in rows]
            filled = _by_order(connection, fills_table, found, fills_table.c.filled_at)
            told = order_events.c.event.in_([str(event) for event in TELLING])
            happened = _by_order(connection, order_events, found, order_events.c.sequence, told)
            numbers = _event_numbers(connection, found)
        return [
            _tracked(row, filled.get(name, []), happened.get(name, []))._replace(events=numbers.get(name, 0))
            for row in rows
            for name in [row["client_order_id"]]
        ]

    def write(self, entries: Sequence[Entry]) -> frozenset[str]:
        """Store entries in one transaction; return the ids of those that were not, because the order has changed.

        The rows are locked in the order of their ids. An entry is stored wholly, fills before events, or not at all.

        Raises
        ------
        OrderTransitionError
            When an event does not follow from the order's status; nothing is stored then.
        DecisionConflictError
            When a stored fill of that broker and trade id differs; nothing is stored then.
        """
        if not entries:
            return frozenset()
        with writing(self._engine, self._book) as connection:
            stored = self._lock(connection, [entry.client_order_id for entry in entries])
            valid = [entry for entry in entries if stored.get(entry.client_order_id) == entry.before]
            for entry in valid:
                self._store_fills(connection, entry)
            _append_events(connection, valid)
            self._update(connection, valid)
        return frozenset(entry.client_order_id for entry in entries) - {entry.client_order_id for entry in valid}

    def _lock(self, connection: Connection, identities: Iterable[str]) -> dict[str, Version]:
        table = orders_table
        query = (
            select(table.c.client_order_id, table.c.status, table.c.attempts, table.c.filled_quantity)
            .where(table.c.client_order_id.in_(list(identities)), table.c.book == self._book)
            .order_by(table.c.client_order_id)
            .with_for_update()
        )
        rows = connection.execute(query).all()
        numbers = _event_numbers(connection, [row[0] for row in rows])
        return {row[0]: Version(OrderStatus(row[1]), row[2], row[3], numbers.get(row[0], 0)) for row in rows}

    def _store_fills(self, connection: Connection, entry: Entry) -> None:
        for write in entry.writes:
            if isinstance(write, BookFill):
                assert self._fill_of is not None, "fills need to be made into stored ones"
                fill = self._fill_of(write.execution)
                insert_once(connection, fills_table, fill_row(fill, self._book))
                if write.execution.fee_quantity:
                    _store_fee(connection, fill, write.execution)
            elif isinstance(write, StrikeFill):
                assert self._strike is not None, "striking a fill needs somebody to answer for it"
                self._strike(connection, entry.client_order_id, write)

    def _update(self, connection: Connection, entries: Sequence[Entry]) -> None:
        changes = [values for entry in entries if (values := self._changes(entry)) is not None]
        for names in {tuple(values) for values in changes}:
            same = [values for values in changes if tuple(values) == names]
            key = orders_table.c.client_order_id == bindparam("identity")
            assigned: dict[str, Any] = {name: bindparam(name) for name in names if name != "identity"}
            connection.execute(update(orders_table).where(key).values(assigned), same)
        filled = [entry.client_order_id for entry in entries if not all(isinstance(w, Append) for w in entry.writes)]
        if filled:
            sum_up_fills(connection, filled)

    def _changes(self, entry: Entry) -> dict[str, Any] | None:
        events = [write for write in entry.writes if isinstance(write, Append)]
        if not events:
            return None
        last = events[-1]
        values: dict[str, Any] = {"identity": entry.client_order_id, "status": str(last.status), "detail": last.detail}
        values["updated_at"] = require_aware(last.at, "at")
        for event in events:
            if event.event is OrderEvent.SUBMIT:
                values |= {"sent_at": require_aware(event.at, "at"), "attempts": event.attempt, **self._sent_to}
            if event.broker_order_id:
                values["broker_order_id"] = event.broker_order_id
        return values


def _store_fee(connection: Connection, fill: Fill, execution: Execution) -> None:
    """Store the companion of a fill whose fee was kept in units."""
    query = select(order_intents).where(order_intents.c.client_order_id == fill.client_order_id)
    order = order_from(connection.execute(query).mappings().one())
    companion = fee_companion(order, fill, execution.fee_quantity)
    insert_companion(connection, companion, fill.filled_at, "kept by the broker", execution.raw)


def _event_numbers(connection: Connection, identities: Sequence[str]) -> dict[str, int]:
    """Return the number of the last event of each order that has one."""
    latest = (
        select(order_events.c.client_order_id, func.max(order_events.c.sequence))
        .where(order_events.c.client_order_id.in_(identities))
        .group_by(order_events.c.client_order_id)
    )
    return {row[0]: row[1] for row in connection.execute(latest)}


def _append_events(connection: Connection, entries: Sequence[Entry]) -> None:
    rows = []
    for entry in entries:
        status, number = entry.before.status, entry.before.events
        for write in entry.writes:
            if isinstance(write, Append):
                number += 1
                rows.append(_event_row(entry.client_order_id, number, status, write))
                status = write.status
    if rows:
        connection.execute(insert(order_events), rows)


def _event_row(identity: str, sequence: int, status: OrderStatus, append: Append) -> dict[str, Any]:
    if next_status(status, append.event) is not append.status:
        raise OrderTransitionError(f"order {identity} is not {append.status} after {append.event} from {status}")
    return {
        "client_order_id": identity,
        "sequence": sequence,
        "event": str(append.event),
        "status": str(append.status),
        "at": require_aware(append.at, "at"),
        "detail": append.detail,
        "source": str(append.source),
        "attempt": append.attempt,
        "raw": append.raw,
    }


def _by_order(
    connection: Connection, table: Any, identities: Sequence[str], by: Any, *where: Any
) -> dict[str, list[Any]]:
    query = select(table).where(table.c.client_order_id.in_(identities), *where).order_by(by)
    found: dict[str, list[Any]] = {}
    for row in connection.execute(query) if identities else ():
        found.setdefault(row.client_order_id, []).append(row)
    return found


def _tracked(row: Any, filled: Sequence[Any], events: Sequence[Any]) -> Tracked:
    status = OrderStatus(row["status"])
    struck = {fill.trade_id for fill in filled if fill.voided_by is not None}
    struck |= {event.detail for event in events if event.event == OrderEvent.BUST}
    sent_at = row["sent_at"]
    return Tracked(
        order=order_from(row),
        status=status,
        attempts=row["attempts"],
        sent_at=None if sent_at is None else require_aware(sent_at, "sent_at"),
        broker_order_id=row["broker_order_id"] or "",
        filled=Decimal(row["filled_quantity"]),
        fills={fill.trade_id: fill.quantity for fill in filled if fill.voided_by is None},
        struck=frozenset(struck),
        cancelling=_cancelling(status, [OrderEvent(event.event) for event in events]),
        noted=frozenset(
            (event.source, event.detail, event.raw) for event in events if event.event == OrderEvent.LOOK_UP
        ),
    )


def _cancelling(status: OrderStatus, events: Sequence[OrderEvent]) -> Cancelling:
    """Whether a cancellation was asked for since the order was last sent, and not refused since."""
    asked = False
    for event in events:
        if event is OrderEvent.REQUEST_CANCEL:
            asked = True
        elif event in (OrderEvent.SUBMIT, OrderEvent.ACCEPT):
            asked = False
    open_still = status in (OrderStatus.UNKNOWN, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_CANCEL)
    return Cancelling.ASKED if asked and open_still else Cancelling.NOT_ASKED

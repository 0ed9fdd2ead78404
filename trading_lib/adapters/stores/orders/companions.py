"""Orders that were never sent and are filled at once: fees that a broker kept in units, trades that a book adopted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.books.order_rows import fill_row, intent_row
from trading_lib.adapters.stores.postgres.immutable_rows import insert_once, writing
from trading_lib.adapters.stores.postgres.schema import fills as fills_table
from trading_lib.adapters.stores.postgres.schema import order_events, order_intents
from trading_lib.adapters.stores.postgres.schema import orders as orders_table
from trading_lib.domain.book.orders import EvidenceSource, Fill, Order, OrderEvent, OrderStatus
from trading_lib.domain.market.sessions import require_aware

Companion = tuple[Order, Fill]


def store_companions(engine: Engine, book: str, pairs: Sequence[Companion], now: datetime, detail: str) -> int:
    """Store orders and their one fill each in one transaction; return how many are new. The same again changes nothing.

    Raises
    ------
    DecisionConflictError
        When one is stored with other content; nothing is stored then.
    """
    with writing(engine, book) as connection:
        return sum(insert_companion(connection, pair, now, detail) for pair in pairs)


def insert_companion(connection: Connection, pair: Companion, now: datetime, detail: str, raw: str = "") -> bool:
    """Insert an order that is filled, with its event and fill; False when it is there."""
    order, fill = pair
    moment = require_aware(now, "now")
    if not insert_once(connection, order_intents, intent_row(order, moment), ignoring=("created_at",)):
        insert_once(connection, fills_table, fill_row(fill, order.book))
        return False
    values: dict[str, Any] = {
        "client_order_id": order.client_order_id,
        "book": order.book,
        "status": str(OrderStatus.FILLED),
        "broker": fill.broker,
        "filled_quantity": fill.quantity,
        "detail": detail,
        "attempts": 0,
        "updated_at": moment,
    }
    connection.execute(insert(orders_table).values(values))
    event = {"event": str(OrderEvent.FILL), "status": str(OrderStatus.FILLED), "at": moment, "detail": detail}
    event |= {"source": str(EvidenceSource.SYSTEM), "attempt": 0, "raw": raw}
    connection.execute(insert(order_events).values(client_order_id=order.client_order_id, sequence=1, **event))
    insert_once(connection, fills_table, fill_row(fill, order.book))
    return True

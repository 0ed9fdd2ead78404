"""Orders and their lives for whoever looks at them: lists, one order with everything that happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from trading_lib.domain.book.orders import Fill, OrderStatus
from trading_lib.domain.errors import InputError, one_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from trading_lib.adapters.stores.orders.order_history import StoredEvent, StoredOrder
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]
NEAR = 3
# Ids begin with the session, so that most of two of them is alike.
ALIKE = 0.75


def orders_listing(
    book: str | None = None,
    session: date | None = None,
    statuses: Sequence[str] = (),
    settings: Settings | None = None,
) -> Result:
    """List orders with their status, by session; of one book or of all.

    Raises
    ------
    InputError
        When there is no such book or status.
    """
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.adapters.stores.orders.order_history import OrderHistory
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    if book is not None:
        BookStore(engine).book(book)
    wanted = [_status(name) for name in statuses] or None
    found = OrderHistory(engine).orders(book, session, wanted)
    return {"orders": [order_record(stored) for stored in found]}


def order_life(client_order_id: str, book: str | None = None, settings: Settings | None = None) -> Result:
    """Return an order with its events and fills.

    Raises
    ------
    InputError
        When there is no such order, naming those with a similar id.
    """
    from trading_lib.adapters.stores.orders.order_history import OrderHistory
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    stored = find_order(client_order_id, book, engine)
    history = OrderHistory(engine)
    return {
        **order_record(stored),
        "reason": stored.order.reason,
        "events": [event_record(event) for event in history.events(stored.order.client_order_id)],
        "fills": [fill_record(fill) for fill in history.fills(stored.order.client_order_id)],
    }


def find_order(client_order_id: str, book: str | None, engine: Engine) -> StoredOrder:
    """Return a stored order; an unknown id is an `InputError` that names the nearest ones."""
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.adapters.stores.orders.order_history import OrderHistory

    if book is not None:
        BookStore(engine).book(book)
    history = OrderHistory(engine)
    found = history.orders(book, identities=[client_order_id])
    if found:
        return found[0]
    identities = history.identities(book)
    part = [identity for identity in identities if client_order_id and client_order_id in identity][:NEAR]
    near = part or get_close_matches(client_order_id, identities, n=NEAR, cutoff=ALIKE)
    where = f" of book {book}" if book else ""
    listed = f"`trading orders list{f' --book {book}' if book else ''}` shows them"
    guess = f"did you mean {' or '.join(near)}? " if near else ""
    raise InputError(f"there is no order {client_order_id!r}{where}", guess + listed)


def is_shadow(book: str) -> bool:
    """Whether a book only shows what held orders would have filled at."""
    return book.endswith(SHADOW_SUFFIX)


# As `domain.book.books` has it.
SHADOW_SUFFIX = "-shadow"


def order_record(stored: StoredOrder) -> Result:
    """Values of an order that can be printed and sent as JSON."""
    order = stored.order
    return {
        "client_order_id": order.client_order_id,
        "book": order.book,
        "session": order.session.isoformat(),
        "symbol": order.symbol,
        "side": str(order.side),
        "quantity": f"{order.quantity:f}",
        "filled": f"{stored.filled:f}",
        "status": str(stored.status),
        "purpose": str(order.purpose),
        "order_type": str(order.order_type),
        "limit_price": _amount(order.limit_price),
        "stop_price": _amount(order.stop_price),
        "time_in_force": str(order.time_in_force),
        "leg": order.leg,
        "broker": stored.broker,
        "account": stored.account,
        "broker_order_id": stored.broker_order_id,
        "sent_at": stored.sent_at.isoformat() if stored.sent_at else None,
        "attempts": stored.attempts,
        "detail": stored.detail,
        "updated_at": stored.updated_at.isoformat(),
        "shadow": is_shadow(order.book),
    }


def event_record(event: StoredEvent) -> Result:
    """Values of an event."""
    return {
        "at": event.at.isoformat(),
        "event": str(event.event),
        "status": str(event.status),
        "source": event.source,
        "attempt": event.attempt,
        "detail": event.detail,
        "raw": event.raw,
    }


def fill_record(fill: Fill) -> Result:
    """Values of a fill."""
    return {
        "trade_id": fill.trade_id,
        "broker": fill.broker,
        "quantity": f"{fill.quantity:f}",
        "price": f"{fill.price:f}",
        "commission": f"{fill.commission:f}",
        "filled_at": fill.filled_at.isoformat(),
        "session": fill.session.isoformat(),
    }


def _amount(value: Any) -> str | None:
    return None if value is None else f"{value:f}"


def _status(name: str) -> OrderStatus:
    try:
        return OrderStatus(name.strip().upper().replace("-", "_"))
    except ValueError:
        raise InputError(f"{name!r} is no status of an order", one_of(name, [str(s) for s in OrderStatus])) from None

"""What orders that were held back would have filled at: in a book beside their own, which is only to be looked at.

The shadow book of a book has its name with `-shadow` behind. Its orders and fills are at the broker `shadow`; it has no
portfolio, and nothing of it is ever booked in a portfolio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_rows import slice_number
from trading_lib.domain.book.books import SHADOW_SUFFIX
from trading_lib.domain.book.orders import Fill, Order, OrderEvent, OrderStatus, client_order_id
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.execution.simulated import trade_id
from trading_lib.session.inputs import SessionInput
from trading_lib.session.opening import execute

if TYPE_CHECKING:
    from trading_lib.workflows.trade.book_run import BookRun

SHADOW_BROKER = "shadow"


def shadow_name(book: str) -> str:
    """Name the shadow book of a book."""
    return f"{book}{SHADOW_SUFFIX}"


def held_orders(run: BookRun, since: date) -> list[Order]:
    """Orders of the book that were held back at session ``since`` or later."""
    held = run.orders.orders(run.book.name, statuses=[OrderStatus.HELD])
    return [order for order, _ in held if order.session >= since]


def fill_shadow(
    run: BookRun, data: SessionInput, portfolio: Portfolio, held: Sequence[Order], row: int, day: date
) -> int:
    """Store what the held orders would have filled at the opening of ``day``; the same again changes nothing.

    Parameters
    ----------
    portfolio
        Of the previous close: the holdings and cash that the orders were decided from.
    held
        Of the book; those of sessions from the portfolio's to before ``day`` meet this opening.

    Returns
    -------
    int
        How many of them it fills, in full or in part.
    """
    meeting = [order for order in held if portfolio.session <= order.session < day]
    if not meeting:
        return 0
    name = shadow_name(run.book.name)
    known = {order.client_order_id: status for order, status in run.orders.orders(name)}
    shadows = {order.client_order_id: _shadow(order, name) for order in meeting}
    new = [order for order in meeting if known.get(shadows[order.client_order_id].client_order_id) not in _DONE]
    if not new:
        return 0
    filled, cancelled = execute(data, portfolio, new, row, day)
    now = run.settings.clock()
    BookStore(run.engine).open_book(replace(run.book, name=name))
    run.orders.store_intents([shadows[order.client_order_id] for order in new], now)
    reasons = {one.client_order_id: one.reason for one in cancelled}
    fills = {one.client_order_id: one for one in filled}
    for order in new:
        _end(run, shadows[order.client_order_id], fills.get(order.client_order_id), reasons, order, now)
    return len(fills)


_DONE = (OrderStatus.FILLED, OrderStatus.CANCELLED)


def _shadow(order: Order, book: str) -> Order:
    identity = client_order_id(book, order.session, order.symbol, order.side, slice_number(order), order.leg)
    return replace(order, client_order_id=identity, book=book)


def _end(run: BookRun, shadow: Order, fill: Fill | None, reasons: dict[str, str], order: Order, now: datetime) -> None:
    identity, reason = shadow.client_order_id, reasons.get(order.client_order_id, "")
    ((_, status),) = run.orders.orders(shadow.book, identities=[identity])
    if status is OrderStatus.INTENDED:
        run.orders.record(identity, OrderEvent.SUBMIT, now, "simulated beside its book", SHADOW_BROKER)
        run.orders.record(identity, OrderEvent.ACCEPT, now, broker_order_id=identity)
    if fill is not None:
        beside = replace(fill, trade_id=trade_id(identity), broker=SHADOW_BROKER, client_order_id=identity)
        run.orders.save_fills([beside], shadow.book)
        event = OrderEvent.PARTIAL_FILL if reason else OrderEvent.FILL
        run.orders.record(identity, event, fill.filled_at)
    if reason:
        run.orders.record(identity, OrderEvent.CANCEL, now, reason)

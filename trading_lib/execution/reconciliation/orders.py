"""Orders of a book against its broker's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from trading_lib.domain.book.orders import OPEN_STATUSES, OrderStatus
from trading_lib.execution.adjusted_orders import adjusted_by, adjusted_text
from trading_lib.execution.broker import BrokerOrder, is_same
from trading_lib.execution.reconciliation.book_side import BookSide, OwnOrder
from trading_lib.execution.reconciliation.breaks import Break, BreakKind, BreakStatus
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot

# How this system's ids look, see `domain.book.orders.client_order_id`.
OWN_ID = re.compile(r"\d{8}-[A-Za-z0-9]{1,8}-[BS]\d+-[0-9a-f]{10}")
# Believed to be at the broker; of an UNKNOWN order neither is known, and recovery finds out.
BELIEVED_THERE = (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_CANCEL)


def order_breaks(snapshot: BrokerSnapshot, book: BookSide) -> Iterator[Break]:
    """Compare the orders of both sides by client order id."""
    ours = {own.order.client_order_id: own for own in book.orders}
    theirs = {order.client_order_id: order for order in snapshot.closed_orders}
    theirs |= {order.client_order_id: order for order in snapshot.open_orders}
    for identity, order in sorted(theirs.items()):
        own = ours.get(identity)
        found = _not_ours(order) if own is None else _differing(own, order, book.splits)
        if found is not None:
            yield found
    for identity, own in sorted(ours.items()):
        if own.status in BELIEVED_THERE and identity not in theirs:
            yield Break(
                BreakKind.ORDER_MISSING,
                own.order.symbol,
                f"{_ours(own)} ({own.status})",
                "no such order",
                f"order {identity} is neither open at the broker nor among those that ended: look at the broker's own"
                " pages; nothing is sent again",
            )


def _not_ours(order: BrokerOrder) -> Break | None:
    at_broker = f"{_theirs(order)} ({order.status})"
    if OWN_ID.fullmatch(order.client_order_id):
        return Break(
            BreakKind.ORDER_LACKED,
            order.symbol,
            "no such order",
            at_broker,
            f"order {order.client_order_id} has an id of this system and is in no record of this book: an older state"
            " was restored, or another installation trades in this account",
        )
    if not order.status.is_open:
        # What it filled shows among the fills.
        return None
    name = order.client_order_id or order.broker_order_id
    why = f"order {name} was not sent by this book: placed by hand, or by another program"
    return Break(BreakKind.MANUAL_ORDER, order.symbol, "no such order", at_broker, why)


def _differing(own: OwnOrder, order: BrokerOrder, splits: Mapping[str, Decimal]) -> Break | None:
    identity = own.order.client_order_id
    if not is_same(order, own.order):
        ratio = splits.get(own.order.symbol)
        side_same = (order.symbol, order.side) == (own.order.symbol, own.order.side)
        if side_same and ratio is not None and order.quantity == own.order.quantity * ratio:
            why = f"the broker has split order {identity} {ratio:f}:1 with its shares"
            return Break(BreakKind.SPLIT, order.symbol, _ours(own), _theirs(order), why, BreakStatus.EXPLAINED)
        adjusted = adjusted_by(order, own.order, own.broker_order_id)
        if adjusted is not None:
            text = adjusted_text(order, own.order.quantity, adjusted)
            why = f"order {identity}: {text}; the prices know of none"
            return Break(BreakKind.ORDER_DIFFERS, own.order.symbol, _ours(own), _theirs(order), why)
        why = f"the broker has another order under the id {identity}; it is not taken for ours"
        return Break(BreakKind.ORDER_DIFFERS, own.order.symbol, _ours(own), _theirs(order), why)
    if order.status.is_open and own.status not in OPEN_STATUSES:
        why = f"order {identity} is {own.status} here and still open at the broker"
        return Break(BreakKind.ORDER_DIFFERS, own.order.symbol, str(own.status), str(order.status), why)
    if own.status in (OrderStatus.INTENDED, OrderStatus.DENIED, OrderStatus.HELD):
        why = f"order {identity} was never sent by this book, and the broker has it"
        return Break(BreakKind.ORDER_DIFFERS, own.order.symbol, str(own.status), str(order.status), why)
    if not order.status.is_open and own.status in BELIEVED_THERE and order.filled == own.filled:
        reason = f": {order.reason}" if order.reason else ""
        why = f"order {identity} has ended at the broker{reason}; recovery records it"
        return Break(
            BreakKind.ORDER_ENDED, own.order.symbol, str(own.status), str(order.status), why, BreakStatus.EXPLAINED
        )
    return None


def _ours(own: OwnOrder) -> str:
    return f"{own.order.side} {own.order.quantity:f} {own.order.symbol}"


def _theirs(order: BrokerOrder) -> str:
    return f"{order.side} {order.quantity:f} {order.symbol}"

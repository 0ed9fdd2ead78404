"""Orders and fills as rows, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading_lib.domain.book.orders import Fill, Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import require_aware

SLICE = re.compile(r"-[BS](\d+)-[0-9a-f]+$")


def slice_number(order: Order) -> int:
    """Read the slice from the order's id, after checking that the id says what the order is.

    Raises
    ------
    InputError
        When the id is not the one `client_order_id` derives: it would not protect against a second order.
    """
    match = SLICE.search(order.client_order_id)
    number = int(match.group(1)) if match else 0
    expected = client_order_id(order.book, order.session, order.symbol, order.side, number)
    if order.client_order_id != expected:
        raise InputError(
            f"order id {order.client_order_id!r} is not derived from {order.side} {order.symbol} of book"
            f" {order.book!r} on {order.session}",
            f"make it with client_order_id, which gives {expected!r}",
        )
    return number


def intent_row(order: Order, now: datetime) -> dict[str, Any]:
    """Row of order_intents."""
    amounts = (order.quantity, order.expected_price, order.estimated_commission)
    if not all(amount.is_finite() for amount in amounts) or min(order.quantity, order.expected_price) <= 0:
        raise InputError(
            f"order {order.client_order_id} has quantity {order.quantity}, price {order.expected_price},"
            f" commission {order.estimated_commission}",
            "use positive finite amounts",
        )
    return {
        "client_order_id": order.client_order_id,
        "book": order.book,
        "session": order.session,
        "symbol": order.symbol,
        "side": str(order.side),
        "slice": slice_number(order),
        "quantity": order.quantity,
        "expected_price": order.expected_price,
        "estimated_commission": order.estimated_commission,
        "order_type": order.order_type,
        "weight_change": float(order.weight_change),
        "purpose": str(order.purpose),
        "reason": order.reason,
        "created_at": now,
    }


def order_from(row: Mapping[Any, Any]) -> Order:
    """Undo `intent_row`."""
    return Order(
        client_order_id=row["client_order_id"],
        book=row["book"],
        session=row["session"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=row["quantity"],
        expected_price=row["expected_price"],
        estimated_commission=row["estimated_commission"],
        weight_change=row["weight_change"],
        purpose=OrderPurpose(row["purpose"]),
        reason=row["reason"],
        order_type=row["order_type"],
    )


def fill_row(fill: Fill, book: str) -> dict[str, Any]:
    """Row of fills."""
    amounts = (fill.quantity, fill.price, fill.reference_price, fill.commission)
    if not all(amount.is_finite() for amount in amounts) or min(fill.quantity, fill.price) <= Decimal(0):
        raise InputError(
            f"fill {fill.trade_id} of {fill.broker} has quantity {fill.quantity} and price {fill.price}",
            "use positive finite amounts",
        )
    return {
        "broker": fill.broker,
        "trade_id": fill.trade_id,
        "client_order_id": fill.client_order_id,
        "book": book,
        "session": fill.session,
        "symbol": fill.symbol,
        "side": str(fill.side),
        "quantity": fill.quantity,
        "price": fill.price,
        "reference_price": fill.reference_price,
        "commission": fill.commission,
        "filled_at": require_aware(fill.filled_at, "filled_at"),
    }


def fill_from(row: Mapping[Any, Any]) -> Fill:
    """Undo `fill_row`."""
    return Fill(
        trade_id=row["trade_id"],
        broker=row["broker"],
        client_order_id=row["client_order_id"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=row["quantity"],
        price=row["price"],
        reference_price=row["reference_price"],
        commission=row["commission"],
        filled_at=require_aware(row["filled_at"], "filled_at"),
        session=row["session"],
    )

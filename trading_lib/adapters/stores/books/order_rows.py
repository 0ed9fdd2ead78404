"""Orders and fills as rows, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading_lib.domain.book.orders import (
    Fill,
    Order,
    OrderPurpose,
    OrderType,
    Side,
    TimeInForce,
    client_order_id,
)
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
    expected = client_order_id(order.book, order.session, order.symbol, order.side, number, order.leg)
    if order.client_order_id != expected:
        raise InputError(
            f"order id {order.client_order_id!r} is not derived from {order.side} {order.symbol} of book"
            f" {order.book!r} on {order.session}",
            f"make it with client_order_id, which gives {expected!r}",
        )
    return number


def intent_row(order: Order, now: datetime) -> dict[str, Any]:
    """Row of order_intents."""
    _require_amounts(order)
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
        "order_type": str(order.order_type),
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "time_in_force": str(order.time_in_force),
        "leg": order.leg,
        "weight_change": float(order.weight_change),
        "purpose": str(order.purpose),
        "reason": order.reason,
        "created_at": now,
    }


def _require_amounts(order: Order) -> None:
    prices = {
        "limit price": (order.limit_price, order.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)),
        "stop price": (order.stop_price, order.order_type in (OrderType.STOP, OrderType.STOP_LIMIT)),
    }
    for name, (price, needed) in prices.items():
        if (price is not None) != needed or (price is not None and not (price.is_finite() and price > 0)):
            raise InputError(
                f"{order.order_type} order {order.client_order_id} has {name} {price}",
                f"give it a positive {name}" if needed else f"leave its {name} out",
            )
    amounts = (order.quantity, order.expected_price, order.estimated_commission)
    if not all(amount.is_finite() for amount in amounts) or min(order.quantity, order.expected_price) <= 0:
        raise InputError(
            f"order {order.client_order_id} has quantity {order.quantity}, price {order.expected_price},"
            f" commission {order.estimated_commission}",
            "use positive finite amounts",
        )


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
        order_type=OrderType(row["order_type"]),
        limit_price=row["limit_price"],
        stop_price=row["stop_price"],
        time_in_force=TimeInForce(row["time_in_force"]),
        leg=row["leg"],
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

"""Orders as Alpaca takes and tells them. Input: an order, or JSON. Output: the fields to send, or a `BrokerOrder`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from trading_lib.adapters.brokers.alpaca.values import UnreadableError, amount_of, plain, text_of, time_or_none
from trading_lib.domain.book.orders import Order, OrderType, Side, TimeInForce
from trading_lib.execution.broker import BrokerOrder, BrokerStatus

TYPES = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
}
LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
STOPPED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
IN_FORCE = {TimeInForce.OPENING: "opg", TimeInForce.DAY: "day", TimeInForce.UNTIL_CANCELLED: "gtc"}
# A quantity beyond it is an error of ours, and nobody's order. Parts have at most nine decimals.
LARGEST_QUANTITY = Decimal(10) ** 9
SMALLEST_PART = Decimal("1E-9")

SIDES = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}
# Those not listed here nor among the open ones are new to us: the order is live until we know better.
ENDED = {
    "filled": BrokerStatus.FILLED,
    "canceled": BrokerStatus.CANCELLED,
    "expired": BrokerStatus.EXPIRED,
    "rejected": BrokerStatus.REJECTED,
    # Somebody changed it at Alpaca, which makes another order of it.
    "replaced": BrokerStatus.CANCELLED,
}
OPEN = frozenset(
    {
        "new",
        "accepted",
        "pending_new",
        "accepted_for_bidding",
        "partially_filled",
        "held",
        "pending_cancel",
        "pending_replace",
        "pending_review",
        "stopped",
        "suspended",
        "calculated",
        # Of a `gtc` order: it goes on at the next session.
        "done_for_day",
    }
)
ENDED_AT = {"canceled": "canceled_at", "expired": "expired_at", "rejected": "failed_at", "replaced": "replaced_at"}
WORDS = {
    "canceled": "cancelled at Alpaca",
    "expired": "expired unfilled at Alpaca",
    "rejected": "rejected by Alpaca after it was taken",
    "replaced": "changed at Alpaca, which made another order of it",
}


class UnsendableError(ValueError):
    """An order that Alpaca cannot take, or that is wrong in itself; nothing of it is sent."""


def request_fields(order: Order, whole: bool) -> dict[str, str]:
    """Return an order as it is posted; every amount is text, so that no digit is lost.

    An order for the opening takes part in the opening auction (`opg`). Parts of a share do not: such an order is a
    market order of the day, sent before the opening, which trades right after it.

    Parameters
    ----------
    whole
        Whether the asset is traded in whole units only, as its lot size says.

    Raises
    ------
    UnsendableError
        Naming what is wrong.
    """
    quantity = order.quantity
    if not quantity.is_finite() or not 0 < quantity <= LARGEST_QUANTITY:
        raise UnsendableError(f"quantity {quantity} is not a number of units above 0")
    in_parts = quantity % 1 != 0
    if in_parts and whole:
        raise UnsendableError(f"quantity {quantity} is in parts, and {order.symbol} is traded in whole units")
    if in_parts and quantity % SMALLEST_PART != 0:
        raise UnsendableError(f"quantity {quantity} has more than nine decimals")
    fields = {
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": "buy" if order.side is Side.BUY else "sell",
        "qty": plain(quantity),
        "type": TYPES[order.order_type],
        "time_in_force": _in_force(order, in_parts),
    }
    if order.order_type in LIMITED:
        fields["limit_price"] = _price(order.limit_price, "limit price")
    if order.order_type in STOPPED:
        fields["stop_price"] = _price(order.stop_price, "stop price")
    return fields


def _in_force(order: Order, in_parts: bool) -> str:
    if order.time_in_force is TimeInForce.OPENING:
        if order.order_type in STOPPED:
            raise UnsendableError("a stop order is in force for the day or until it is cancelled, not at the opening")
        if in_parts and order.order_type is not OrderType.MARKET:
            raise UnsendableError("a limit order for the opening is in whole units")
        return "day" if in_parts else "opg"
    if in_parts and order.time_in_force is not TimeInForce.DAY:
        raise UnsendableError("an order in parts of a unit is in force for the day only")
    return IN_FORCE[order.time_in_force]


def _price(price: Decimal | None, name: str) -> str:
    if price is None or not price.is_finite() or price <= 0:
        raise UnsendableError(f"{name} {price} is not above 0")
    return plain(price)


def broker_order(content: Any, record: Callable[[str], str]) -> BrokerOrder:
    """Return an order as Alpaca tells it.

    One with an amount of money in place of a quantity, which is never ours, has the quantity that is filled.

    Parameters
    ----------
    record
        Makes the text that is kept of it.

    Raises
    ------
    UnreadableError
        Naming the field.
    """
    if not isinstance(content, dict):
        raise UnreadableError("no order")
    filled = amount_of(content, "filled_qty")
    side = SIDES.get(text_of(content, "side"))
    if side is None:
        raise UnreadableError("side is neither buy nor sell")
    quantity = filled if content.get("qty") is None else amount_of(content, "qty")
    if not 0 <= filled <= quantity:
        raise UnreadableError("filled_qty is not between 0 and qty")
    told = text_of(content, "status")
    return BrokerOrder(
        text_of(content, "client_order_id"),
        text_of(content, "id"),
        text_of(content, "symbol"),
        side,
        quantity,
        filled,
        _status(told, filled),
        record(_reason(told, content)),
        time_or_none(content, "created_at"),
        record(json.dumps(content, default=str)),
    )


def _status(told: str, filled: Decimal) -> BrokerStatus:
    return ENDED.get(told, BrokerStatus.PARTIALLY_FILLED if filled else BrokerStatus.WORKING)


def _reason(told: str, content: Mapping[str, Any]) -> str:
    if told not in WORDS:
        known = told in OPEN or told in ENDED
        return "" if known else f"Alpaca says {told!r}, which is not known here: it counts as open"
    at = content.get(ENDED_AT[told])
    return f"{WORDS[told]} ({at})" if isinstance(at, str) else WORDS[told]

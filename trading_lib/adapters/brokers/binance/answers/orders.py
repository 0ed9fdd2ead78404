"""Binance's answers about orders, read into this project's values.

Input: JSON. Output: `BrokerOrder`. An answer that contradicts itself raises `UnreadableError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from trading_lib.adapters.brokers.binance.answers.amounts import UnreadableError, amount, text, when, whole, written
from trading_lib.adapters.brokers.binance.answers.markets import Pair
from trading_lib.domain.book.orders import Side
from trading_lib.execution.broker import BrokerOrder, BrokerStatus

STATUSES: Mapping[str, BrokerStatus] = {
    "NEW": BrokerStatus.WORKING,
    "PENDING_NEW": BrokerStatus.WORKING,
    "PENDING_CANCEL": BrokerStatus.WORKING,
    "PARTIALLY_FILLED": BrokerStatus.PARTIALLY_FILLED,
    "FILLED": BrokerStatus.FILLED,
    "CANCELED": BrokerStatus.CANCELLED,
    "REJECTED": BrokerStatus.REJECTED,
    "EXPIRED": BrokerStatus.EXPIRED,
    "EXPIRED_IN_MATCH": BrokerStatus.EXPIRED,
}
REASONS: Mapping[BrokerStatus, str] = {
    BrokerStatus.CANCELLED: "cancelled at Binance",
    BrokerStatus.REJECTED: "rejected by Binance's matching engine",
    BrokerStatus.EXPIRED: "expired at Binance: not all of it could trade",
}
Recorded = Callable[[str], str]


def broker_order(record: Mapping[str, Any], pair: Pair, recorded: Recorded) -> BrokerOrder:
    """Return an order as Binance reports it.

    A status that nobody knows counts as open: what may still fill must not end here.

    Parameters
    ----------
    recorded
        Makes the raw text fit to be stored.
    """
    if text(record, "symbol") != pair.name:
        raise UnreadableError(f"is about {record['symbol']}, not {pair.name}")
    quantity, filled = amount(record, "origQty"), amount(record, "executedQty")
    if _is_by_value(record):
        # Placed by hand for a sum of money: its quantity is what came of it.
        quantity = max(quantity, filled)
    stated = text(record, "status")
    status = STATUSES.get(stated, BrokerStatus.WORKING)
    if filled > quantity or (status is BrokerStatus.FILLED and filled != quantity):
        raise UnreadableError(f"contradicts itself: {stated} with {filled} of {quantity} filled")
    if status is BrokerStatus.WORKING and filled:
        status = BrokerStatus.PARTIALLY_FILLED
    unknown = "" if stated in STATUSES else f"its status {stated} is not known here; it is taken to be open"
    return BrokerOrder(
        client_order_id=text(record, "clientOrderId"),
        broker_order_id=str(whole(record, "orderId")),
        symbol=pair.symbol,
        side=side_of(record),
        quantity=quantity,
        filled=filled,
        status=status,
        reason=unknown or REASONS.get(status, ""),
        created_at=when(record, "time"),
        raw=recorded(written(record)),
    )


def side_of(record: Mapping[str, Any]) -> Side:
    """Return the side of an order."""
    try:
        return Side(text(record, "side"))
    except ValueError:
        raise UnreadableError("has an unknown side") from None


def id_of_new(content: Any, client_order_id: str, pair: Pair) -> str:
    """Return Binance's id of an order that was just taken; what is not about this order raises `UnreadableError`."""
    if not isinstance(content, dict):
        raise UnreadableError("is no object")
    if text(content, "clientOrderId") != client_order_id or text(content, "symbol") != pair.name:
        raise UnreadableError("is about another order")
    return str(whole(content, "orderId"))


def check_cancelled(content: Any, client_order_id: str, broker_order_id: str) -> None:
    """Raise `UnreadableError` unless a cancellation is confirmed for this order."""
    if not isinstance(content, dict):
        raise UnreadableError("is no object")
    told = (text(content, "origClientOrderId"), str(whole(content, "orderId")))
    if told != (client_order_id, broker_order_id):
        raise UnreadableError("is about another order")


def _is_by_value(record: Mapping[str, Any]) -> bool:
    return "origQuoteOrderQty" in record and amount(record, "origQuoteOrderQty") > Decimal(0)

"""Orders and fills as values, and the order lifecycle as a table: (status, event) -> status."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trading_lib.domain.errors import OrderTransitionError


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"


class OrderPurpose(StrEnum):
    """Purpose of an order; RISK orders only reduce positions and are exempt from size limits."""

    REBALANCE = "REBALANCE"
    RISK = "RISK"


class OrderStatus(StrEnum):
    """Status of an order. UNKNOWN: sent, outcome not known; it is never sent again while UNKNOWN."""

    INTENDED = "INTENDED"
    DENIED = "DENIED"
    UNKNOWN = "UNKNOWN"
    WORKING = "WORKING"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class OrderEvent(StrEnum):
    """What can happen to an order. VOID changes no status: a repair strikes a simulated fill of a finished order."""

    DENY = "DENY"
    SUBMIT = "SUBMIT"
    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    PARTIAL_FILL = "PARTIAL_FILL"
    FILL = "FILL"
    CANCEL = "CANCEL"
    VOID = "VOID"


# SUBMIT moves to UNKNOWN: between sending and the answer nothing is known, and a crash leaves exactly that.
TRANSITIONS: Mapping[tuple[OrderStatus, OrderEvent], OrderStatus] = {
    (OrderStatus.INTENDED, OrderEvent.DENY): OrderStatus.DENIED,
    (OrderStatus.INTENDED, OrderEvent.SUBMIT): OrderStatus.UNKNOWN,
    (OrderStatus.INTENDED, OrderEvent.CANCEL): OrderStatus.CANCELLED,
    (OrderStatus.UNKNOWN, OrderEvent.ACCEPT): OrderStatus.WORKING,
    (OrderStatus.UNKNOWN, OrderEvent.REJECT): OrderStatus.REJECTED,
    (OrderStatus.UNKNOWN, OrderEvent.PARTIAL_FILL): OrderStatus.PARTIALLY_FILLED,
    (OrderStatus.UNKNOWN, OrderEvent.FILL): OrderStatus.FILLED,
    (OrderStatus.UNKNOWN, OrderEvent.CANCEL): OrderStatus.CANCELLED,
    (OrderStatus.WORKING, OrderEvent.PARTIAL_FILL): OrderStatus.PARTIALLY_FILLED,
    (OrderStatus.WORKING, OrderEvent.FILL): OrderStatus.FILLED,
    (OrderStatus.WORKING, OrderEvent.REJECT): OrderStatus.REJECTED,
    (OrderStatus.WORKING, OrderEvent.CANCEL): OrderStatus.CANCELLED,
    (OrderStatus.PARTIALLY_FILLED, OrderEvent.PARTIAL_FILL): OrderStatus.PARTIALLY_FILLED,
    (OrderStatus.PARTIALLY_FILLED, OrderEvent.FILL): OrderStatus.FILLED,
    (OrderStatus.PARTIALLY_FILLED, OrderEvent.CANCEL): OrderStatus.CANCELLED,
}

OPEN_STATUSES = (OrderStatus.UNKNOWN, OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)
TERMINAL_STATUSES = frozenset({OrderStatus.DENIED, OrderStatus.FILLED, OrderStatus.REJECTED, OrderStatus.CANCELLED})


def next_status(status: OrderStatus, event: OrderEvent) -> OrderStatus:
    """Status after ``event``; a pair that is not in `TRANSITIONS` raises `OrderTransitionError`."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise OrderTransitionError(f"an order that is {status} cannot take the event {event}") from None


def client_order_id(book: str, session: date, symbol: str, side: Side, slice_number: int = 0) -> str:
    """Identify an order by what it is: the same decision can only ever make the same id.

    See docs/specification.md#order-identity. At most 36 characters of [A-Za-z0-9-], the narrowest rule among the
    supported brokers.
    """
    day = session.isoformat()
    identity = f"{book}|{day}|{symbol}|{side}|{slice_number}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
    readable = (symbol if symbol.isalnum() else "".join(filter(str.isalnum, symbol)))[:8]
    return f"{day.replace('-', '')}-{readable}-{side[0]}{slice_number}-{digest}"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as decided, before anything is sent.

    Attributes
    ----------
    quantity
        Positive, a multiple of the instrument's lot size.
    expected_price
        Last good raw price at the decision.
    weight_change
        Intended change of the asset's weight, negative for sells.
    """

    client_order_id: str
    book: str
    session: date
    symbol: str
    side: Side
    quantity: Decimal
    expected_price: Decimal
    estimated_commission: Decimal
    weight_change: float
    purpose: OrderPurpose
    reason: str
    order_type: str = "MARKET"

    @property
    def expected_notional(self) -> Decimal:
        """Quantity times expected price, in dollars."""
        return self.quantity * self.expected_price


@dataclass(frozen=True, slots=True)
class Fill:
    """An execution.

    Attributes
    ----------
    trade_id
        The broker's id, unique per broker.
    price
        Execution price including slippage; ``reference_price`` is the price without it.
    session
        The session in whose accounting the fill falls.
    """

    trade_id: str
    broker: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    reference_price: Decimal
    commission: Decimal
    filled_at: datetime
    session: date


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An order that its opening did not fill, or the rest of one that it filled in part.

    Attributes
    ----------
    quantity
        What was left unfilled; 0 where a split left nothing of the order.
    session
        The session in whose accounting the opening falls, as of a `Fill`.
    reason
        Names the symbol and the day of the opening.
    """

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    session: date
    reason: str

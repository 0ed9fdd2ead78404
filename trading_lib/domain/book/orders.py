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
    """Purpose of an order; RISK orders only reduce positions and are exempt from size limits.

    FEE: not sent; it books units of an asset that the broker kept as its fee.
    """

    REBALANCE = "REBALANCE"
    RISK = "RISK"
    FEE = "FEE"


class OrderType(StrEnum):
    """How an order is priced. STOP becomes a market order at its stop price, STOP_LIMIT a limit order."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


class TimeInForce(StrEnum):
    """How long an order is in force. OPENING: it trades at the next opening, or not at all."""

    OPENING = "OPENING"
    DAY = "DAY"
    UNTIL_CANCELLED = "UNTIL_CANCELLED"


class OrderStatus(StrEnum):
    """Status of an order.

    UNKNOWN: sent, outcome not known; it is never sent again while UNKNOWN. HELD: kept back by a guard, never sent.
    ABSENT: sent, and proved not to be at the broker; it may be sent again under its id. PENDING_CANCEL: its
    cancellation was asked for, and what is left of it may still fill.
    """

    INTENDED = "INTENDED"
    DENIED = "DENIED"
    HELD = "HELD"
    UNKNOWN = "UNKNOWN"
    ABSENT = "ABSENT"
    WORKING = "WORKING"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    FILLED = "FILLED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class OrderEvent(StrEnum):
    """What can happen to an order.

    Some change no status: LOOK_UP notes what a broker said, LATE_FILL books a fill of an order that has ended without
    it, BUST and CORRECT strike or replace a fill on the broker's word, and VOID strikes a simulated one in a repair.
    """

    DENY = "DENY"
    HOLD = "HOLD"
    SUBMIT = "SUBMIT"
    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    PARTIAL_FILL = "PARTIAL_FILL"
    FILL = "FILL"
    REQUEST_CANCEL = "REQUEST_CANCEL"
    CANCEL = "CANCEL"
    EXPIRE = "EXPIRE"
    PROVE_ABSENT = "PROVE_ABSENT"
    LOOK_UP = "LOOK_UP"
    LATE_FILL = "LATE_FILL"
    BUST = "BUST"
    CORRECT = "CORRECT"
    VOID = "VOID"


class EvidenceSource(StrEnum):
    """Where an event of an order's life comes from: this system, or what a broker said and when it was asked."""

    SYSTEM = "system"
    SUBMIT = "submit"
    LOOK_UP = "look-up"
    STREAM = "stream"
    POLL = "poll"
    OPERATOR = "operator"


_ENDED_BY_BROKER: Mapping[OrderEvent, OrderStatus] = {
    OrderEvent.FILL: OrderStatus.FILLED,
    OrderEvent.REJECT: OrderStatus.REJECTED,
    OrderEvent.CANCEL: OrderStatus.CANCELLED,
    OrderEvent.EXPIRE: OrderStatus.EXPIRED,
}
_FOUND: Mapping[OrderEvent, OrderStatus] = {
    OrderEvent.ACCEPT: OrderStatus.WORKING,
    OrderEvent.PARTIAL_FILL: OrderStatus.PARTIALLY_FILLED,
    **_ENDED_BY_BROKER,
}
_BY_STATUS: Mapping[OrderStatus, Mapping[OrderEvent, OrderStatus]] = {
    OrderStatus.INTENDED: {
        OrderEvent.DENY: OrderStatus.DENIED,
        OrderEvent.HOLD: OrderStatus.HELD,
        # Between sending and the answer nothing is known, and a crash leaves exactly that.
        OrderEvent.SUBMIT: OrderStatus.UNKNOWN,
        OrderEvent.CANCEL: OrderStatus.CANCELLED,
    },
    OrderStatus.UNKNOWN: {
        **_FOUND,
        OrderEvent.LOOK_UP: OrderStatus.UNKNOWN,
        # Whether it is there to be cancelled is as unknown as before.
        OrderEvent.REQUEST_CANCEL: OrderStatus.UNKNOWN,
        OrderEvent.PROVE_ABSENT: OrderStatus.ABSENT,
    },
    # Proofs rest on what a broker said; when it says otherwise later, the order is where it says.
    OrderStatus.ABSENT: {
        **_FOUND,
        OrderEvent.SUBMIT: OrderStatus.UNKNOWN,
        OrderEvent.DENY: OrderStatus.DENIED,
        OrderEvent.HOLD: OrderStatus.HELD,
    },
    OrderStatus.WORKING: {
        OrderEvent.PARTIAL_FILL: OrderStatus.PARTIALLY_FILLED,
        OrderEvent.REQUEST_CANCEL: OrderStatus.PENDING_CANCEL,
        OrderEvent.LOOK_UP: OrderStatus.WORKING,
        **_ENDED_BY_BROKER,
    },
    OrderStatus.PARTIALLY_FILLED: {
        OrderEvent.PARTIAL_FILL: OrderStatus.PARTIALLY_FILLED,
        OrderEvent.REQUEST_CANCEL: OrderStatus.PENDING_CANCEL,
        OrderEvent.LOOK_UP: OrderStatus.PARTIALLY_FILLED,
        OrderEvent.FILL: OrderStatus.FILLED,
        OrderEvent.CANCEL: OrderStatus.CANCELLED,
        OrderEvent.EXPIRE: OrderStatus.EXPIRED,
    },
    OrderStatus.PENDING_CANCEL: {
        # The broker refused to cancel: it works on.
        OrderEvent.ACCEPT: OrderStatus.WORKING,
        OrderEvent.PARTIAL_FILL: OrderStatus.PENDING_CANCEL,
        OrderEvent.REQUEST_CANCEL: OrderStatus.PENDING_CANCEL,
        OrderEvent.LOOK_UP: OrderStatus.PENDING_CANCEL,
        **_ENDED_BY_BROKER,
    },
    **{status: {OrderEvent.LATE_FILL: status} for status in _ENDED_BY_BROKER.values()},
}
# Struck or replaced fills change what is filled, not what became of the order.
_REVISED = tuple(status for status in _BY_STATUS if status is not OrderStatus.INTENDED)
TRANSITIONS: Mapping[tuple[OrderStatus, OrderEvent], OrderStatus] = {
    **{(status, event): after for status, events in _BY_STATUS.items() for event, after in events.items()},
    **{(status, event): status for status in _REVISED for event in (OrderEvent.BUST, OrderEvent.CORRECT)},
}

# What may still fill.
OPEN_STATUSES = (
    OrderStatus.UNKNOWN,
    OrderStatus.WORKING,
    OrderStatus.PARTIALLY_FILLED,
    OrderStatus.PENDING_CANCEL,
)
TERMINAL_STATUSES = frozenset(
    {
        OrderStatus.DENIED,
        OrderStatus.HELD,
        OrderStatus.FILLED,
        OrderStatus.REJECTED,
        OrderStatus.CANCELLED,
        OrderStatus.EXPIRED,
    }
)


def next_status(status: OrderStatus, event: OrderEvent) -> OrderStatus:
    """Status after ``event``; a pair that is not in `TRANSITIONS` raises `OrderTransitionError`."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise OrderTransitionError(f"an order that is {status} cannot take the event {event}") from None


def client_order_id(book: str, session: date, symbol: str, side: Side, slice_number: int = 0, leg: str = "") -> str:
    """Identify an order by what it is: the same decision can only ever make the same id.

    See docs/specification.md#order-identity. At most 36 characters of [A-Za-z0-9-], the narrowest rule among the
    supported brokers.

    Parameters
    ----------
    leg
        Tells two orders apart that are the same otherwise: "" for the order itself.
    """
    day = session.isoformat()
    identity = f"{book}|{day}|{symbol}|{side}|{slice_number}" + (f"|{leg}" if leg else "")
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
    limit_price, stop_price
        Dollars, where the order type has them.
    leg
        Part of its identity, see `client_order_id`.
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
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.OPENING
    leg: str = ""

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

"""A model of the order store: an entry is stored wholly or not at all, and only on the version that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from trading_lib.domain.book.orders import TERMINAL_STATUSES, Order, OrderEvent, OrderStatus
from trading_lib.execution.order_path.requests import Entry
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Append, BookFill, Cancelling, StrikeFill, Tracked

NOTHING = Decimal(0)
_ENDING = (OrderEvent.CANCEL, OrderEvent.EXPIRE, OrderEvent.REJECT)


class StoredOrder:
    """A row, its fills and what its events say."""

    __slots__ = (
        "asked",
        "attempts",
        "broker_order_id",
        "events",
        "filled",
        "fills",
        "order",
        "sent_at",
        "status",
        "struck",
    )

    def __init__(self, order: Order) -> None:
        self.order = order
        self.status, self.attempts = OrderStatus.INTENDED, 0
        self.sent_at: datetime | None = None
        self.broker_order_id = ""
        self.filled = NOTHING
        self.fills: dict[str, Decimal] = {}
        self.struck: frozenset[str] = frozenset()
        self.asked = False
        self.events: list[OrderEvent] = []

    def tracked(self) -> Tracked:
        """Return what a process knows that reads it."""
        cancelling = Cancelling.ASKED if self.asked else Cancelling.NOT_ASKED
        return Tracked(
            self.order,
            self.status,
            self.attempts,
            self.sent_at,
            self.broker_order_id,
            self.filled,
            dict(self.fills),
            self.struck,
            cancelling,
            events=len(self.events),
        )

    def append(self, append: Append) -> None:
        """Take an event."""
        event = append.event
        self.status = append.status
        self.events.append(event)
        if event is OrderEvent.SUBMIT:
            self.attempts, self.sent_at, self.asked = append.attempt, append.at, False
        elif event is OrderEvent.REQUEST_CANCEL:
            self.asked = True
        elif event is OrderEvent.ACCEPT:
            self.asked = False
        elif event is OrderEvent.BUST:
            self.struck |= {append.detail}
        if append.broker_order_id:
            self.broker_order_id = append.broker_order_id

    def book(self, fill: BookFill) -> None:
        """Store a fill once, by its trade id."""
        execution = fill.execution
        if execution.trade_id not in self.fills:
            self.fills[execution.trade_id] = execution.quantity
            self.filled += execution.quantity

    def strike(self, strike: StrikeFill) -> None:
        """Strike a fill."""
        self.filled -= self.fills.pop(strike.bust.trade_id, NOTHING)
        self.struck |= {strike.bust.trade_id}


class ModelStore:
    """The store of one history.

    Attributes
    ----------
    unbacked
        Ids of orders that a process left behind as filled, without the fills that say so, or that ended before all was
        booked that the broker had called filled.
    """

    __slots__ = ("rows", "unbacked")

    def __init__(self, orders: Sequence[Order]) -> None:
        self.rows = {order.client_order_id: StoredOrder(order) for order in orders}
        self.unbacked: set[str] = set()

    def tracked(self, identities: Iterable[str]) -> list[Tracked]:
        """Orders as they are stored."""
        return [self.rows[identity].tracked() for identity in identities]

    def write(self, entries: Sequence[Entry]) -> frozenset[str]:
        """Store entries, and return the ids of those whose order has another version than they rest on."""
        refused = []
        for entry in entries:
            row = self.rows[entry.client_order_id]
            status, attempts, filled, events = entry.before
            same = row.status is status and row.attempts == attempts and len(row.events) == events
            if not same or row.filled != filled:
                refused.append(entry.client_order_id)
                continue
            for write in entry.writes:
                if type(write) is Append:
                    row.append(write)
                elif type(write) is BookFill:
                    row.book(write)
                else:
                    row.strike(write)  # type: ignore[arg-type]
        return frozenset(refused)

    def left_behind(self) -> None:
        """Note what a process that stops leaves behind."""
        for identity, row in self.rows.items():
            if row.status is OrderStatus.FILLED and row.filled < row.order.quantity and not row.struck:
                self.unbacked.add(identity)

    def ended_early(self, entries: Sequence[Entry], told: Mapping[str, Decimal]) -> None:
        """Note orders that end here with less than what the broker last called filled."""
        for entry in entries:
            row = self.rows[entry.client_order_id]
            ends = any(type(write) is Append and write.event in _ENDING for write in entry.writes)
            if ends and not row.struck and row.filled < told.get(entry.client_order_id, NOTHING):
                self.unbacked.add(entry.client_order_id)

    def unfinished(self, policy: SendingPolicy) -> list[str]:
        """Ids of orders that are not over, and whose tries are not used up."""
        return [
            identity
            for identity, row in self.rows.items()
            if row.status not in TERMINAL_STATUSES
            and not (row.status is OrderStatus.ABSENT and row.attempts >= policy.tries)
        ]

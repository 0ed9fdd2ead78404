"""What is known of an order, and what follows from a piece of evidence: what to store, to tell and to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from trading_lib.domain.book.orders import EvidenceSource, Order, OrderEvent, OrderStatus
from trading_lib.execution.broker import Bust, Execution
from trading_lib.execution.order_path.absence import NOTHING_PROVED, Absence

ZERO = Decimal(0)
NO_FILLS: Mapping[str, Decimal] = MappingProxyType({})


class Cancelling(StrEnum):
    """How far a cancellation has come."""

    NOT_ASKED = ""
    ASKED = "asked"
    REFUSED = "refused"


class Version(NamedTuple):
    """What of a stored order a decision rests on; where the stored order has another, the decision is void.

    Attributes
    ----------
    events
        How many events it has: some, like the wish to cancel an order that is unknown, change nothing else.
    """

    status: OrderStatus
    attempts: int
    filled: Decimal
    events: int


class Tracked(NamedTuple):
    """All that is known of an order.

    Attributes
    ----------
    attempts, sent_at
        How often it was sent, and when last; of what was about to be sent, too.
    broker_order_id
        "" while it is not known.
    filled
        Units, the sum of ``fills``.
    fills
        Trade id -> units, of the fills that stand.
    struck
        Trade ids of fills that the broker struck; told again, they are not booked again.
    cancelling
        Whether a cancellation was asked for that has not come to an end.
    absence
        How far the proof of absence has come; it lives in memory, and whoever starts anew begins it anew.
    noted
        What was noted or told, so that it is not again.
    events
        How many events it has.
    called_filled
        Units that the broker has called filled at most since a fill was struck; in memory, like ``absence``. Reports
        that come late say less, and must not end the order.
    """

    order: Order
    status: OrderStatus = OrderStatus.INTENDED
    attempts: int = 0
    sent_at: datetime | None = None
    broker_order_id: str = ""
    filled: Decimal = ZERO
    fills: Mapping[str, Decimal] = NO_FILLS
    struck: frozenset[str] = frozenset()
    cancelling: Cancelling = Cancelling.NOT_ASKED
    absence: Absence = NOTHING_PROVED
    noted: frozenset[tuple[str, ...]] = frozenset()
    events: int = 0
    called_filled: Decimal = ZERO

    @property
    def version(self) -> Version:
        """What decisions on it rest on."""
        return Version(self.status, self.attempts, self.filled, self.events)


class Append(NamedTuple):
    """Store an event: the order has ``status`` then."""

    event: OrderEvent
    status: OrderStatus
    at: datetime
    source: EvidenceSource
    attempt: int
    detail: str = ""
    raw: str = ""
    broker_order_id: str = ""


class BookFill(NamedTuple):
    """Store a fill, before or with the events that follow from it."""

    execution: Execution
    source: EvidenceSource


class StrikeFill(NamedTuple):
    """Strike a stored fill."""

    bust: Bust
    quantity: Decimal


class Tell(NamedTuple):
    """Tell the operator."""

    client_order_id: str
    problem: str


class Next(StrEnum):
    """What is to be done at the broker next."""

    SEND = "send"
    LOOK_UP = "look up"
    SWEEP = "read its fills"
    CANCEL = "cancel"


Action = Append | BookFill | StrikeFill | Tell | Next
Advanced = tuple[Tracked, tuple[Action, ...]]

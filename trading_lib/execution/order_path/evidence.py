"""Evidence of what became of an order: what was done to it here, and what its broker said and when it was asked.

Every kind is an observation. What follows from it is decided in `lifecycle.advance` alone.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from trading_lib.domain.book.orders import EvidenceSource
from trading_lib.execution.broker import Answer, BrokerOrder, Bust, Execution, LookUp


class Reading(StrEnum):
    """What a broker was asked for completely: lists in which an order that is there must be."""

    OPEN = "open orders"
    CLOSED = "closed orders"
    FILLS = "fills"


class Sending(NamedTuple):
    """The order is about to be sent, for the ``attempt``-th time."""

    attempt: int


class Answered(NamedTuple):
    """What the broker answered to the ``attempt``-th sending."""

    attempt: int
    answer: Answer


class LookedUp(NamedTuple):
    """The result of a look-up by the client order id that was begun at ``begun_at``."""

    begun_at: datetime
    look_up: LookUp


class Reported(NamedTuple):
    """The order stands in a list that was read, or in a message of a stream."""

    order: BrokerOrder
    source: EvidenceSource = EvidenceSource.POLL


class NotListed(NamedTuple):
    """A list was read completely, beginning at ``begun_at``, and nothing in it has the order's id."""

    reading: Reading
    begun_at: datetime


class Executed(NamedTuple):
    """A fill under the order's id."""

    execution: Execution
    source: EvidenceSource = EvidenceSource.POLL


class Busted(NamedTuple):
    """A fill of the order was struck by the broker."""

    bust: Bust
    source: EvidenceSource = EvidenceSource.POLL


class CancelAsked(NamedTuple):
    """Somebody wants what is left of the order cancelled."""

    reason: str


class CancelAnswered(NamedTuple):
    """What the broker answered to the request to cancel."""

    answer: Answer


class Held(NamedTuple):
    """A guard keeps the order back for good."""

    reason: str


class Denied(NamedTuple):
    """The pre-trade checks refuse the order."""

    reason: str


Evidence = (
    Sending
    | Answered
    | LookedUp
    | Reported
    | NotListed
    | Executed
    | Busted
    | CancelAsked
    | CancelAnswered
    | Held
    | Denied
)

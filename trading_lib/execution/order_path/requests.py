"""What the order path asks of the world. It yields a request and is sent the answer; it does nothing itself.

| Request | Answer |
|---|---|
| `Check` | `ClearedOrder`, or the `Denied` or `Held` that keeps the order back |
| `Save` | ids of orders that were not stored, because another process has changed them; the rest is durable |
| `Load` | `Tracked` of each order as it is stored now |
| `Submit`, `Cancel` | `Answer`, UNKNOWN where there was none |
| `Find` | `LookUp`, UNKNOWN where there was no answer |
| `ReadOpen`, `ReadClosed` | the orders, None where they could not be read completely |
| `ReadFills` | `Executions`, None where they could not be read completely |
| `Wait` | whether it was waited; False ends the work for now |
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from trading_lib.domain.book.orders import Order
from trading_lib.execution.broker import ClearedOrder
from trading_lib.execution.order_path.tracked import Append, BookFill, StrikeFill, Version


class Entry(NamedTuple):
    """What is to be stored of an order, all of it or nothing.

    Attributes
    ----------
    before
        The version that the decision rests on; nothing is stored where the stored order has another.
    writes
        In the order in which they are to take effect.
    """

    client_order_id: str
    before: Version
    writes: tuple[Append | BookFill | StrikeFill, ...]


class Check(NamedTuple):
    """Ask the pre-trade gate and the guards, a moment before an order is sent."""

    order: Order


class Save(NamedTuple):
    """Store, durably, in one transaction."""

    entries: tuple[Entry, ...]


class Load(NamedTuple):
    """Read orders as they are stored."""

    identities: tuple[str, ...]


class Submit(NamedTuple):
    """Send an order whose sending is stored."""

    cleared: ClearedOrder


class Find(NamedTuple):
    """Look an order up."""

    client_order_id: str


class ReadOpen(NamedTuple):
    """Read the open orders of the account."""


class ReadClosed(NamedTuple):
    """Read the account's orders that were taken since and are over."""

    since: datetime


class ReadFills(NamedTuple):
    """Read the account's fills, from the stored cursor on."""


class Cancel(NamedTuple):
    """Ask the broker to cancel what is left of an order."""

    client_order_id: str


class Wait(NamedTuple):
    """Let time pass."""

    delay: timedelta


Request = Check | Save | Load | Submit | Find | ReadOpen | ReadClosed | ReadFills | Cancel | Wait

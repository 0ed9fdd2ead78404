"""A book's own records of one account, as they are compared with its broker's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.orders import Fill, Order, OrderStatus
from trading_lib.execution.reconciliation.breaks import Known

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """A stored order, its status, what of it is filled by stored fills, and the broker's id of it ("" if unknown)."""

    order: Order
    status: OrderStatus
    filled: Decimal = NOTHING
    broker_order_id: str = ""


@dataclass(frozen=True, slots=True)
class Dividend:
    """A dividend of a holding: booked here on its ex-date, paid by the broker some time after it."""

    symbol: str
    session: date
    per_share: Decimal
    units: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class BookSide:
    """What a book has of one account.

    Attributes
    ----------
    name, account
        The book's, and the account's as the configuration calls it.
    session
        The newest one that is settled.
    cash, positions
        At that session; positions with the parts below a millionth of a unit that books do not keep.
    orders
        Every one that was sent in the span of the snapshot or is open, and those that its fills name.
    fills
        Stored ones that the snapshot may tell of again, booked or not.
    splits
        Symbol -> new shares per old share, of those around ``session``.
    dividends
        Booked lately, or since the movements of the account are read.
    flows
        Recorded, booked lately or not yet.
    proceeds
        Symbol -> dollars booked lately for a closed holding that the broker may still show.
    known
        Differences that the operator has accepted.
    left_out
        Trade ids of fills that the operator has left out of the book.
    begins
        Trades of others before then are none of the book's business: what came of them is what the account began with.
    before
        Ids of the movements of cash that the account's first comparison found: they are in its difference.
    """

    name: str
    account: str
    session: date
    cash: Decimal
    positions: Mapping[str, Decimal]
    orders: tuple[OwnOrder, ...] = ()
    fills: tuple[Fill, ...] = ()
    splits: Mapping[str, Decimal] = field(default_factory=dict)
    dividends: tuple[Dividend, ...] = ()
    flows: tuple[Flow, ...] = ()
    proceeds: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    known: tuple[Known, ...] = ()
    left_out: frozenset[str] = frozenset()
    begins: datetime | None = None
    before: frozenset[str] = frozenset()

    def is_earlier(self, at: datetime) -> bool:
        """Whether something happened before the book began."""
        return self.begins is not None and at < self.begins

"""A snapshot against a book: every break, each with what proves it. Input: both sides. Output: a `Comparison`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trading_lib.execution.reconciliation.amounts import amount_breaks
from trading_lib.execution.reconciliation.book_side import BookSide
from trading_lib.execution.reconciliation.breaks import Break, BreakStatus
from trading_lib.execution.reconciliation.movements import Carried, evidence_of
from trading_lib.execution.reconciliation.orders import order_breaks
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared, and what differs.

    Attributes
    ----------
    orders, positions
        How many of each, on either side.
    carried
        Cash that the broker has beyond the book for good, each with its movement; none of it is a break.
    """

    orders: int
    positions: int
    breaks: tuple[Break, ...]
    carried: tuple[Carried, ...] = ()

    @property
    def open(self) -> tuple[Break, ...]:
        """Those that somebody has to look at."""
        return tuple(one for one in self.breaks if one.status is BreakStatus.OPEN)


def compare(snapshot: BrokerSnapshot, book: BookSide) -> Comparison:
    """Compare a checked snapshot with a book's records of the account.

    No tolerance for quantities; cash to the cent, after everything that is explained.
    """
    breaks = [*order_breaks(snapshot, book), *amount_breaks(snapshot, book)]
    identities = {own.order.client_order_id for own in book.orders}
    identities |= {order.client_order_id or order.broker_order_id for order in snapshot.orders}
    symbols = book.positions.keys() | snapshot.positions.keys()
    carried = evidence_of(snapshot, book).carried
    return Comparison(len(identities), len(symbols), tuple(breaks), carried)


def halting_reason(book: str, numbered: Iterable[tuple[int, Any]]) -> str:
    """Return why an open break keeps a book from buying, "" where there is none.

    Parameters
    ----------
    numbered
        Number of each open break, and the break.
    """
    listed = list(numbered)
    if not listed:
        return ""
    number, first = listed[0]
    more = f" and {len(listed) - 1} more" if len(listed) > 1 else ""
    what = " of ".join(filter(None, (str(first.kind), first.symbol)))
    return (
        f"break {number} ({what}: {first.ours} here, {first.broker} at the broker){more} is open: nothing is bought"
        f" until `trading reconcile --book {book} --accept {number}` settles it"
    )

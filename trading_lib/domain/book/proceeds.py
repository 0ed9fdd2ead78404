"""Recorded proceeds of a holding whose prices have ended: a cash merger, a liquidation, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from trading_lib.domain.errors import InputError
from trading_lib.domain.money import HIGHEST_PRICE

# Stands where an execution names its broker.
RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Proceeds:
    """Cash for every share of a symbol that is held in a session; the holding is closed with it.

    Attributes
    ----------
    session
        The session whose settlement books it.
    amount_per_share
        Dollars, 0 for what became worthless.
    note
        Why, for the record.
    """

    symbol: str
    session: date
    amount_per_share: Decimal
    note: str = ""


def closing_id(session: date, symbol: str) -> str:
    """Identify the closing of a holding, in place of a broker's trade id."""
    return f"proceeds-{session:%Y%m%d}-{symbol}"


def amount_of_dollars(value: object) -> Decimal:
    """Read an amount per share; `InputError` unless it is 0 or more, with at most six decimals."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    exact = amount.is_finite() and 0 <= amount <= Decimal(HIGHEST_PRICE) and amount == round(amount, 6)
    if isinstance(value, bool) or not exact:
        raise InputError(f"{value!r} is no amount of dollars per share", "give 0 or more, with at most six decimals")
    return amount


def in_force(history: Iterable[RecordedProceeds]) -> tuple[RecordedProceeds, ...]:
    """Select the records that count, by session and symbol: a later one of a symbol replaces what was not booked yet.

    Parameters
    ----------
    history
        All records of one book, the oldest first.
    """
    kept: list[RecordedProceeds] = []
    for record in history:
        symbol = record.proceeds.symbol
        kept = [entry for entry in kept if entry.proceeds.symbol != symbol or entry.books_on <= record.settled]
        kept.append(record)
    return tuple(sorted(kept, key=lambda entry: (entry.books_on, entry.proceeds.symbol)))


@dataclass(frozen=True, slots=True)
class RecordedProceeds:
    """Proceeds as somebody recorded them for a book.

    Attributes
    ----------
    proceeds
        As stated.
    books_on
        The session that books them: the stated one, or the first that was not settled when they were recorded.
    settled
        The book's newest session at that time; what was to be booked later is replaced.
    """

    book: str
    proceeds: Proceeds
    books_on: date
    settled: date
    recorded_by: str
    recorded_at: datetime

    @property
    def due(self) -> Proceeds:
        """The proceeds, of the session that books them."""
        stated = self.proceeds
        return Proceeds(stated.symbol, self.books_on, stated.amount_per_share, stated.note)

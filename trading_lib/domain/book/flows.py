"""Flows of capital: deposits, withdrawals and transfers between accounts; neither profit nor loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

import numpy as np

from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.domain.market.sessions import SessionCalendar
from trading_lib.domain.money import LARGEST_BOOK


class FlowKind(StrEnum):
    """What a flow does to the book's capital."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class Flow:
    """Money that moves at the opening of a session, before any order of it is filled.

    Attributes
    ----------
    session
        The first session that counts with it.
    amount
        Dollars in whole cents, positive.
    source, target
        Accounts; a deposit has no source, a withdrawal no target, a transfer has both.
    """

    session: date
    amount: Decimal
    source: str | None = None
    target: str | None = None

    def __post_init__(self) -> None:
        if self.source is None and self.target is None:
            raise ValueError("a flow needs an account that it leaves or comes to")
        if self.source == self.target:
            raise InputError(f"a transfer from {self.source} to itself moves nothing", "name two accounts")

    @property
    def kind(self) -> FlowKind:
        """Which of the three it is, by the sides it has."""
        if self.source is None:
            return FlowKind.DEPOSIT
        return FlowKind.WITHDRAWAL if self.target is None else FlowKind.TRANSFER

    @property
    def net(self) -> Decimal:
        """Dollars that the book gains, negative for a withdrawal, 0 for a transfer."""
        return {FlowKind.DEPOSIT: self.amount, FlowKind.WITHDRAWAL: -self.amount}.get(self.kind, Decimal(0))

    def sides(self) -> Iterator[tuple[str, Decimal]]:
        """Each account it concerns with the dollars that account gains."""
        if self.source is not None:
            yield self.source, -self.amount
        if self.target is not None:
            yield self.target, self.amount

    def describe(self) -> str:
        """Return amount and accounts as text."""
        where = {
            FlowKind.DEPOSIT: f"into {self.target}",
            FlowKind.WITHDRAWAL: f"from {self.source}",
            FlowKind.TRANSFER: f"from {self.source} to {self.target}",
        }
        return f"{self.kind} of ${self.amount:,.2f} {where[self.kind]}"


@dataclass(frozen=True, slots=True)
class RecordedFlow:
    """A flow as somebody recorded it for a book.

    Attributes
    ----------
    reference
        Chosen by whoever records it; the same one again is the same flow.
    recorded_at
        Timezone-aware.
    """

    book: str
    reference: str
    flow: Flow
    recorded_by: str
    note: str
    recorded_at: datetime

    def same_as(self, other: RecordedFlow) -> bool:
        """Whether both record the same movement, whoever did it and whenever."""
        return (self.book, self.reference, self.flow) == (other.book, other.reference, other.flow)


def flow_amount(value: object) -> Decimal:
    """Read an amount; `InputError` unless it is positive and in whole cents."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    usable = not isinstance(value, bool) and amount.is_finite() and 0 < amount <= LARGEST_BOOK
    if not usable or amount != to_cent(amount):
        raise InputError(
            f"{value!r} is no amount that can be moved", "give dollars above 0 with at most two decimals, e.g. 2500.00"
        )
    return to_cent(amount)


def flows_of(flows: Iterable[Flow], session: date) -> tuple[Flow, ...]:
    """Select what moves in one session."""
    return tuple(flow for flow in flows if flow.session == session)


def net_of(flows: Iterable[Flow]) -> Decimal:
    """Dollars that a book gains by several flows."""
    return sum((flow.net for flow in flows), Decimal(0))


def net_by_session(flows: Iterable[Flow], sessions: DateArray) -> FloatArray:
    """Dollars that a book gains by flows at the opening of each session, shape (S,)."""
    totals = np.zeros(len(sessions))
    for flow in flows:
        totals[sessions == np.datetime64(flow.session)] += float(flow.net)
    return totals


def check_window(flows: Iterable[Flow], calendar: SessionCalendar, first: date, last: date) -> None:
    """Raise `InputError` for a flow outside a run's window, or in the session that opens its book."""
    flows = tuple(flows)
    if not flows:
        return
    opened = calendar.between(first, last)[:1].astype(object).tolist()
    for flow in flows:
        if flow.session > last or (opened and flow.session < opened[0]):
            raise InputError(
                f"the {flow.describe()} of session {flow.session} is outside {first} to {last}", "leave it out"
            )
        if opened and flow.session == opened[0]:
            raise InputError(
                f"the {flow.describe()} is of session {flow.session}, which opens the run with its initial cash",
                "change initial_cash of execution.yaml, or date it in a later session",
            )

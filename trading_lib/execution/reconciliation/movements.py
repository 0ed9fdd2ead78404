"""What moved a broker's cash without a trade, against a book: what explains itself, and what of the book it pays.

Input: movements as the broker tells them, and the book's dividends and flows. Output: `Evidence`. It is made anew from
all movements each time, so that one that a broker takes back is gone from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.market.sessions import NEW_YORK
from trading_lib.execution.broker import Movement, MovementKind
from trading_lib.execution.reconciliation.book_side import BookSide, Dividend
from trading_lib.execution.reconciliation.breaks import NOTHING
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot

# Brokers pay dividends up to some weeks after the ex-date, and book transfers some days late or early.
PAID_WITHIN, MOVED_WITHIN = timedelta(days=60), timedelta(days=14)
# These are what they are called, and nobody books them: cash at the broker is the book's with them.
SELF_EXPLAINED = frozenset({MovementKind.FEE, MovementKind.INTEREST})
# So many movements that nothing explains are named at most.
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Carried:
    """Cash that the broker has beyond the book for good, by a movement that explains itself."""

    movement: Movement
    amount: Decimal
    explanation: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an account's movements prove.

    Attributes
    ----------
    carried
        Fees, interest, taxes on dividends, what a dividend differs by from the one that is booked, and the value of
        fees that another coin paid.
    unpaid
        Dividends that are booked here and that the broker has not paid yet.
    late
        Flows that are booked here and have not moved at the broker.
    early
        Flows that have moved at the broker and that a later session books.
    unexplained
        Movements that need a word of the operator: transfers without a flow, dividends that no data tells of, others.
    """

    carried: tuple[Carried, ...] = ()
    unpaid: tuple[Dividend, ...] = ()
    late: tuple[Flow, ...] = ()
    early: tuple[Flow, ...] = ()
    unexplained: tuple[Movement, ...] = ()

    @property
    def cash(self) -> Decimal:
        """Dollars that are carried."""
        return sum((one.amount for one in self.carried), NOTHING)


def evidence_of(snapshot: BrokerSnapshot, book: BookSide) -> Evidence:
    """Match an account's movements with a book's records; nothing is known of a broker that tells none.

    What moved before the account's first comparison only takes its match.
    """
    told = (fill for fill in snapshot.fills if not book.is_earlier(fill.filled_at))
    commissions = {fill.trade_id: fill.commission for fill in told}
    commissions |= {fill.trade_id: fill.commission for fill in book.fills}
    unpaid = sorted(book.dividends, key=lambda one: (one.session, one.symbol))
    flows = [flow for flow in book.flows if dict(flow.sides()).get(book.account)]
    carried: list[Carried] = []
    early: list[Flow] = []
    unexplained: list[Movement] = []
    for one in sorted(snapshot.movements or (), key=lambda each: (each.at, each.movement_id)):
        if one.trade_id:
            # What is no trade of the comparison has no commission in it either.
            if commission := to_cent(commissions.get(one.trade_id, NOTHING)):
                carried.append(Carried(one, commission, _paid_by(one, commission)))
            continue
        found, left = _matched(one, unpaid, flows, book)
        if isinstance(found, Flow) and found.session > book.session:
            early.append(found)
        if one.movement_id in book.before:
            continue
        if found is None and one.amount and not _is_carried(one):
            unexplained.append(one)
        elif left:
            carried.append(Carried(one, left, _why(one, found)))
    return Evidence(
        tuple(carried),
        tuple(one for one in unpaid if book.session - one.session <= PAID_WITHIN),
        tuple(flow for flow in flows if flow.session <= book.session),
        tuple(early),
        tuple(unexplained),
    )


def _matched(
    one: Movement, unpaid: list[Dividend], flows: list[Flow], book: BookSide
) -> tuple[Dividend | Flow | None, Decimal]:
    """Take what a movement settles off its list, and return it with what is left of the movement's amount."""
    day = one.at.astimezone(NEW_YORK).date()
    if one.kind is MovementKind.DIVIDEND and one.amount > 0:
        dividend = _paid(one, day, unpaid)
        if dividend is not None:
            unpaid.remove(dividend)
            return dividend, one.amount - dividend.amount
    if one.kind is MovementKind.TRANSFER:
        for flow in flows:
            if dict(flow.sides())[book.account] == one.amount and abs(flow.session - day) <= MOVED_WITHIN:
                flows.remove(flow)
                return flow, NOTHING
    return None, one.amount if _is_carried(one) else NOTHING


def _paid(one: Movement, day: date, unpaid: Iterable[Dividend]) -> Dividend | None:
    """Return the dividend that a payment is of: one of its very amount, else the oldest that it may be."""
    possible = [
        each for each in unpaid if each.symbol == one.symbol and timedelta(0) <= day - each.session <= PAID_WITHIN
    ]
    return next((each for each in possible if each.amount == one.amount), possible[0] if possible else None)


def _is_carried(one: Movement) -> bool:
    tax = one.kind is MovementKind.DIVIDEND and one.amount < 0
    return tax or one.kind in SELF_EXPLAINED


def _why(one: Movement, found: Dividend | Flow | None) -> str:
    day = one.at.astimezone(NEW_YORK).date()
    if isinstance(found, Dividend):
        return (
            f"dividend of {one.symbol}, ex {found.session}: {found.amount:f} is booked here, and the broker paid"
            f" {one.amount:f} on {day}"
        )
    return f"{one.description or one.kind} on {day}: at the broker alone, no profit or loss of the book"


def _paid_by(one: Movement, commission: Decimal) -> str:
    return (
        f"the fee of trade {one.trade_id} was paid with {one.description}: its value of {commission:f} is a cost of the"
        " book, and its cash at the broker did not pay it"
    )


def unexplained_words(evidence: Evidence, book: BookSide) -> str:
    """Name the newest movements that need a word of the operator, with the command where it is known."""
    late = book.session - MOVED_WITHIN
    recent = [one for one in evidence.unexplained if one.at.astimezone(NEW_YORK).date() >= late]
    named = [_words(one, book) for one in recent[-MOST_NAMED:]]
    return f"; the broker tells of {'; '.join(named)}" if named else ""


def _words(one: Movement, book: BookSide) -> str:
    day = one.at.astimezone(NEW_YORK).date()
    text = f"{one.amount:+f} on {day}, {one.description or one.kind}{f' of {one.symbol}' if one.symbol else ''}"
    if one.kind is not MovementKind.TRANSFER:
        return text
    verb = "deposit" if one.amount > 0 else "withdraw"
    command = f"trading book {verb} --book {book.name} --account {book.account} --amount {abs(one.amount):f}"
    return f"{text}: `{command} --session NEXT`, NEXT being the next session"


def certain_items(evidence: Evidence, book: BookSide) -> Iterator[tuple[Dividend | Flow, Decimal]]:
    """Yield what the book has and the broker has not yet, or the other way round, with the broker's more or less."""
    for dividend in evidence.unpaid:
        yield dividend, -dividend.amount
    for flow in evidence.late:
        yield flow, -dict(flow.sides())[book.account]
    for flow in evidence.early:
        yield flow, dict(flow.sides())[book.account]

"""Movements of a broker's cash against a book: all that can be explained is, and a cent more is exactly one break."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.domain.book.flows import Flow
from trading_lib.execution.broker import BrokerAccount, Movement, MovementKind
from trading_lib.execution.reconciliation.book_side import BookSide, Dividend
from trading_lib.execution.reconciliation.breaks import BreakKind, BreakStatus
from trading_lib.execution.reconciliation.compare import Comparison, compare
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot, SnapshotRefusedError, checked

FRIDAY = date(2026, 3, 6)
NOW = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)
CENT = Decimal("0.01")


def moved(number: int, kind: MovementKind, amount: str, day: date = FRIDAY, symbol: str = "") -> Movement:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return Movement(f"m{number}", kind, Decimal(amount), symbol, at, f"{kind} {number}")


def dividend(symbol: str, day: date, amount: str) -> Dividend:
    return Dividend(symbol, day, Decimal(amount), Decimal(1), Decimal(amount))


def compared(theirs: Decimal | str, *movements: Movement, **changes: Any) -> Comparison:
    snapshot = BrokerSnapshot(
        BrokerAccount("A1", "USD", Decimal(theirs), Decimal(0)), {}, (), (), (), NOW, NOW, movements=movements
    )
    book = replace(BookSide("paper", "main", FRIDAY, Decimal(5000), {}), **changes)
    return compare(checked(snapshot, "A1", "USD", short=False), book)


def test_fees_and_interest_explain_themselves_and_are_no_break() -> None:
    found = compared("5000.12", moved(1, MovementKind.FEE, "-0.13"), moved(2, MovementKind.INTEREST, "0.25"))
    assert found.breaks == ()
    assert [one.amount for one in found.carried] == [Decimal("-0.13"), Decimal("0.25")]


def test_what_moved_before_the_first_comparison_is_in_its_difference_already() -> None:
    fee = moved(1, MovementKind.FEE, "-0.13")
    assert compared("5000.00", fee, before=frozenset({"m1"})) == Comparison(0, 0, ())
    assert [one.status for one in compared("4999.87", fee, before=frozenset({"m1"})).breaks] == [BreakStatus.OPEN]


def test_a_dividend_is_explained_until_it_is_paid_and_agrees_afterwards() -> None:
    booked = (dividend("SPY", FRIDAY - timedelta(days=3), "17.73"),)
    before = compared("4982.27", dividends=booked)
    assert [(one.kind, one.status) for one in before.breaks] == [(BreakKind.DIVIDEND, BreakStatus.EXPLAINED)]
    assert compared("5000", moved(1, MovementKind.DIVIDEND, "17.73", symbol="SPY"), dividends=booked).breaks == ()


def test_a_dividend_that_is_paid_less_a_tax_is_explained_by_both() -> None:
    booked = (dividend("SPY", FRIDAY - timedelta(days=3), "17.73"),)
    paid = moved(1, MovementKind.DIVIDEND, "17.72", symbol="SPY")
    tax = moved(2, MovementKind.DIVIDEND, "-2.66", symbol="SPY")
    found = compared("4997.33", paid, tax, dividends=booked)
    assert found.breaks == ()
    assert [one.amount for one in found.carried] == [Decimal("-0.01"), Decimal("-2.66")]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            moved(1, MovementKind.TRANSFER, "250.25"),
            "`trading book deposit --book paper --account main --amount 250.25 --session NEXT`",
        ),
        (
            moved(1, MovementKind.TRANSFER, "-250.25"),
            "`trading book withdraw --book paper --account main --amount 250.25 --session NEXT`",
        ),
        (moved(1, MovementKind.DIVIDEND, "12.00", symbol="GLD"), "+12.00 on 2026-03-06, DIVIDEND 1 of GLD"),
        (moved(1, MovementKind.OTHER, "-3.00"), "-3.00 on 2026-03-06, OTHER 1"),
    ],
    ids=["deposit", "withdrawal", "dividend-no-data-tells-of", "unknown-type"],
)
def test_what_nobody_has_recorded_is_one_open_break_that_names_it(one: Movement, words: str) -> None:
    (found,) = compared(5000 + one.amount, one).breaks
    assert found.status is BreakStatus.OPEN
    assert words in found.explanation


@pytest.mark.parametrize("there", [True, False], ids=["moved", "on-its-way"])
@pytest.mark.parametrize("days", [-3, 3], ids=["booked", "to-be-booked"])
def test_a_recorded_flow_is_explained_on_whichever_side_it_is_late(there: bool, days: int) -> None:
    flow = Flow(FRIDAY + timedelta(days=days), Decimal("500"), None, "main")
    theirs = Decimal(5000) + (500 if there else 0) - (500 if days < 0 else 0)
    told = (moved(1, MovementKind.TRANSFER, "500"),) if there else ()
    found = compared(theirs, *told, flows=(flow,))
    assert [one.status for one in found.breaks] == ([] if there is (days < 0) else [BreakStatus.EXPLAINED])


def test_a_movement_that_is_told_twice_refuses_the_snapshot() -> None:
    with pytest.raises(SnapshotRefusedError, match="movement 'm1' twice"):
        compared("5000", moved(1, MovementKind.FEE, "-1"), moved(1, MovementKind.FEE, "-1"))


CENTS = st.integers(1, 50_000).map(lambda cents: Decimal(cents) / 100)


@st.composite
def weeks(draw: st.DrawFn) -> tuple[Decimal, list[Movement], dict[str, Any]]:
    """Everything that may happen to cash in a week; returns the broker's cash, its movements and the book's records."""
    theirs, movements = Decimal(5000), []
    for amount in draw(st.lists(CENTS, max_size=12)):
        kind = draw(st.sampled_from([MovementKind.FEE, MovementKind.INTEREST]))
        signed = -amount if kind is MovementKind.FEE else amount
        movements.append((kind, signed, FRIDAY, ""))
        theirs += signed
    dividends, symbols = [], draw(st.lists(st.sampled_from(["SPY", "TLT", "GLD", "QQQ"]), max_size=4, unique=True))
    for symbol in symbols:
        ex = FRIDAY - timedelta(days=draw(st.integers(0, 5)))
        booked = draw(CENTS)
        dividends.append(Dividend(symbol, ex, booked, Decimal(1), booked))
        theirs -= booked
        if draw(st.booleans()):
            paid = booked + draw(st.sampled_from([Decimal(0), CENT, -CENT])) if booked > CENT else booked
            movements.append((MovementKind.DIVIDEND, paid, FRIDAY, symbol))
            theirs += paid
    flows = []
    for amount in draw(st.lists(CENTS, max_size=5, unique=True)):
        source, target = draw(st.sampled_from([(None, "main"), ("main", None), ("main", "coins")]))
        signed = amount if target == "main" else -amount
        flow = Flow(FRIDAY + timedelta(days=draw(st.integers(-5, 5))), amount, source, target)
        flows.append(flow)
        theirs -= signed if flow.session <= FRIDAY else 0
        if draw(st.booleans()):
            movements.append((MovementKind.TRANSFER, signed, FRIDAY, ""))
            theirs += signed
    told = [
        moved(number, kind, str(amount), day, symbol) for number, (kind, amount, day, symbol) in enumerate(movements)
    ]
    return theirs, draw(st.permutations(told)), {"dividends": tuple(dividends), "flows": tuple(flows)}


@given(weeks())
def test_any_week_of_movements_leaves_nothing_unexplained(week: tuple[Decimal, list[Movement], dict[str, Any]]) -> None:
    theirs, movements, records = week
    assert compared(theirs, *movements, **records).open == ()


@given(weeks(), st.sampled_from([Decimal(1_000_000), Decimal(-1_000_000)]), st.integers(-5, 5))
def test_a_sum_more_than_all_that_is_told_is_exactly_one_break(
    week: tuple[Decimal, list[Movement], dict[str, Any]], more: Decimal, cents: int
) -> None:
    theirs, movements, records = week
    assert len(compared(theirs + more + cents * CENT, *movements, **records).open) == 1


@given(st.lists(CENTS, max_size=12), st.sampled_from([CENT, -CENT]))
def test_a_cent_more_than_the_fees_is_exactly_one_break(amounts: list[Decimal], cent: Decimal) -> None:
    fees = [moved(number, MovementKind.FEE, str(-amount)) for number, amount in enumerate(amounts)]
    theirs = Decimal(5000) - sum(amounts, Decimal(0))
    assert compared(theirs, *fees).breaks == ()
    assert [one.status for one in compared(theirs + cent, *fees).breaks] == [BreakStatus.OPEN]

"""Capital in a portfolio and in the risk state, and what is no flow."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders.markets import CALENDAR
from trading_lib.accounting.flows import book_flows
from trading_lib.accounting.reconcile import unexplained_differences
from trading_lib.domain.book.flows import Flow, FlowKind, check_window, flow_amount, net_of
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.errors import InputError, SessionError

MONDAY, TUESDAY = date(2024, 1, 8), date(2024, 1, 9)
BOOK = Portfolio.opened(MONDAY, Decimal(1000))


def deposit(amount: str, session: date = TUESDAY) -> Flow:
    return Flow(session, Decimal(amount), target="main")


def withdrawal(amount: str, session: date = TUESDAY) -> Flow:
    return Flow(session, Decimal(amount), source="main")


def test_a_flow_moves_cash_and_is_counted_apart() -> None:
    booked = book_flows(BOOK, [deposit("500"), withdrawal("200"), deposit("7", MONDAY)], TUESDAY)
    assert (booked.cash, booked.deposits, booked.withdrawals) == (1300, 500, 200)
    assert booked.capital_factor == 1.3
    # Marked by nobody yet.
    assert booked.nav == BOOK.nav
    assert replace(booked, nav=booked.cash).adjusted_nav == 1000.0


def test_a_session_without_flows_changes_nothing() -> None:
    assert book_flows(BOOK, [deposit("500", MONDAY)], TUESDAY) is BOOK


def test_a_transfer_leaves_the_book_as_it_is() -> None:
    moved = book_flows(BOOK, [Flow(TUESDAY, Decimal(300), "etf", "coins")], TUESDAY)
    assert moved == BOOK


@pytest.mark.parametrize(
    ("source", "target", "kind", "net"),
    [(None, "a", FlowKind.DEPOSIT, 5), ("a", None, FlowKind.WITHDRAWAL, -5), ("a", "b", FlowKind.TRANSFER, 0)],
)
def test_the_sides_of_a_flow_say_what_it_is(source: Any, target: Any, kind: FlowKind, net: int) -> None:
    flow = Flow(TUESDAY, Decimal(5), source, target)
    assert (flow.kind, flow.net) == (kind, net)
    assert sum(amount for _, amount in flow.sides()) == net
    assert net_of([flow, flow]) == 2 * net


def test_nothing_may_be_left_of_no_book() -> None:
    with pytest.raises(InputError, match=r"withdrawal of \$1,000.00 .* would leave nothing of the \$1,000.00"):
        book_flows(BOOK, [withdrawal("1000")], TUESDAY)


@pytest.mark.parametrize("amount", ["0", "-5", "1.005", "nan", "inf", "", "ten", True, "1e13"])
def test_an_amount_is_positive_and_in_whole_cents(amount: object) -> None:
    with pytest.raises(InputError, match="is no amount that can be moved: give dollars above 0"):
        flow_amount(amount)


def test_an_amount_keeps_its_cents() -> None:
    assert str(flow_amount("1e3")) == "1000.00"
    assert str(flow_amount("0.01")) == "0.01"


def test_a_transfer_to_itself_is_refused() -> None:
    with pytest.raises(InputError, match="from main to itself moves nothing"):
        Flow(TUESDAY, Decimal(5), "main", "main")


@pytest.mark.parametrize(
    ("day", "message"),
    [
        (MONDAY, "which opens the run with its initial cash: change initial_cash"),
        (date(2024, 1, 5), "of session 2024-01-05 is outside 2024-01-08 to 2024-01-12"),
        (date(2024, 1, 16), "of session 2024-01-16 is outside 2024-01-08 to 2024-01-12"),
    ],
)
def test_a_run_knows_flows_of_its_window_only(day: date, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_window([deposit("5", day)], CALENDAR, MONDAY, date(2024, 1, 12))


def test_flows_inside_the_window_pass() -> None:
    check_window([deposit("5"), withdrawal("5", date(2024, 1, 12))], CALENDAR, MONDAY, date(2024, 1, 12))
    with pytest.raises(SessionError):
        CALENDAR.position(date(2024, 1, 13))


@given(
    nav=st.decimals(1, 10**7, places=2),
    peak=st.floats(1.0, 3.0),
    share=st.floats(-0.99, 5.0),
)
def test_a_flow_is_no_drawdown_and_heals_none(nav: Decimal, peak: float, share: float) -> None:
    amount = Decimal(share).quantize(Decimal("0.01")) * nav.quantize(Decimal(1))
    if nav + amount <= 0 or not amount:
        return
    flow = Flow(TUESDAY, abs(amount), *(("main", None) if amount < 0 else (None, "main")))
    before = replace(BOOK, cash=nav, nav=nav)
    after = book_flows(before, [flow], TUESDAY)
    state = RiskState.opened(MONDAY, float(nav) * peak)
    moved = state.after_flows(after.capital_factor / before.capital_factor)
    drawdown, same = 1 - float(nav) / state.reference_peak, 1 - float(after.cash) / moved.reference_peak
    assert same == pytest.approx(drawdown, abs=1e-12)
    assert moved.peak == moved.reference_peak


def test_a_state_without_flows_stays_what_it_is() -> None:
    state = RiskState.opened(MONDAY, 1000.0)
    assert state.after_flows(1.0) is state


def test_cash_reconciles_with_flows_and_not_without() -> None:
    flows = [deposit("500"), withdrawal("200"), Flow(TUESDAY, Decimal(9), "main", "coins")]
    booked = book_flows(BOOK, flows, TUESDAY)
    assert unexplained_differences(booked, BOOK.cash, [], flows=flows) == []
    assert unexplained_differences(booked, BOOK.cash, []) == ["cash: 1300.00 stored, 1000.00 from fills"]
    assert unexplained_differences(booked, BOOK.cash, [], flows=flows[:1]) == [
        "cash: 1300.00 stored, 1500.00 from fills and flows"
    ]


def test_accounts_that_do_not_add_up_do_not_reconcile() -> None:
    shared = replace(BOOK, accounts={"etf": Decimal(600), "coins": Decimal(400)})
    assert unexplained_differences(shared, BOOK.cash, []) == []
    lost = replace(BOOK, accounts={"etf": Decimal(600), "coins": Decimal(399)})
    assert unexplained_differences(lost, BOOK.cash, []) == ["cash: 1000.00 stored, 999 in its accounts"]

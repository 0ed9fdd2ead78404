"""The order lifecycle is a table, and an order's id is what the order is."""

from __future__ import annotations

import re
from datetime import date
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_lib.domain.book.orders import (
    TERMINAL_STATUSES,
    TRANSITIONS,
    OrderEvent,
    OrderStatus,
    Side,
    client_order_id,
    next_status,
)
from trading_lib.domain.errors import OrderTransitionError

UNLISTED = [pair for pair in product(OrderStatus, OrderEvent) if pair not in TRANSITIONS]
IDENTITIES = st.tuples(
    st.sampled_from(["demo", "paper", "backtest", "demo-2"]),
    st.dates(date(2004, 1, 1), date(2035, 12, 31)),
    st.from_regex(r"[A-Z0-9.^-]{1,12}", fullmatch=True),
    st.sampled_from(Side),
    st.integers(0, 99),
)


@pytest.mark.parametrize(("status", "event"), UNLISTED)
def test_an_unlisted_transition_raises_and_names_both(status: OrderStatus, event: OrderEvent) -> None:
    with pytest.raises(OrderTransitionError, match=f"{status} cannot take the event {event}"):
        next_status(status, event)


@pytest.mark.parametrize(("pair", "expected"), TRANSITIONS.items())
def test_a_listed_transition_leads_where_the_table_says(
    pair: tuple[OrderStatus, OrderEvent], expected: OrderStatus
) -> None:
    assert next_status(*pair) is expected


def test_a_terminal_status_has_no_exit_and_every_other_has_one() -> None:
    with_exit = {status for (status, _), after in TRANSITIONS.items() if after is not status}
    assert with_exit.isdisjoint(TERMINAL_STATUSES)
    assert with_exit | TERMINAL_STATUSES == set(OrderStatus)


def test_the_usual_life_of_an_order() -> None:
    status = OrderStatus.INTENDED
    for event in (OrderEvent.SUBMIT, OrderEvent.ACCEPT, OrderEvent.PARTIAL_FILL, OrderEvent.FILL):
        status = next_status(status, event)
    assert status is OrderStatus.FILLED


def test_a_sent_order_is_never_sent_again_before_its_outcome_is_known() -> None:
    assert next_status(OrderStatus.INTENDED, OrderEvent.SUBMIT) is OrderStatus.UNKNOWN
    assert (OrderStatus.UNKNOWN, OrderEvent.SUBMIT) not in TRANSITIONS


@settings(deadline=None)
@given(IDENTITIES)
def test_an_id_fits_the_narrowest_broker_and_never_changes(identity: tuple[str, date, str, Side, int]) -> None:
    made = client_order_id(*identity)
    assert re.fullmatch(r"[A-Za-z0-9-]{1,36}", made)
    assert made == client_order_id(*identity)


@settings(deadline=None)
@given(IDENTITIES, IDENTITIES)
def test_different_orders_have_different_ids(
    one: tuple[str, date, str, Side, int], other: tuple[str, date, str, Side, int]
) -> None:
    assert (client_order_id(*one) == client_order_id(*other)) == (one == other)


@pytest.mark.parametrize("position", range(5))
def test_each_part_of_the_identity_counts(position: int) -> None:
    one = ["demo", date(2024, 1, 3), "SPY", Side.BUY, 0]
    other = list(one)
    other[position] = ("paper", date(2024, 1, 4), "SPX", Side.SELL, 1)[position]
    assert client_order_id(*one) != client_order_id(*other)  # type: ignore[arg-type]


def test_symbols_that_read_alike_without_punctuation_stay_apart() -> None:
    day = date(2024, 1, 3)
    assert client_order_id("demo", day, "BTC-USD", Side.BUY) != client_order_id("demo", day, "BTCUSD", Side.BUY)

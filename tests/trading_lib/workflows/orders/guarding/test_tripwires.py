"""The kill switch throws itself when orders at a real broker run away, and then stops risk-reducing ones too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.builders.own_code.broker import BOOK, EVENING, OwnBroker, make_project
from trading_lib.adapters.stores.orders.sent_orders import SentOrders
from trading_lib.domain.book.orders import Order, OrderEvent, Side
from trading_lib.execution.broker import ClearedOrder
from trading_lib.orders.config import TripConfig
from trading_lib.orders.runaway import SendingCounts, trip_reason
from trading_lib.workflows.books.kill_switch import halt_trading, kill_switch
from trading_lib.workflows.orders.guarding.tripwires import Tripwires

HALTED = "the kill switch is on"
COLLAR = "price 481 is 20.2% away from the last good price 400.0"
VALUE = "value 1000400.00 is above the limit of 1000000"


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"session": 200}, "200 orders were sent in one session"),
        ({"minute": 100}, "100 orders were sent within a minute"),
        ({"rejected_in_a_row": 5}, "5 orders in a row were rejected"),
        ({"collar_breaches": 4}, "4 orders of a session were priced beyond price_collar"),
        ({"notional_breaches": 4}, "4 orders of a session were worth more than max_order_notional"),
    ],
)
def test_a_count_trips_at_its_limit_and_not_one_before(counts: dict[str, int], words: str) -> None:
    assert trip_reason(SendingCounts(**counts), TripConfig()).startswith(words)
    less = {name: count - 1 for name, count in counts.items()}
    assert trip_reason(SendingCounts(**less), TripConfig()) == ""


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    monkeypatch.setattr("trading_lib.workflows.operations.alerting.raise_alert", lambda alert: None)
    return OwnBroker(database_url, make_project(tmp_path / "project"), tmp_path / "server")


def with_limits(own: OwnBroker, **limits: int) -> None:
    changed = replace(own.settings.configuration, trips=TripConfig(**limits))
    own.settings = replace(own.settings, configuration=changed)


def wires(own: OwnBroker) -> Tripwires:
    return Tripwires(own.run(), own.run().session)


def clears(order: Order, halted: bool) -> ClearedOrder | str:
    return HALTED if halted else ClearedOrder(order)


def denies(reason: str) -> Callable[[Order, bool], ClearedOrder | str]:
    return lambda order, halted: HALTED if halted else reason


def state(own: OwnBroker) -> Any:
    return kill_switch(own.settings.folders).state()


def rejected(own: OwnBroker) -> int:
    return SentOrders(own.engine).counts(BOOK, own.run().session, own.now, 5).rejected_in_a_row


SYMBOLS = ("SPY", "QQQ", "GLD", "SLV", "XLK", "XLF")


def sent(own: OwnBroker, count: int) -> list[Order]:
    orders = [own.order(symbol) for symbol in SYMBOLS[:count]]
    own.send()
    return orders


@pytest.mark.postgres
def test_one_order_more_than_a_session_may_send_halts_trading_for_sales_too(own: OwnBroker) -> None:
    with_limits(own, max_orders_per_session=3)
    halt = kill_switch(own.settings.folders)
    sent(own, 2)
    sale = own.order("TLT", Side.SELL)
    assert isinstance(wires(own).check(sale, clears), ClearedOrder)
    assert not state(own).on
    sent(own, 3)
    halt.turn_off()
    assert wires(own).check(sale, clears) == HALTED
    assert state(own).reason == (
        f"book {BOOK}, session 2023-02-10: 4 orders were sent in one session, and max_orders_per_session is reached"
    )


@pytest.mark.postgres
def test_orders_count_towards_a_minute_and_not_after_it(own: OwnBroker) -> None:
    with_limits(own, max_orders_per_minute=2)
    orders = sent(own, 2)
    own.now = EVENING + timedelta(seconds=61)
    assert isinstance(wires(own).check(orders[0], clears), ClearedOrder)
    own.now = EVENING + timedelta(seconds=59)
    assert wires(own).check(orders[0], clears) == HALTED


@pytest.mark.postgres
def test_rejections_in_a_row_halt_trading_and_one_that_is_taken_begins_anew(own: OwnBroker) -> None:
    with_limits(own, max_rejections_in_a_row=2)
    own.faults("rejects")
    sent(own, 1)
    assert rejected(own) == 1
    own.faults()
    own.now += timedelta(seconds=1)
    own.order("QQQ")
    own.send()
    assert rejected(own) == 0
    own.faults("rejects")
    own.now += timedelta(seconds=1)
    own.order("GLD")
    own.order("SLV")
    own.send()
    assert rejected(own) == 2
    assert wires(own).check(own.order("TLT"), clears) == HALTED


@pytest.mark.postgres
@pytest.mark.parametrize(("reason", "limit"), [(COLLAR, "max_collar_breaches"), (VALUE, "max_notional_breaches")])
def test_breaches_beyond_the_count_halt_trading_earlier_runs_of_the_task_counted(
    own: OwnBroker, reason: str, limit: str
) -> None:
    with_limits(own, **{limit: 2})
    orders = [own.order(symbol) for symbol in SYMBOLS]
    tripwires = wires(own)
    for order in orders[:2]:
        assert tripwires.check(order, denies(reason)) == reason
        own.run().orders.record(order.client_order_id, OrderEvent.DENY, own.now, reason)
    assert not state(own).on
    # Another process counts what is stored.
    assert wires(own).check(orders[2], denies(reason)) == reason
    assert state(own).on
    assert wires(own).check(orders[3], denies(reason)) == HALTED


@pytest.mark.postgres
def test_sales_pass_a_switch_that_allows_them_until_a_runaway_takes_it_back(own: OwnBroker) -> None:
    halt_trading("careful", EVENING, own.settings.folders, allow_reducing=True)
    buy, sale = own.order("QQQ"), own.order("TLT", Side.SELL)
    assert wires(own).check(buy, clears) == HALTED
    assert isinstance(wires(own).check(sale, clears), ClearedOrder)
    with_limits(own, max_orders_per_session=1)
    kill_switch(own.settings.folders).turn_off()
    sent(own, 1)
    halt_trading("careful", EVENING, own.settings.folders, allow_reducing=True)
    assert wires(own).check(sale, clears) == HALTED
    assert state(own).reason == "careful"


@pytest.mark.postgres
def test_simulated_accounts_never_trip_it(own: OwnBroker) -> None:
    (account,) = own.settings.configuration.accounts.accounts
    with_limits(own, max_orders_per_session=1, max_collar_breaches=0)
    sent(own, 3)
    accounts = replace(
        own.settings.configuration.accounts,
        accounts=(replace(account, broker="paper", endpoint=None, share=Decimal(1)),),
    )
    own.settings = replace(own.settings, configuration=replace(own.settings.configuration, accounts=accounts))
    assert isinstance(wires(own).check(own.order("TLT"), clears), ClearedOrder)
    assert wires(own).check(own.order("XLE"), denies(COLLAR)) == COLLAR
    assert not state(own).on

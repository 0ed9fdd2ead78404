"""Watching orders at real brokers: fills count once and where they belong, and what cannot be reached waits."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.builders.markets import CALENDAR, FRIDAY, MONDAY
from tests.builders.own_code.broker import BOOK, EVENING, Desk, OwnBroker, make_desk, make_project
from tests.builders.prices import instant
from trading_lib.adapters.stores.books.account_store import AccountStore
from trading_lib.domain.book.orders import Order, OrderEvent, OrderStatus
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.workflows.books.kill_switch import halt_trading
from trading_lib.workflows.orders import watching
from trading_lib.workflows.orders.watching import cancel_working, watch

pytestmark = pytest.mark.postgres

TUESDAY, WEDNESDAY = date(2023, 2, 14), date(2023, 2, 15)
START = Portfolio.opened(FRIDAY, Decimal(100_000))


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    return OwnBroker(database_url, make_project(tmp_path / "project"), tmp_path / "server")


@pytest.fixture(autouse=True)
def alerts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    told: list[Any] = []
    monkeypatch.setattr("trading_lib.workflows.alerts.sessions.raise_alert", lambda alert, settings: told.append(alert))
    return told


def sent(own: OwnBroker, symbol: str = "SPY", quantity: str = "10") -> Order:
    order = own.order(symbol, quantity=quantity)
    own.send()
    return order


def look(own: OwnBroker) -> dict[str, Any]:
    return watch(BOOK, own.settings)["books"][BOOK]  # type: ignore[no-any-return]


def held(portfolio: Portfolio) -> dict[str, Decimal]:
    return {symbol: position.quantity for symbol, position in portfolio.positions.items()}


def cursor(own: OwnBroker) -> str:
    return AccountStore(own.engine).cursors(BOOK).get("main", "")


def settled(own: OwnBroker, portfolio: Portfolio, day: date) -> Portfolio:
    """Settle up to a session and store the portfolio, as the task does."""
    after = own.settle(portfolio, day)
    own.run().state.save_portfolio(BOOK, after, "main")
    return after


def test_a_fill_is_booked_when_it_is_seen_and_counted_once_by_the_settlement(own: OwnBroker) -> None:
    order = sent(own)
    assert (look(own)["fills"], own.status(order)) == (0, OrderStatus.WORKING)
    own.now = instant("2023-02-13 14:31")
    own.fill(("1", order.client_order_id, "4", "144", "0", "2023-02-13T14:30:01+00:00"))
    assert look(own) == {"due": 1, "open": 1, "unknown": 0, "fills": 1, "sent": 0, "cancelled": 0}
    assert own.status(order) is OrderStatus.PARTIALLY_FILLED
    own.fill(("2", order.client_order_id, "6", "145", "0", "2023-02-13T14:30:02+00:00"))
    assert look(own)["due"] == 0
    assert watch(BOOK, own.settings)["done"]
    assert own.status(order) is OrderStatus.FILLED
    assert [(fill.trade_id, fill.session) for fill in own.run().orders.fills(BOOK)] == [("1", MONDAY), ("2", MONDAY)]
    # Only the settlement moves the cursor, and books what the watch has stored.
    assert cursor(own) == ""
    monday = settled(own, START, MONDAY)
    assert (held(monday), monday.cash, cursor(own)) == ({"SPY": 10}, Decimal("98554"), "2")
    assert held(settled(own, monday, TUESDAY)) == {"SPY": 10}


def test_a_fill_that_is_seen_after_its_session_was_settled_counts_in_the_next(own: OwnBroker) -> None:
    order = sent(own)
    monday = settled(own, START, MONDAY)
    assert held(monday) == {}
    own.fill(("1", order.client_order_id, "10", "144", "0", "2023-02-13T14:30:01+00:00"))
    look(own)
    assert [fill.session for fill in own.run().orders.fills(BOOK)] == [TUESDAY]
    assert held(settled(own, monday, TUESDAY)) == {"SPY": 10}
    assert own.run().orders.filled_quantity(order.client_order_id) == 10


@pytest.mark.parametrize("seed", range(6))
def test_however_often_is_looked_each_fill_counts_once(own: OwnBroker, seed: int) -> None:
    shuffled = random.Random(seed)
    orders = [sent(own), sent(own, "BTC-USD", "0.5")]
    days = {MONDAY: "2023-02-13", TUESDAY: "2023-02-14", WEDNESDAY: "2023-02-15"}
    portfolio, number = START, 0
    parts = {orders[0].client_order_id: ["4", "5", "1"], orders[1].client_order_id: ["0.2", "0.2", "0.1"]}
    for day, text in days.items():
        own.now = CALENDAR.open(day)
        for identity, left in parts.items():
            while left and (shuffled.random() < 0.6 or day is WEDNESDAY):
                number += 1
                told = shuffled.choice([text, "2023-02-13"])
                own.fill((str(number), identity, left.pop(), "100", "0", f"{told}T15:00:{number:02}+00:00"))
                if shuffled.random() < 0.5:
                    look(own)
        portfolio = settled(own, portfolio, day)
        if shuffled.random() < 0.5:
            look(own)
    assert held(portfolio) == {"SPY": 10, "BTC-USD": Decimal("0.5")}
    assert portfolio.cash == Decimal(100_000) - 1000 - 50
    assert {own.status(order) for order in orders} == {OrderStatus.FILLED}
    assert len(own.run().orders.fills(BOOK)) == number == 6


def test_a_look_leaves_an_order_alone_whose_opening_has_not_come(own: OwnBroker) -> None:
    order = sent(own)
    found = watch(BOOK, own.settings)
    assert (found["done"], found["books"][BOOK]["open"], found["books"][BOOK]["due"]) == (True, 1, 0)
    own.now = CALENDAR.open(MONDAY)
    assert not watch(BOOK, own.settings)["done"]
    assert own.status(order) is OrderStatus.WORKING


def test_an_unknown_order_is_looked_up_and_after_the_window_proved_absent(own: OwnBroker) -> None:
    own.faults("down")
    order = own.order()
    own.send()
    own.faults()
    assert (look(own)["unknown"], own.status(order)) == (1, OrderStatus.UNKNOWN)
    own.now = EVENING + timedelta(seconds=89)
    assert look(own)["unknown"] == 1
    own.now = EVENING + timedelta(seconds=91)
    look(own)
    assert own.status(order) is OrderStatus.ABSENT
    assert own.submitted() == [order.client_order_id]


def test_an_unknown_order_that_turns_up_works(own: OwnBroker) -> None:
    own.faults("loses", "blind")
    order = own.order()
    own.send()
    own.faults()
    look(own)
    assert own.status(order) is OrderStatus.WORKING
    assert own.events(order)[-1] is OrderEvent.ACCEPT


def test_a_broker_that_is_away_is_left_for_the_next_look(own: OwnBroker) -> None:
    order = sent(own)
    own.now = CALENDAR.open(MONDAY)
    own.folder.rename(own.folder.with_name("away"))
    found = watch(BOOK, own.settings)
    assert not found["done"]
    assert "is not there" in found["books"][BOOK]["away"]["main"]
    assert own.status(order) is OrderStatus.WORKING


def test_an_order_that_should_be_over_is_told_once_by_its_key(own: OwnBroker, alerts: list[Any]) -> None:
    order = sent(own)
    own.now = CALENDAR.open(MONDAY) + timedelta(minutes=29)
    look(own)
    assert alerts == []
    own.now += timedelta(minutes=1)
    look(own)
    look(own)
    assert {alert.title for alert in alerts} == {f"order {order.client_order_id} of book {BOOK} needs a look"}
    assert len({alert.key for alert in alerts}) == 1
    assert all(alert.once for alert in alerts)


def test_a_book_that_never_sent_anything_is_not_asked_about(own: OwnBroker) -> None:
    own.folder.rmdir()
    assert watch(None, own.settings) == {"done": True, "books": {}}


def test_the_kill_switch_cancels_what_works_and_another_look_goes_on_with_it(own: OwnBroker) -> None:
    order = sent(own)
    halt_trading("a test", EVENING, own.settings.folders)
    assert look(own)["cancelled"] == 0
    halt_trading("again", EVENING, own.settings.folders, cancel_working=True)
    own.folder.rename(own.folder.with_name("away"))
    assert cancel_working(own.settings)["books"][BOOK]["open"] == 1
    own.folder.with_name("away").rename(own.folder)
    assert cancel_working(own.settings)["books"][BOOK] == {
        "due": 0, "open": 0, "unknown": 0, "fills": 0, "sent": 0, "cancelled": 1,
    }  # fmt: skip
    assert own.status(order) is OrderStatus.CANCELLED
    asked = [event for event in own.run().orders.events(order.client_order_id) if event[0] is OrderEvent.REQUEST_CANCEL]
    assert asked[0][3] == "the kill switch is on: a test"


def test_a_cancellation_that_was_asked_for_is_asked_for_again(own: OwnBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    order = sent(own)
    own.run().orders.record(order.client_order_id, OrderEvent.REQUEST_CANCEL, own.now, "by hand")
    assert own.status(order) is OrderStatus.PENDING_CANCEL
    assert look(own)["cancelled"] == 1
    assert own.status(order) is OrderStatus.CANCELLED


@pytest.fixture
def desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "by-hand"))
    monkeypatch.setenv("BY_HAND_CASH", "100000")
    return make_desk(database_url, tmp_path)


def test_what_waited_for_its_broker_is_sent_by_a_look(desk: Desk) -> None:
    path = desk.settings.configuration.folder.parent / "brokers" / "own.py"
    text, said = path.read_text(encoding="utf-8"), "frozenset(AssetClass), fractional=True"
    hours = f"{said}, send_from=time(19), send_until=time(9, 28)"
    path.write_text(text.replace(said, hours).replace("import csv\n", "import csv\nfrom datetime import time\n", 1))
    session = date(2021, 1, 4)
    while "waiting" not in desk.trade(session)["place"]:
        session = desk.settings.calendar.next(session)
    identities = [order.client_order_id for order, _ in desk.of(session)]
    evening = instant(f"{session + timedelta(days=1)} 00:00")
    assert watch(BOOK, desk.at(evening - timedelta(minutes=1)))["books"] == {}
    desk.person.folder.rename(desk.person.folder.with_name("away"))
    waits = watch(BOOK, desk.at(evening))
    assert (waits["done"], waits["books"][BOOK]["sent"], waits["books"][BOOK]["due"]) == (False, 0, 1)
    assert "is not there" in waits["books"][BOOK]["away"]["main"]
    desk.person.folder.with_name("away").rename(desk.person.folder)
    found = watch(BOOK, desk.at(evening))
    assert found["books"][BOOK]["sent"] == len(identities)
    assert {status for _, status in desk.of(session)} == {OrderStatus.WORKING}
    # Nothing waits once the window has closed: what was not sent then is held back.
    assert watching.watch(BOOK, desk.at(evening))["books"][BOOK]["sent"] == 0

"""Recovery: from what is stored to what the broker says, six steps, and the same again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.builders.markets import FRIDAY, MONDAY
from tests.builders.own_code.broker import BOOK, OwnBroker, make_project
from tests.environment.database import table_contents
from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.domain.book.orders import OrderEvent, OrderStatus
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.workflows.orders.recovery import recover, recover_book

pytestmark = pytest.mark.postgres

TUESDAY = date(2023, 2, 14)
START = Portfolio.opened(FRIDAY, Decimal(100_000))
AT_OPENING = "2023-02-13T14:30:01+00:00"
TABLES = ("order_intents", "orders", "order_events", "fills", "reconciliation_breaks", "account_cursors")
COUNTS = ("resolved", "cancelled", "unknown", "fills_added", "halted")


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    monkeypatch.setenv("BY_HAND_CASH", "100000")
    made = OwnBroker(database_url, make_project(tmp_path / "project"), tmp_path / "server")
    made.run().state.save_portfolio(BOOK, START, "main")
    return made


def recovered(own: OwnBroker, cancel_working: bool = False) -> dict[str, Any]:
    return recover_book(BOOK, cancel_working, settings=own.settings)


def counts(done: dict[str, Any], names: Sequence[str] = COUNTS) -> tuple[Any, ...]:
    return tuple(done[name] for name in names)


def twice(own: OwnBroker, **options: Any) -> dict[str, Any]:
    """Recover, and prove that the same again finds nothing to do."""
    first = recovered(own, **options)
    before = table_contents(own.engine, *TABLES)
    again = recovered(own, **options)
    assert counts(again, COUNTS[:2]) == (0, 0)
    assert again["fills_added"] == 0
    assert table_contents(own.engine, *TABLES) == before
    return first


def test_six_steps_are_written_down(own: OwnBroker) -> None:
    done = twice(own)
    assert [step["name"] for step in done["steps"]] == [
        "load the last stored state",
        "ask the brokers",
        "cancel what must not go on",
        "book what filled",
        "compare and write the log",
        "resume",
    ]
    assert counts(done) == (0, 0, 0, 0, False)
    assert done["seconds"] < 60


def test_an_order_whose_answer_was_lost_is_found(own: OwnBroker) -> None:
    order = own.order()
    own.faults("silent", "blind")
    own.send()
    own.faults()
    assert own.status(order) is OrderStatus.UNKNOWN
    assert counts(twice(own)) == (1, 0, 0, 0, False)
    assert own.status(order) is OrderStatus.WORKING
    assert own.submitted() == [order.client_order_id]


def test_fills_that_nobody_heard_of_are_added_to_orders_that_work_and_to_those_that_ended(own: OwnBroker) -> None:
    working, ended = own.order(), own.order("QQQ")
    own.send()
    own.run().orders.record(ended.client_order_id, OrderEvent.CANCEL, own.now, "cancelled here")
    own.fill(
        ("1", working.client_order_id, "4", "144", "1.00", AT_OPENING),
        ("2", ended.client_order_id, "10", "200", "1.00", AT_OPENING),
    )
    done = twice(own)
    assert counts(done) == (1, 0, 0, 2, False)
    assert [own.status(order) for order in (working, ended)] == [OrderStatus.PARTIALLY_FILLED, OrderStatus.CANCELLED]
    assert own.run().orders.filled_quantity(ended.client_order_id) == 10
    portfolio = own.settle(START, MONDAY)
    assert {symbol: p.quantity for symbol, p in portfolio.positions.items()} == {"SPY": 4, "QQQ": 10}


def test_an_order_that_never_arrived_is_proved_absent_and_not_before_its_window_is_over(own: OwnBroker) -> None:
    order = own.order()
    own.faults("down")
    own.send()
    own.faults()
    assert own.status(order) is OrderStatus.UNKNOWN
    assert counts(recovered(own)) == (0, 0, 1, 0, False)
    own.now += timedelta(seconds=91)
    assert counts(twice(own)) == (1, 0, 0, 0, False)
    assert own.status(order) is OrderStatus.ABSENT
    assert own.taken() == []


def test_an_order_that_missed_its_opening_is_cancelled_and_one_that_waits_for_it_is_kept(own: OwnBroker) -> None:
    order = own.order()
    own.send()
    assert counts(twice(own)) == (0, 0, 0, 0, False)
    assert own.status(order) is OrderStatus.WORKING
    own.now = own.settings.calendar.open(MONDAY) + timedelta(minutes=31)
    assert counts(twice(own)) == (1, 1, 0, 0, False)
    assert own.status(order) is OrderStatus.CANCELLED


def test_what_works_is_cancelled_when_it_is_asked_for(own: OwnBroker) -> None:
    order = own.order()
    own.send()
    assert counts(twice(own, cancel_working=True)) == (1, 1, 0, 0, False)
    assert own.status(order) is OrderStatus.CANCELLED


def test_what_was_never_sent_is_cancelled_once_its_opening_is_over(own: OwnBroker) -> None:
    order = own.order()
    recovered(own)
    assert own.status(order) is OrderStatus.INTENDED
    own.now = own.settings.calendar.open(MONDAY) + timedelta(minutes=31)
    assert counts(twice(own)) == (1, 1, 0, 0, False)
    assert own.submitted() == []


def test_a_restored_older_state_is_named_halted_and_sends_and_cancels_nothing(own: OwnBroker) -> None:
    order = own.order()
    own.send()
    with own.engine.begin() as connection:
        for table in ("order_events", "orders", "order_intents"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            connection.exec_driver_sql(f"DELETE FROM {table}")
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
    done = recovered(own, cancel_working=True)
    assert [one["kind"] for one in done["breaks"]] == ["order-lacked"]
    assert order.client_order_id in done["breaks"][0]["explanation"]
    assert counts(done) == (0, 0, 0, 0, True)
    assert own.submitted() == [order.client_order_id]
    assert not (own.folder / "ended.csv").exists()


def test_a_disarmed_book_is_asked_about_and_nothing_is_cancelled(own: OwnBroker) -> None:
    order = own.order()
    own.send()
    own.now = own.settings.calendar.open(MONDAY) + timedelta(minutes=31)
    DisarmedBooks(own.settings.folders.home).name_them([BOOK], "restored to an older state", own.now)
    done = recovered(own)
    assert done["halted"]
    assert own.status(order) is OrderStatus.WORKING


def test_a_broker_that_is_away_is_named_and_nothing_is_changed(own: OwnBroker) -> None:
    own.order()
    own.send()
    before = table_contents(own.engine, *TABLES)
    own.folder.rename(own.folder.with_name("gone"))
    with pytest.raises(BrokerUnavailableError, match="is not there"):
        recovered(own)
    assert table_contents(own.engine, *TABLES) == before


def test_the_task_asks_for_the_current_session_alone(own: OwnBroker) -> None:
    order = own.order()
    own.send()
    own.fill(("1", order.client_order_id, "10", "144", "1.00", AT_OPENING))
    own.now = own.settings.calendar.decision_time(TUESDAY)
    assert recover(own.run(MONDAY).plan, own.run(MONDAY)) == {"asked": 0}
    assert own.status(order) is OrderStatus.WORKING
    own.now = own.settings.calendar.decision_time(MONDAY)
    done = recover(own.run(MONDAY).plan, own.run(MONDAY))
    assert counts(done) == (1, 0, 0, 1, False)
    assert own.settle(START, MONDAY).positions["SPY"].quantity == 10


def test_the_task_cancels_nothing_that_may_fill_late(own: OwnBroker) -> None:
    order = own.order()
    own.send()
    own.now = own.settings.calendar.decision_time(MONDAY)
    assert counts(recover(own.run(MONDAY).plan, own.run(MONDAY))) == (0, 0, 0, 0, False)
    assert own.status(order) is OrderStatus.WORKING

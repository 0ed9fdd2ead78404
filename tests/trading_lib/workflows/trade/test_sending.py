"""Orders at a broker of a user's own: what it answers, what it does not, and what is stored of either."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders.markets import FRIDAY, MONDAY
from tests.builders.own_code.broker import OwnBroker, make_project
from trading_lib.domain.book.orders import OrderEvent, OrderStatus
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import BrokerUnavailableError, InputError

pytestmark = pytest.mark.postgres

SENT, TAKEN = [OrderEvent.SUBMIT], [OrderEvent.SUBMIT, OrderEvent.ACCEPT]
THURSDAY = date(2023, 2, 9)
SECRET = "sk-live-0123456789"


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    monkeypatch.setenv("BROKER_KEY", SECRET)
    return OwnBroker(database_url, make_project(tmp_path / "project"), tmp_path / "server")


def test_an_accepted_order_works_under_the_brokers_name_and_id(own: OwnBroker) -> None:
    order = own.order()
    assert own.send().accepted == 1
    assert own.status(order) is OrderStatus.WORKING
    assert own.events(order) == TAKEN
    with own.engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT broker, broker_order_id FROM orders").one()
    assert tuple(row) == ("by-hand", order.client_order_id)
    assert own.send().accepted == 0
    assert own.submitted() == own.taken() == [order.client_order_id]


def test_a_rejected_order_ends_with_the_brokers_reason(own: OwnBroker) -> None:
    own.faults("rejects")
    order = own.order()
    assert own.send().rejected == 1
    assert own.status(order) is OrderStatus.REJECTED
    assert own.run().orders.events(order.client_order_id)[-1][3] == "account may not trade SPY"
    own.faults()
    own.send()
    assert own.submitted() == [order.client_order_id]
    assert own.taken() == []


@pytest.mark.parametrize("fault", ["loses", "silent", "raises", "duplicate"])
def test_an_order_without_a_clear_answer_is_looked_up_at_once(own: OwnBroker, fault: str) -> None:
    own.faults(fault)
    order = own.order()
    sent = own.send()
    assert (sent.accepted, sent.unknown) == (1, 0)
    assert own.events(order) == TAKEN
    assert own.submitted() == own.taken() == [order.client_order_id]


@pytest.mark.parametrize("fault", ["loses", "silent", "raises", "duplicate", "down"])
def test_an_order_that_is_not_found_stays_unknown_and_is_never_sent_again(own: OwnBroker, fault: str) -> None:
    own.faults(fault, "blind")
    order = own.order()
    for _ in range(3):
        sent = own.send()
        assert (sent.accepted, sent.rejected, sent.unknown) == (0, 0, 1)
        assert own.status(order) is OrderStatus.UNKNOWN
    own.faults()
    sent = own.send()
    # What the broker never got stays unknown: that it is not found proves nothing.
    assert (sent.accepted, sent.unknown) == ((0, 1) if fault == "down" else (1, 0))
    assert own.events(order) == (SENT if fault == "down" else TAKEN)
    assert own.submitted() == [order.client_order_id]
    assert len(own.taken()) == (0 if fault == "down" else 1)


def test_one_order_without_an_answer_does_not_hold_up_the_others(own: OwnBroker) -> None:
    lost = own.order()
    own.faults("silent", "blind")
    own.send()
    other = own.order("BTC-USD", quantity="0.5")
    own.faults()
    (own.folder / "orders.csv").unlink()
    sent = own.send()
    assert (sent.accepted, sent.unknown) == (1, 1)
    assert own.status(lost) is OrderStatus.UNKNOWN
    assert own.status(other) is OrderStatus.WORKING


def test_orders_of_a_past_session_never_reach_a_real_broker(own: OwnBroker) -> None:
    order = own.order(session=THURSDAY)
    words = r"session 2023-02-09 is past \(the newest is 2023-02-10\), so it never reaches own\.py:Faulty"
    with pytest.raises(InputError, match=words):
        own.send(THURSDAY)
    assert own.submitted() == []
    assert own.status(order) is OrderStatus.INTENDED


def test_an_error_of_the_users_class_is_told_without_its_text(own: OwnBroker, caplog: pytest.LogCaptureFixture) -> None:
    own.order()
    own.faults("silent")
    with (own.folder / "fills.csv").open("a") as file:
        file.write("trade_id,client_order_id,quantity,price,commission,filled_at\n1,x,1,1,1," + SECRET + "\n")
    assert own.send().unknown == 1
    assert "broker own.py:Faulty failed in find (ValueError in line " in caplog.text
    assert SECRET not in caplog.text
    with pytest.raises(BrokerUnavailableError) as failed:
        own.settle(Portfolio.opened(FRIDAY, Decimal(100_000)), MONDAY)
    told = str(failed.value)
    assert told.startswith("broker own.py:Faulty failed in fills_since (ValueError in line ")
    assert SECRET not in told
    assert failed.value.__suppress_context__


def test_a_look_up_without_an_answer_does_not_hold_up_the_others(own: OwnBroker) -> None:
    first, second = own.order(), own.order("BTC-USD", quantity="0.01")
    own.faults("silent", "cut-off")
    assert own.send().unknown == 2
    assert [own.status(order) for order in (first, second)] == [OrderStatus.UNKNOWN] * 2
    assert sorted(own.submitted()) == sorted([first.client_order_id, second.client_order_id])
    own.faults()
    assert own.send().accepted == 2


def test_another_order_under_the_same_id_is_not_taken_for_ours(own: OwnBroker) -> None:
    order = own.order()
    own.faults("duplicate", "other")
    assert (own.send().accepted, own.send().unknown) == (0, 1)
    assert own.status(order) is OrderStatus.UNKNOWN


def test_an_order_that_never_arrived_is_sent_again_once_its_absence_is_proved(own: OwnBroker) -> None:
    order = own.order()
    own.faults("down")
    assert own.send().unknown == 1
    own.faults()
    own.now += timedelta(seconds=89)
    assert own.send().unknown == 1
    own.now += timedelta(seconds=2)
    assert own.send().accepted == 1
    assert own.events(order) == [*SENT, OrderEvent.PROVE_ABSENT, *TAKEN]
    assert own.submitted() == [order.client_order_id] * 2
    assert own.taken() == [order.client_order_id]


@pytest.mark.parametrize("fault", ["cut-off", "blind"])
def test_nothing_is_proved_absent_while_the_brokers_lists_cannot_be_read(own: OwnBroker, fault: str) -> None:
    order = own.order()
    own.faults("loses", fault)
    own.send()
    own.now += timedelta(hours=1)
    own.send()
    assert own.submitted() == own.taken() == [order.client_order_id]
    assert own.status(order) is OrderStatus.UNKNOWN


def test_an_order_that_never_arrives_is_sent_three_times_and_no_more(own: OwnBroker) -> None:
    order = own.order()
    own.faults("down")
    for _ in range(6):
        own.send()
        own.now += timedelta(seconds=100)
    assert own.submitted() == [order.client_order_id] * 3
    assert own.status(order) is OrderStatus.ABSENT


def test_an_absent_order_of_an_earlier_session_is_cancelled_like_an_unsent_one(own: OwnBroker) -> None:
    order = own.order()
    own.run().orders.record(order.client_order_id, OrderEvent.SUBMIT, own.now)
    own.run().orders.record(order.client_order_id, OrderEvent.PROVE_ABSENT, own.now)
    own.settle(Portfolio.opened(FRIDAY, Decimal(100_000)), MONDAY)
    assert own.status(order) is OrderStatus.CANCELLED
    assert own.run().orders.events(order.client_order_id)[-1][3].startswith("never arrived: session 2023-02-13 began")

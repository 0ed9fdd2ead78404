"""Several orders in one transaction: stored wholly, on the version they rest on, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from tests.builders.books import NOW, SESSION, open_books, order
from tests.environment.database import table_contents
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.orders.order_batches import OrderBatches
from trading_lib.domain.book.orders import EvidenceSource, Fill, Order, OrderEvent, OrderStatus
from trading_lib.domain.errors import DecisionConflictError, OrderTransitionError
from trading_lib.execution.broker import Answer, Execution, Outcome
from trading_lib.execution.order_path.evidence import Answered, CancelAsked, Evidence, Executed, Sending
from trading_lib.execution.order_path.lifecycle import advance
from trading_lib.execution.order_path.requests import Entry
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Append, BookFill, Cancelling, Tracked

pytestmark = pytest.mark.postgres
POLICY = SendingPolicy()
TABLES = ("orders", "order_events", "fills")
ORDERS = [order(symbol, quantity=Decimal(10)) for symbol in ("SPY", "QQQ", "TLT")]


def fill_of(execution: Execution) -> Fill:
    price, commission = execution.price, execution.commission
    names = (execution.trade_id, "alpaca", execution.client_order_id, execution.symbol, execution.side)
    return Fill(*names, execution.quantity, price, price, commission, execution.filled_at, SESSION)


@pytest.fixture
def batches(engine: Engine) -> OrderBatches:
    open_books(engine, "paper")
    OrderStore(engine).store_intents(ORDERS, NOW)
    return OrderBatches(engine, "paper", "alpaca", "stocks", fill_of)


def entry(tracked: Tracked, *evidence: Evidence) -> Entry:
    """What is to be stored after pieces of evidence."""
    before, writes = tracked.version, list[Append | BookFill]()
    for piece in evidence:
        tracked, actions = advance(tracked, piece, NOW, POLICY)
        writes += [action for action in actions if isinstance(action, Append | BookFill)]
    return Entry(tracked.order.client_order_id, before, tuple(writes))


def executed(of: Order, trade: str, quantity: str) -> Executed:
    amounts = (Decimal(quantity), Decimal(500), Decimal("0.1"))
    return Executed(Execution(trade, of.client_order_id, of.symbol, of.side, *amounts, NOW))


def accepted(attempt: int = 1) -> Answered:
    return Answered(attempt, Answer(Outcome.ACCEPTED, "b1", raw='{"id": "b1"}'))


def statuses(found: Sequence[Tracked]) -> list[OrderStatus]:
    return [tracked.status for tracked in found]


def test_several_orders_are_stored_in_one_piece_with_what_the_broker_said(
    batches: OrderBatches, engine: Engine
) -> None:
    found = batches.tracked()
    assert batches.write([entry(one, Sending(1), accepted()) for one in found]) == frozenset()
    after = batches.tracked()
    assert statuses(after) == [OrderStatus.WORKING] * 3
    assert {(one.attempts, one.sent_at, one.broker_order_id, one.events) for one in after} == {(1, NOW, "b1", 2)}
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT event, source, attempt, raw FROM order_events WHERE client_order_id = %s ORDER BY sequence",
            (found[0].order.client_order_id,),
        ).all()
        sent_to = connection.exec_driver_sql("SELECT DISTINCT broker, account FROM orders").all()
    assert [tuple(row) for row in rows] == [("SUBMIT", "system", 1, ""), ("ACCEPT", "submit", 1, '{"id": "b1"}')]
    assert [tuple(row) for row in sent_to] == [("alpaca", "stocks")]


def test_a_fill_is_stored_with_the_status_that_follows_from_it(batches: OrderBatches, engine: Engine) -> None:
    spy = next(one for one in batches.tracked() if one.order.symbol == "SPY")
    batches.write([entry(spy, Sending(1), executed(spy.order, "t1", "4"), executed(spy.order, "t2", "6"))])
    (after,) = batches.tracked([spy.order.client_order_id])
    assert (after.status, after.filled, after.fills) == (OrderStatus.FILLED, 10, {"t1": 4, "t2": 6})
    assert OrderStore(engine).filled_quantity(spy.order.client_order_id) == 10


def test_an_order_that_has_changed_is_left_alone_and_the_others_are_stored(batches: OrderBatches) -> None:
    spy, qqq, _ = (
        tracked for symbol in ("SPY", "QQQ", "TLT") for tracked in batches.tracked() if tracked.order.symbol == symbol
    )
    batches.write([entry(spy, Sending(1), accepted())])
    late = entry(spy, Sending(1), executed(spy.order, "t1", "4"))
    assert batches.write([late, entry(qqq, Sending(1))]) == {spy.order.client_order_id}
    after = {tracked.order.symbol: tracked for tracked in batches.tracked()}
    assert (after["SPY"].status, after["SPY"].fills) == (OrderStatus.WORKING, {})
    assert after["QQQ"].status is OrderStatus.UNKNOWN


def test_a_wish_to_cancel_that_another_has_stored_voids_a_decision_to_send_again(batches: OrderBatches) -> None:
    spy = batches.tracked()[0]
    batches.write([entry(spy, Sending(1))])
    identity = spy.order.client_order_id
    (one,), (other,) = batches.tracked([identity]), batches.tracked([identity])
    assert batches.write([entry(other, CancelAsked("kill switch"))]) == frozenset()
    absent = Append(OrderEvent.PROVE_ABSENT, OrderStatus.ABSENT, NOW, EvidenceSource.LOOK_UP, 1)
    assert batches.write([Entry(identity, one.version, (absent,))]) == {identity}
    (after,) = batches.tracked([identity])
    assert (after.status, after.cancelling) == (OrderStatus.UNKNOWN, Cancelling.ASKED)


def test_an_event_that_does_not_follow_stores_nothing(batches: OrderBatches, engine: Engine) -> None:
    spy, qqq = batches.tracked()[:2]
    before = table_contents(engine, *TABLES)
    wrong = Append(OrderEvent.FILL, OrderStatus.FILLED, NOW, EvidenceSource.POLL, 1)
    with pytest.raises(OrderTransitionError):
        batches.write([entry(qqq, Sending(1)), Entry(spy.order.client_order_id, spy.version, (wrong,))])
    assert table_contents(engine, *TABLES) == before


def test_a_fill_that_is_stored_with_other_content_stores_nothing(batches: OrderBatches, engine: Engine) -> None:
    spy, qqq = batches.tracked()[:2]
    batches.write([entry(spy, Sending(1), executed(spy.order, "t1", "4"))])
    before = table_contents(engine, *TABLES)
    with pytest.raises(DecisionConflictError):
        batches.write([entry(qqq, Sending(1), executed(qqq.order, "t1", "5"))])
    assert table_contents(engine, *TABLES) == before


def test_of_two_placers_that_send_the_same_orders_one_sends_each(batches: OrderBatches) -> None:
    for _ in range(10):
        found = [one for one in batches.tracked() if one.status is OrderStatus.INTENDED]
        if not found:
            break
        begin = Barrier(2)

        def place(orders: list[Tracked] = found, begin: Barrier = begin) -> frozenset[str]:
            begin.wait()
            return batches.write([entry(one, Sending(1)) for one in reversed(orders)])

        with ThreadPoolExecutor(2) as pool:
            refused = [future.result() for future in [pool.submit(place), pool.submit(place)]]
        names = {one.order.client_order_id for one in found}
        assert sorted(map(len, refused)) == [0, len(names)]
    assert [one.attempts for one in batches.tracked()] == [1, 1, 1]


def test_what_was_noted_struck_and_asked_is_known_again(batches: OrderBatches) -> None:
    spy = batches.tracked()[0]
    identity = spy.order.client_order_id
    unclear = Answered(1, Answer(Outcome.UNKNOWN, reason="no order in it", raw="<html>"))
    batches.write([entry(spy, Sending(1), unclear, CancelAsked("kill switch"))])
    (after,) = batches.tracked([identity])
    assert after.noted == {("submit", "no order in it", "<html>")}
    assert after.cancelling is Cancelling.ASKED
    # So the same words again are no news.
    assert advance(after, unclear, NOW + timedelta(hours=1), POLICY)[0].events == after.events


def test_events_are_never_changed_nor_removed(batches: OrderBatches, engine: Engine) -> None:
    batches.write([entry(batches.tracked()[0], Sending(1))])
    for statement in ("UPDATE order_events SET raw = 'x'", "DELETE FROM order_events"):
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.exec_driver_sql(statement)

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.builders.books import NOW, SESSION, book, fill, open_books, order
from tests.environment.database import table_contents
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.domain.book.orders import (
    TRANSITIONS,
    EvidenceSource,
    Order,
    OrderEvent,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from trading_lib.domain.errors import (
    DecisionConflictError,
    InputError,
    NaiveDatetimeError,
    OrderTransitionError,
    TradingError,
)

pytestmark = pytest.mark.postgres

TABLES = ("order_intents", "orders", "order_events", "fills")
fresh_book = count()


@pytest.fixture
def store(engine: Engine) -> OrderStore:
    open_books(engine, "paper", "demo")
    return OrderStore(engine)


def working(store: OrderStore, stored: Order) -> Order:
    store.store_intents([stored], NOW)
    store.record(stored.client_order_id, OrderEvent.SUBMIT, NOW)
    store.record(stored.client_order_id, OrderEvent.ACCEPT, NOW)
    return stored


def test_intents_come_back_as_orders(store: OrderStore) -> None:
    orders = [
        order("SPY", slice_number=12),
        order("BTC-USD", Side.SELL, quantity=Decimal("0.12345678"), purpose=OrderPurpose.RISK, weight_change=-0.1),
    ]
    assert store.store_intents(orders, NOW) == tuple(o.client_order_id for o in orders)
    found = store.orders("paper", SESSION)
    assert sorted(found, key=lambda pair: pair[0].symbol) == [
        (orders[1], OrderStatus.INTENDED),
        (orders[0], OrderStatus.INTENDED),
    ]
    assert store.orders("demo") == []
    assert store.store_intents([], NOW) == ()


def test_same_intents_again_write_nothing_and_name_only_new_ids(store: OrderStore, engine: Engine) -> None:
    store.store_intents([order("SPY")], NOW)
    before = table_contents(engine, "order_intents", "orders")
    assert store.store_intents([order("SPY")], NOW + timedelta(hours=1)) == ()
    assert table_contents(engine, "order_intents", "orders") == before
    second = order("GLD")
    assert store.store_intents([order("SPY"), second], NOW) == (second.client_order_id,)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal(11)},
        {"expected_price": Decimal("512.31")},
        {"estimated_commission": Decimal(0)},
        {"time_in_force": TimeInForce.DAY},
        {"weight_change": 0.06},
        {"purpose": OrderPurpose.RISK},
        {"reason": "other"},
    ],
)
def test_same_id_with_other_content_is_a_conflict_and_stores_nothing(
    store: OrderStore, engine: Engine, changes: dict[str, Any]
) -> None:
    store.store_intents([order("SPY")], NOW)
    before = table_contents(engine, "order_intents", "orders")
    with pytest.raises(DecisionConflictError, match=f"order_intents of book 'paper'.*differs in {next(iter(changes))}"):
        store.store_intents([order("GLD"), order("SPY", **changes)], NOW)
    assert table_contents(engine, "order_intents", "orders") == before


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (order("SPY", client_order_id="mine"), "is not derived from BUY SPY"),
        (replace(order("SPY"), symbol="GLD"), "is not derived from BUY GLD"),
        (replace(order("SPY"), book="demo"), "book 'demo'"),
        (order("SPY", quantity=Decimal(0)), "positive finite"),
        (order("SPY", quantity=Decimal("NaN")), "positive finite"),
        (order("SPY", order_type=OrderType.LIMIT), "LIMIT order .* has limit price None"),
        (order("SPY", limit_price=Decimal(1)), "MARKET order .* has limit price 1"),
        (order("SPY", order_type=OrderType.STOP, stop_price=Decimal(-1)), "STOP order .* has stop price -1"),
        (order("SPY", expected_price=Decimal("Infinity")), "positive finite"),
        (order("SPY", book="nowhere"), "there is no book 'nowhere'"),
    ],
)
def test_unusable_order_is_refused_with_the_others_of_its_batch(store: OrderStore, broken: Order, message: str) -> None:
    with pytest.raises(InputError, match=message):
        store.store_intents([order("GLD", book=broken.book), broken], NOW)
    assert store.orders("paper") == []


def test_two_runs_storing_the_same_intents_leave_one_row_each(store: OrderStore, engine: Engine) -> None:
    orders = [order(symbol) for symbol in ("SPY", "GLD", "QQQ", "TLT")]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: store.store_intents(orders[:: -1 if i % 2 else 1], NOW), range(8)))
    assert sorted(identity for answer in answers for identity in answer) == sorted(o.client_order_id for o in orders)
    assert [len(rows) for rows in table_contents(engine, "order_intents", "orders").values()] == [4, 4]


def test_life_of_an_order_is_recorded(store: OrderStore, engine: Engine) -> None:
    identity = order().client_order_id
    store.store_intents([order()], NOW)
    assert store.record(identity, OrderEvent.SUBMIT, NOW, broker="alpaca") is OrderStatus.UNKNOWN
    later = NOW + timedelta(seconds=1)
    assert store.record(identity, OrderEvent.ACCEPT, later, "took it", broker_order_id="b-7") is OrderStatus.WORKING
    assert store.events(identity) == [
        (OrderEvent.SUBMIT, OrderStatus.UNKNOWN, NOW, ""),
        (OrderEvent.ACCEPT, OrderStatus.WORKING, later, "took it"),
    ]
    with engine.connect() as connection:
        row = connection.execute(text("SELECT status, broker, broker_order_id, detail, updated_at FROM orders")).one()
    assert tuple(row) == ("WORKING", "alpaca", "b-7", "took it", later)
    assert store.orders("paper", statuses=[OrderStatus.WORKING]) == [(order(), OrderStatus.WORKING)]
    assert store.orders("paper", statuses=[OrderStatus.UNKNOWN]) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(OrderEvent), max_size=8))
def test_any_sequence_of_events_follows_the_transition_table(shared_engine: Engine, events: list[OrderEvent]) -> None:
    name = f"book-{next(fresh_book)}"
    BookStore(shared_engine).open_book(book(name))
    store = OrderStore(shared_engine)
    stored = order(book=name)
    store.store_intents([stored], NOW)
    status, happened = OrderStatus.INTENDED, []
    for event in events:
        following = TRANSITIONS.get((status, event))
        if following is None:
            with pytest.raises(OrderTransitionError):
                store.record(stored.client_order_id, event, NOW)
        else:
            assert store.record(stored.client_order_id, event, NOW) is following
            status = following
            happened.append((event, status, NOW, ""))
    assert store.orders(name) == [(stored, status)]
    assert store.events(stored.client_order_id) == happened


def test_of_two_runs_submitting_one_order_only_one_may(store: OrderStore) -> None:
    """The transition is decided under a row lock: the loser is told, and sends nothing."""
    identity = order().client_order_id
    store.store_intents([order()], NOW)

    def submit(_: int) -> OrderStatus | None:
        try:
            return store.record(identity, OrderEvent.SUBMIT, NOW)
        except OrderTransitionError:
            return None

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(submit, range(6)))
    assert sorted(answers, key=str) == [None] * 5 + [OrderStatus.UNKNOWN]
    assert len(store.events(identity)) == 1


def test_concurrent_partial_fills_are_numbered_without_gaps(store: OrderStore, engine: Engine) -> None:
    identity = working(store, order()).client_order_id
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: store.record(identity, OrderEvent.PARTIAL_FILL, NOW), range(12)))
    with engine.connect() as connection:
        sequence = connection.execute(text("SELECT sequence FROM order_events ORDER BY 1")).scalars().all()
    assert sequence == list(range(1, 15))


def test_fills_are_stored_once_and_add_up(store: OrderStore, engine: Engine) -> None:
    stored = working(store, order())
    first, second = fill(stored, "t1", "4"), fill(stored, "t2", "1.50", filled_at=NOW + timedelta(minutes=1))
    assert store.save_fills([second, first], "paper") == 2
    assert store.filled_quantity(stored.client_order_id) == Decimal("5.5")
    before = table_contents(engine, *TABLES)
    assert store.save_fills([first, second, first], "paper") == 0
    assert table_contents(engine, *TABLES) == before
    assert store.fills("paper") == [first, second]
    assert store.fills("paper", SESSION + timedelta(days=1)) == []
    assert store.fills("demo") == []
    assert store.save_fills([first, fill(stored, "t3", "0.5")], "paper") == 1
    assert store.filled_quantity(stored.client_order_id) == 6
    assert store.save_fills([], "paper") == 0


def test_same_trade_id_of_two_brokers_are_two_fills(store: OrderStore) -> None:
    stored = working(store, order())
    assert store.save_fills([fill(stored), fill(stored, broker="alpaca")], "paper") == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"price": Decimal("512.6")},
        {"quantity": Decimal("4.1")},
        {"commission": Decimal(0)},
        {"filled_at": NOW + timedelta(1)},
    ],
)
def test_known_fill_with_other_content_is_a_conflict(store: OrderStore, changes: dict[str, Any]) -> None:
    stored = working(store, order())
    store.save_fills([fill(stored)], "paper")
    with pytest.raises(DecisionConflictError, match=f"fills of book 'paper'.*differs in {next(iter(changes))}"):
        store.save_fills([fill(stored, "t9"), fill(stored, **changes)], "paper")
    assert store.fills("paper") == [fill(stored)]
    assert store.filled_quantity(stored.client_order_id) == 4


@pytest.mark.parametrize(
    ("changes", "named_book", "message"),
    [
        ({"client_order_id": "unknown"}, "paper", "there is no order 'unknown'"),
        ({"symbol": "GLD"}, "paper", "is BUY GLD in book 'paper'"),
        ({"side": Side.SELL}, "paper", "is SELL SPY"),
        ({}, "demo", "in book 'demo'"),
        ({"quantity": Decimal(-1)}, "paper", "positive finite"),
        ({"price": Decimal("NaN")}, "paper", "positive finite"),
    ],
)
def test_fill_that_does_not_belong_to_its_order_is_refused(
    store: OrderStore, changes: dict[str, Any], named_book: str, message: str
) -> None:
    stored = working(store, order())
    with pytest.raises(InputError, match=message):
        store.save_fills([fill(stored, "good"), replace(fill(stored), **changes)], named_book)
    assert store.fills("paper") == []


def test_concurrent_fills_of_one_order_add_up(store: OrderStore) -> None:
    stored = working(store, order())
    fills = [fill(stored, f"t{number}", "0.25") for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        # Everyone brings a neighbour's fill along.
        new = list(pool.map(lambda i: store.save_fills([fills[i], fills[i - 1]], "paper"), range(12)))
    assert sum(new) == 12
    assert store.filled_quantity(stored.client_order_id) == 3


def test_unknown_orders_and_naive_times_are_refused(store: OrderStore) -> None:
    stored = working(store, order())
    naive = datetime(2024, 3, 4)
    with pytest.raises(InputError, match="there is no order 'x'"):
        store.record("x", OrderEvent.SUBMIT, NOW)
    with pytest.raises(InputError, match="there is no order 'x'"):
        store.filled_quantity("x")
    with pytest.raises(NaiveDatetimeError):
        store.store_intents([order("GLD")], naive)
    with pytest.raises(NaiveDatetimeError):
        store.record(stored.client_order_id, OrderEvent.CANCEL, naive)
    with pytest.raises(NaiveDatetimeError):
        store.save_fills([fill(stored, filled_at=naive)], "paper")


def test_book_lock_keeps_others_out_and_other_books_free(store: OrderStore, database_url: str) -> None:
    other_engine = connect(database_url)
    other = OrderStore(other_engine)
    with store.book_lock("paper"):
        with (
            pytest.raises(TradingError, match="book 'paper' is being traded by another process"),
            other.book_lock("paper", wait_seconds=0.05),
        ):
            pytest.fail("two processes hold the lock")
        with other.book_lock("demo", wait_seconds=0.05):
            pass
    with other.book_lock("paper", wait_seconds=0.05):
        pass
    other_engine.dispose()


def test_book_lock_is_freed_by_an_error_in_the_block(store: OrderStore, database_url: str) -> None:
    with pytest.raises(RuntimeError, match="broker"), store.book_lock("paper"):
        raise RuntimeError("broker down")
    # Another pool: the connection that held the lock could take it again whatever happened.
    other_engine = connect(database_url)
    with OrderStore(other_engine).book_lock("paper", wait_seconds=5):
        pass
    other_engine.dispose()


def test_book_lock_leaves_no_limit_and_no_transaction_behind(engine: Engine, store: OrderStore) -> None:
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'"
    with store.book_lock("paper", wait_seconds=5), engine.connect() as connection:
        assert connection.execute(text(idle)).scalar_one() == 0
    # Both connections the pool has by now.
    with engine.connect() as first, engine.connect() as second:
        limits = [connection.execute(text("SHOW lock_timeout")).scalar_one() for connection in (first, second)]
    assert limits == ["0", "0"]


def test_an_event_keeps_its_evidence_and_the_attempt_it_belongs_to(store: OrderStore, engine: Engine) -> None:
    stored = order("SPY")
    store.store_intents([stored], NOW)
    identity = stored.client_order_id
    store.record(identity, OrderEvent.SUBMIT, NOW, broker="alpaca", account="stocks")
    store.record(identity, OrderEvent.ACCEPT, NOW, source=EvidenceSource.LOOK_UP, raw='{"id": "b-7"}')
    with engine.connect() as connection:
        events = connection.execute(text("SELECT source, attempt, raw FROM order_events ORDER BY sequence")).all()
        row = connection.execute(text("SELECT account, sent_at, attempts FROM orders")).one()
    assert [tuple(event) for event in events] == [("system", 1, ""), ("look-up", 1, '{"id": "b-7"}')]
    assert tuple(row) == ("stocks", NOW, 1)


@pytest.mark.parametrize("statement", ["UPDATE order_events SET detail = 'x'", "DELETE FROM order_events"])
def test_the_database_itself_refuses_to_change_an_event(store: OrderStore, engine: Engine, statement: str) -> None:
    stored = order("SPY")
    store.store_intents([stored], NOW)
    store.record(stored.client_order_id, OrderEvent.SUBMIT, NOW)
    with pytest.raises(DBAPIError, match="only ever added"), engine.begin() as connection:
        connection.execute(text(statement))
    assert len(store.events(stored.client_order_id)) == 1

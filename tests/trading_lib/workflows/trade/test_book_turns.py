"""Sessions of one book that come late, together, twice or after an interruption; the command that repairs a book."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.campaigns.book_faults.market import FaultMarket, make_market
from tests.environment.database import table_contents
from trading_lib.adapters.stores.books import book_store as lock_module
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.repair_store import RepairStore
from trading_lib.adapters.stores.books.session_order import begun_session
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.domain.book.orders import Fill, Order, OrderEvent, OrderPurpose, OrderStatus, Side, client_order_id
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import InputError, OversoldError, OvertakenSessionError, TradingError
from trading_lib.session.opening import execute
from trading_lib.workflows.books import repair as book_repair
from trading_lib.workflows.books.repair import repair_book, repairs_of
from trading_lib.workflows.stages.catalogue import TRADE_STAGES
from trading_lib.workflows.trade import tasks as trading
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.book_turns import book_turn, take_turn
from trading_lib.workflows.trade.daily import trade_session
from trading_lib.workflows.trade.placing import place_orders
from trading_lib.workflows.trade.settlement import settle_book

pytestmark = pytest.mark.postgres
BOOK = "demo-turns"
DECIDING = (trading.settle, trading.signals, trading.targets, trading.risk, trading.orders, trading.place)
TRADE_TASKS = tuple(stage.load() for stage in TRADE_STAGES)
READING = (trading.report_fills, trading.reconcile, trading.report)

Task = Callable[..., Any]


@pytest.fixture
def market(database_url: str, tmp_path: Path) -> FaultMarket:
    return make_market(database_url, tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a book's lock only a moment."""
    monkeypatch.setattr(OrderStore.book_lock, "__defaults__", (0.05,))


def do(market: FaultMarket, session: date, *tasks: Task) -> BookRun:
    market.at(session)
    run = market.run(session, BOOK)
    for task in tasks:
        task(run.plan, run)
    return run


def everything(market: FaultMarket) -> dict[str, list[str]]:
    return table_contents(market.engine, *metadata.tables)


def portfolio_before(market: FaultMarket, session: date) -> Portfolio:
    portfolio = StateStore(market.engine).latest_portfolio(BOOK, session)
    assert portfolio is not None
    return portfolio


def statuses(market: FaultMarket, session: date) -> set[OrderStatus]:
    return {status for _, status in OrderStore(market.engine).orders(BOOK, session=session)}


@pytest.fixture
def overtaken(market: FaultMarket) -> tuple[FaultMarket, date]:
    """A session that died after it was settled, and one after it that ran to its end."""
    first, second, third, *_ = market.sessions
    do(market, first, *TRADE_TASKS)
    do(market, second, trading.settle)
    do(market, third, *TRADE_TASKS)
    return market, second


@pytest.mark.parametrize("task", DECIDING[1:], ids=lambda task: task.__name__)
def test_no_task_of_an_overtaken_session_decides_or_places(overtaken: tuple[FaultMarket, date], task: Task) -> None:
    market, session = overtaken
    before = everything(market)
    with pytest.raises(OvertakenSessionError) as refusal:
        do(market, session, task)
    third = market.sessions[2]
    assert str(refusal.value).startswith(
        f"session {session} of book {BOOK} is over: the book has gone on to session {third}, so nothing of {session} is"
        f" decided or sent any more: `trading book repair --book {BOOK} --session {session}`"
    )
    assert "\n" not in str(refusal.value)
    assert everything(market) == before


def test_a_session_whose_orders_were_decided_before_it_was_overtaken_sends_none(market: FaultMarket) -> None:
    first, second, *_ = market.sessions
    do(market, first, trading.settle, trading.signals, trading.targets, trading.risk, trading.orders)
    assert statuses(market, first) == {OrderStatus.INTENDED}
    do(market, second, trading.settle)
    assert statuses(market, first) == {OrderStatus.CANCELLED}
    events = OrderStore(market.engine).events(
        OrderStore(market.engine).orders(BOOK, session=first)[0][0].client_order_id
    )
    assert [(event, detail) for event, _, _, detail in events] == [
        (OrderEvent.CANCEL, f"never sent: session {second} began before it was")
    ]
    with pytest.raises(OvertakenSessionError):
        do(market, first, trading.place)
    assert not OrderStore(market.engine).orders(BOOK, statuses=[OrderStatus.WORKING])


@pytest.mark.parametrize("reached", [4, 5], ids=["decided", "placed"])
def test_whatever_a_newer_session_has_stored_stops_the_older_one(market: FaultMarket, reached: int) -> None:
    """Not its portfolio alone: a decision or an order would do."""
    first, second, *_ = market.sessions
    do(market, first, trading.settle)
    do(market, second, *DECIDING[: reached + 1])
    with market.engine.begin() as connection:
        for table in ("account_state", "portfolio_state", "risk_state", "risk_events", "decision_stages"):
            connection.execute(text(f"DELETE FROM {table} WHERE session = :day"), {"day": second})
        if reached == 5:
            connection.execute(text("DELETE FROM decisions WHERE session = :day"), {"day": second})
    with pytest.raises(OvertakenSessionError):
        do(market, first, trading.signals)


def test_a_finished_session_may_be_run_again_after_a_newer_one(market: FaultMarket) -> None:
    first, second, *_ = market.sessions
    do(market, first, *TRADE_TASKS)
    do(market, second, *TRADE_TASKS)
    before = everything(market)
    run = do(market, first, *TRADE_TASKS)
    assert trading.orders(run.plan, run) == {
        "session": first.isoformat(),
        "stands": True,
        "book_is_at": second.isoformat(),
    }
    assert everything(market) == before


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("task", DECIDING, ids=lambda task: task.__name__)
def test_a_task_that_decides_or_trades_waits_for_the_book(market: FaultMarket, task: Task) -> None:
    session = market.sessions[0]
    do(market, session, *DECIDING[: DECIDING.index(task)])
    before = everything(market)
    with (
        OrderStore(market.settings.engine()).book_lock(BOOK),
        pytest.raises(TradingError, match=r"is being traded by another process for more than 0\.05 s"),
    ):
        do(market, session, task)
    assert everything(market) == before
    do(market, session, task)


def test_two_commands_for_one_book_run_one_after_the_other(market: FaultMarket) -> None:
    session = market.sessions[0]
    market.at(session)
    began = threading.Event()
    finished: list[str] = []

    def trade() -> None:
        began.set()
        trade_session(market.plan(session, BOOK), market.settings)
        finished.append("second")

    market.run(session, BOOK)
    second = threading.Thread(target=trade)
    with OrderStore(market.settings.engine()).session_lock(BOOK):
        second.start()
        began.wait()
        second.join(timeout=1.0)
        assert StateStore(market.engine).newest_session(BOOK) is None
        finished.append("first")
    second.join()
    assert finished == ["first", "second"]
    assert StateStore(market.engine).newest_session(BOOK) == session


def test_a_session_waits_for_an_older_one_that_was_begun_and_not_for_a_newer_one(market: FaultMarket) -> None:
    older, session, newer = market.sessions[:3]
    market.at(session)
    began = threading.Event()

    def trade() -> None:
        began.set()
        trade_session(market.plan(session, BOOK), market.settings)

    thread = threading.Thread(target=trade)
    engine = market.settings.engine()
    with begun_session(engine, BOOK, newer), begun_session(engine, "another", older):
        with begun_session(engine, BOOK, older):
            thread.start()
            began.wait()
            thread.join(timeout=1.0)
            assert BookStore(market.engine).find(BOOK) is None
        thread.join()
    assert StateStore(market.engine).newest_session(BOOK) == session


def test_an_older_session_that_never_ends_is_named(market: FaultMarket) -> None:
    older, session = market.sessions[:2]
    engine = market.settings.engine()
    with (
        begun_session(engine, BOOK, older),
        pytest.raises(TradingError, match=f"session {older} of book '{BOOK}' has been running for more than 0.01 s"),
        begun_session(engine, BOOK, session, wait_seconds=0.01),
    ):
        raise AssertionError("it did not wait")


def test_nothing_is_sent_once_the_lock_was_lost(market: FaultMarket) -> None:
    session = market.sessions[0]
    run = do(market, session, *DECIDING[:5])
    administration = market.settings.engine()

    def place_without_lock() -> None:
        with book_turn(run) as turn:
            with administration.connect() as connection:
                connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": turn.lock.server_process})
            # The pool replaces the connection without a word, and with it the lock is gone.
            turn.lock.connection.invalidate()
            place_orders(turn)

    with pytest.raises(TradingError, match=f"the lock of book '{BOOK}' was lost"):
        place_without_lock()
    assert statuses(market, session) == {OrderStatus.INTENDED}


def test_an_unknown_order_is_filled_at_its_opening(market: FaultMarket) -> None:
    first, second, *_ = market.sessions
    run = do(market, first, *DECIDING[:5])
    orders = [order for order, _ in run.orders.orders(BOOK, session=first)]
    assert len(orders) > 1
    run.orders.record(orders[0].client_order_id, OrderEvent.SUBMIT, market.clock())
    do(market, second, trading.settle)
    filled = {fill.client_order_id for fill in run.orders.fills(BOOK)}
    assert filled == {orders[0].client_order_id}


def test_a_fill_is_stored_before_its_order_says_so(market: FaultMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *_ = market.sessions
    do(market, first, *TRADE_TASKS)
    working = statuses(market, first)
    assert working == {OrderStatus.WORKING}

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(OrderStore, "record", die)
        with pytest.raises(KeyboardInterrupt):
            do(market, second, trading.settle)
    store = OrderStore(market.engine)
    assert len(store.fills(BOOK)) == 1
    assert statuses(market, first) == {OrderStatus.WORKING}
    do(market, second, trading.settle)
    assert statuses(market, first) == {OrderStatus.FILLED}
    assert len(store.fills(BOOK)) == len(store.orders(BOOK, session=first))


def test_a_fill_that_was_stored_stands_when_the_vendor_corrects_its_opening(
    market: FaultMarket, tmp_path: Path
) -> None:
    """Killed between fill and status; then the opening is corrected, and the session after comes first."""
    revised = market.copy("files:revised")
    first, second, third, *_ = revised.sessions
    do(revised, first, *TRADE_TASKS)
    run = do(revised, second)
    order = run.orders.orders(BOOK, session=first, statuses=[OrderStatus.WORKING])[0][0]
    filled = execute(run.input, portfolio_before(market, second), [order], run.market.row(second), second)[0]
    run.orders.save_fills(filled, BOOK)
    revised.revise(second, 1.004)
    do(revised, third, *TRADE_TASKS)
    stored = {fill.client_order_id: fill for fill in run.orders.fills(BOOK)}
    assert stored[order.client_order_id] == filled[0]
    later = {fill.symbol: fill.reference_price for fill in stored.values()}
    plain = market.run(second, "demo-plain")
    opening = {
        symbol: Decimal(repr(float(plain.market.panel.fill_open[plain.market.row(second), column])))
        for symbol, column in plain.view.universe.positions.items()
        if symbol in later
    }
    assert later == opening, "a session is settled from what was known at its own decision time"


def test_a_stored_fill_stands_even_where_the_prices_say_something_else(market: FaultMarket) -> None:
    first, second, *_ = market.sessions
    do(market, first, *TRADE_TASKS)
    run = do(market, second)
    order = run.orders.orders(BOOK, session=first, statuses=[OrderStatus.WORKING])[0][0]
    row, before = run.market.row(second), portfolio_before(market, second)
    other = replace(execute(run.input, before, [order], row, second)[0][0], price=Decimal("77.7777"))
    run.orders.save_fills([other], BOOK)
    do(market, second, trading.settle, trading.reconcile)
    stored = {fill.client_order_id: fill for fill in run.orders.fills(BOOK)}
    assert stored[order.client_order_id] == other
    position = StateStore(market.engine).latest_portfolio(BOOK).positions[order.symbol]  # type: ignore[union-attr]
    assert position.average_cost == Decimal("77.7777")


def sell(session: date, symbol: str, quantity: Decimal) -> Order:
    identity = client_order_id(BOOK, session, symbol, Side.SELL)
    return Order(
        identity, BOOK, session, symbol, Side.SELL, quantity, Decimal(80), Decimal(1), -0.1, OrderPurpose.REBALANCE, "x"
    )


def stuck_book(market: FaultMarket) -> tuple[Order, Order]:
    """Two sessions sell all of the same holding, as before sessions took turns."""
    first, second, third, *_ = market.sessions
    do(market, first, *TRADE_TASKS)
    do(market, second, trading.settle, trading.signals, trading.targets)
    run = do(market, third, trading.settle)
    holding = next(iter(run.portfolio().positions.values()))
    pair = (sell(second, holding.symbol, holding.quantity), sell(third, holding.symbol, holding.quantity))
    for order in pair:
        run.orders.store_intents([order], market.clock())
        run.orders.record(order.client_order_id, OrderEvent.SUBMIT, market.clock(), broker="paper")
        run.orders.record(order.client_order_id, OrderEvent.ACCEPT, market.clock())
    return pair


def test_a_book_with_two_sales_of_one_holding_is_repaired_with_a_record(market: FaultMarket) -> None:
    late, right = stuck_book(market)
    fourth = market.sessions[3]
    before = everything(market)
    with pytest.raises(OversoldError, match=f"sells {late.quantity} {late.symbol}, only 0 held: `trading book repair"):
        do(market, fourth, trading.settle)
    assert everything(market) == before, "an execution that the book cannot bear leaves no trace"

    planned = repair_book(BOOK, "tester", dry_run=True, settings=market.settings)
    assert everything(market) == before
    done = repair_book(BOOK, "tester", "two schedulers", settings=market.settings)
    assert [step["action"] for step in done["steps"]] == [step["action"] for step in planned["steps"]]
    assert [(step["action"], step["subject"]) for step in done["steps"]] == [
        ("CANCEL_ORDER", late.client_order_id),
        ("CLOSE_SESSION", late.session.isoformat()),
    ]
    assert repair_book(BOOK, "tester", settings=market.settings)["steps"] == []
    do(market, fourth, *TRADE_TASKS)
    sold = [fill for fill in OrderStore(market.engine).fills(BOOK) if fill.side is Side.SELL]
    assert [fill.client_order_id for fill in sold][:1] == [right.client_order_id]
    record = repairs_of(BOOK, market.settings)[0]
    assert (record["repaired_by"], record["note"]) == ("tester", "two schedulers")
    assert f"would sell {late.quantity} {late.symbol}, of which only 0 would be held" in record["detail"]


def test_a_second_sale_that_was_filled_already_is_struck_and_stays_on_record(market: FaultMarket) -> None:
    late, right = stuck_book(market)
    fourth = market.sessions[3]
    run = do(market, fourth)
    before = portfolio_before(market, fourth)
    both: list[Fill] = execute(run.input, before, [late, right], run.market.row(fourth), fourth)[0]
    for fill in both:
        run.orders.save_fills([fill], BOOK)
        run.orders.record(fill.client_order_id, OrderEvent.FILL, fill.filled_at)
    with pytest.raises(TradingError, match="only 0 held"):
        do(market, fourth, trading.settle)
    done = repair_book(BOOK, "tester", settings=market.settings)
    assert ("VOID_FILL", f"{late.client_order_id}-1") in [(s["action"], s["subject"]) for s in done["steps"]]
    assert repair_book(BOOK, "tester", settings=market.settings)["steps"] == []
    do(market, fourth, *TRADE_TASKS)
    assert [fill.client_order_id for fill in run.orders.fills(BOOK) if fill.side is Side.SELL][:1] == [
        right.client_order_id
    ]
    with market.engine.connect() as connection:
        struck = connection.execute(text("SELECT client_order_id, voided_by FROM fills WHERE voided_by IS NOT NULL"))
        assert [tuple(row) for row in struck] == [(late.client_order_id, int(done["steps"][0]["number"]))]
    assert run.orders.events(late.client_order_id)[-1][0] is OrderEvent.VOID
    assert run.orders.filled_quantity(late.client_order_id) == 0


def test_a_healthy_book_has_nothing_to_repair(market: FaultMarket) -> None:
    for session in market.sessions[:3]:
        do(market, session, *TRADE_TASKS)
    before = everything(market)
    assert repair_book(BOOK, "tester", settings=market.settings)["steps"] == []
    assert everything(market) == before


def test_an_order_left_open_after_its_opening_is_completed_or_cancelled(market: FaultMarket) -> None:
    first, second, third, *_ = market.sessions
    run = do(market, first, *TRADE_TASKS)
    do(market, second, *TRADE_TASKS)
    do(market, third, *TRADE_TASKS)
    filled, other = [order for order, _ in run.orders.orders(BOOK, session=first)][:2]
    with market.engine.begin() as connection:
        connection.execute(
            text("UPDATE orders SET status = 'WORKING' WHERE client_order_id IN (:a, :b)"),
            {"a": filled.client_order_id, "b": other.client_order_id},
        )
        connection.execute(
            text("UPDATE orders SET filled_quantity = 0 WHERE client_order_id = :b"), {"b": other.client_order_id}
        )
    steps = repair_book(BOOK, "tester", settings=market.settings)["steps"]
    assert {(step["action"], step["subject"]) for step in steps} == {
        ("COMPLETE_ORDER", filled.client_order_id),
        ("CANCEL_ORDER", other.client_order_id),
    }


def test_tasks_of_a_session_that_a_repair_closed_end_without_an_error(overtaken: tuple[FaultMarket, date]) -> None:
    market, session = overtaken
    repair_book(BOOK, "tester", settings=market.settings)
    number = RepairStore(market.engine).closing(BOOK, session)
    before = everything(market)
    for task in TRADE_TASKS:
        market.at(session)
        run = market.run(session, BOOK)
        result = task(run.plan, run)
        assert result == {"session": session.isoformat(), "closed_by_repair": number}, task.__name__
    assert everything(market) == before


def test_a_session_from_before_the_books_first_is_closed_by_name(market: FaultMarket) -> None:
    first, second, *_ = market.sessions
    do(market, second, *TRADE_TASKS)
    with pytest.raises(OvertakenSessionError):
        do(market, first, trading.settle)
    assert repair_book(BOOK, "tester", settings=market.settings)["steps"] == []
    repair_book(BOOK, "tester", session=first, settings=market.settings)
    run = do(market, first)
    assert "closed_by_repair" in trading.settle(run.plan, run)


def test_a_book_that_a_newer_session_has_opened_is_not_begun_by_an_older_one(market: FaultMarket) -> None:
    """Two sessions are started together on a new book, and the newer one opens it first."""
    first, second, *_ = market.sessions
    market.at(second)
    market.run(second, BOOK)
    with pytest.raises(OvertakenSessionError):
        do(market, first, trading.settle)
    do(market, second, *TRADE_TASKS)
    assert StateStore(market.engine).nav_history(BOOK)[0][0] == second


def test_a_repair_says_what_is_wrong_with_its_input(market: FaultMarket) -> None:
    session = market.sessions[0]
    do(market, session, trading.settle)
    with pytest.raises(InputError, match="there is no book 'nobody': use one of demo-turns"):
        repair_book("nobody", "tester", settings=market.settings)
    with pytest.raises(InputError, match="a repair needs the name of who does it"):
        repair_book(BOOK, " ", settings=market.settings)
    with pytest.raises(InputError, match=f"book {BOOK} is at session {session} and has not gone on from {session}"):
        repair_book(BOOK, "tester", session=session, settings=market.settings)
    with pytest.raises(InputError, match="there is no book 'nobody'"):
        repairs_of("nobody", market.settings)


def test_catching_up_settles_each_session_from_what_was_known_then(market: FaultMarket) -> None:
    """Sessions that nobody ran are settled on the way, and a price corrected later changes nothing about them."""
    revised = market.copy("files:revised")
    first, second, third, *_ = revised.sessions
    do(revised, first, *TRADE_TASKS)
    revised.at(second)
    revised.revise(second, 1.003)
    run = do(revised, third)
    last = run.state.latest_portfolio(BOOK)
    assert last is not None
    with book_turn(run) as turn:
        caught_up = settle_book(turn, last)
    plain = market.run(second, BOOK + "-plain")
    known = plain.market.panel.fill_open[plain.market.row(second)]
    fills = [fill for fill in run.orders.fills(BOOK) if fill.session == second]
    assert fills
    for fill in fills:
        assert float(fill.reference_price) == known[plain.view.universe.positions[fill.symbol]]
    assert caught_up.session == third


def test_a_turn_knows_only_its_own_book(market: FaultMarket) -> None:
    first, second, *_ = market.sessions
    market.at(second)
    other = market.run(second, "demo-other")
    trading.settle(other.plan, other)
    assert take_turn(do(market, first), lambda turn: {"newer": turn.newer}) == {"newer": None}


def test_the_lock_is_waited_for_longer_than_a_task_takes() -> None:
    assert lock_module.SESSION_WAIT_SECONDS > lock_module.WAIT_SECONDS >= 60


def test_repairs_can_be_printed(overtaken: tuple[FaultMarket, date]) -> None:
    market, _ = overtaken
    repair_book(BOOK, "tester", settings=market.settings)
    assert json.loads(json.dumps(repairs_of(None, market.settings)))[0]["action"] in list(book_repair.RepairAction)

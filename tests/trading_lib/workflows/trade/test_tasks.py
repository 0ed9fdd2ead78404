"""The trading tasks on a real database: idempotence, retries, interruptions and bad input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, text

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import NOW, make_settings
from tests.environment.database import table_contents
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.domain.book.orders import OrderEvent, OrderStatus, Side, client_order_id
from trading_lib.domain.errors import (
    DataQualityError,
    InputError,
    OvertakenSessionError,
    SessionError,
    SimulatedDataError,
    TradingError,
)
from trading_lib.session.opening import execute
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.operations import bootstrap as history
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade import settlement
from trading_lib.workflows.trade import tasks as trading
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.book_turns import book_turn
from trading_lib.workflows.trade.daily import run_daily, trade_session
from trading_lib.workflows.trade.settlement import settle_book
from trading_lib.workflows.trade.summary import render, session_summary

pytestmark = pytest.mark.postgres

FIRST, LAST = date(2020, 1, 2), date(2021, 2, 26)
BOOK = "demo-test"


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("data") / "prices", FIRST, LAST)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


def plan_for(settings: Settings, prices: Path, session: date, book: str = BOOK) -> SessionPlan:
    return market_data.plan(session.isoformat(), "files", str(prices), book, settings)


@pytest.fixture
def loaded(settings: Settings, prices: Path) -> Settings:
    """Settings of a database that holds every bar up to 2021-02-12."""
    fetching.ingest_history(plan_for(settings, prices, date(2021, 2, 12)), settings, date(2021, 2, 12))
    return settings


def trade(settings: Settings, prices: Path, *sessions: date) -> None:
    for session in sessions:
        trade_session(plan_for(settings, prices, session), settings)


def sessions_from(settings: Settings, first: date, count: int) -> list[date]:
    return [settings.calendar.offset(first, k) for k in range(count)]


@pytest.fixture
def ordering_session(loaded: Settings, prices: Path) -> Iterator[date]:
    """A session whose decision left working orders behind; the book is traded up to it."""
    for session in sessions_from(loaded, date(2021, 1, 4), 25):
        trade(loaded, prices, session)
        if OrderStore(loaded.engine()).orders(BOOK, session=session, statuses=[OrderStatus.WORKING]):
            yield session
            return
    pytest.fail("no session placed an order")


def all_tables(engine: Engine) -> dict[str, list[str]]:
    return table_contents(engine, *metadata.tables)


def test_running_a_session_again_changes_no_row(loaded: Settings, prices: Path, ordering_session: date) -> None:
    plan = plan_for(loaded, prices, ordering_session)
    run_daily(plan, loaded)
    before = all_tables(loaded.engine())
    run_daily(plan, loaded)
    trade(loaded, prices, ordering_session)
    assert all_tables(loaded.engine()) == before


def test_an_order_fills_once_at_the_next_opening(loaded: Settings, prices: Path, ordering_session: date) -> None:
    store = OrderStore(loaded.engine())
    working = {order.client_order_id: order for order, _ in store.orders(BOOK, session=ordering_session)}
    following = loaded.calendar.next(ordering_session)
    trade(loaded, prices, following)
    fills = [fill for fill in store.fills(BOOK) if fill.client_order_id in working]
    assert {fill.client_order_id for fill in fills} == set(working)
    assert all(fill.session == following for fill in fills)
    opening = pd.read_parquet(prices / "prices.parquet").set_index(["symbol", "date"])["open"]
    for fill in fills:
        day = following if fill.symbol != "BTC-USD" else fill.filled_at.date()
        assert fill.reference_price == Decimal(repr(float(opening[fill.symbol, pd.Timestamp(day)])))


def test_purchases_are_denied_while_an_order_of_an_earlier_session_is_open(loaded: Settings, prices: Path) -> None:
    for session in sessions_from(loaded, date(2021, 1, 4), 25):
        run = BookRun.open(plan_for(loaded, prices, session), loaded)
        for stage in (trading.settle, trading.signals, trading.targets, trading.risk, trading.orders):
            stage(run.plan, run)
        if wanted := [order for order, _ in run.orders.orders(BOOK, session=session) if order.side is Side.BUY]:
            break
        trading.place(run.plan, run)
    earlier = loaded.calendar.previous(session)
    identity = client_order_id(BOOK, earlier, "SPY", Side.SELL)
    run.orders.store_intents(
        [replace(wanted[0], client_order_id=identity, session=earlier, symbol="SPY", side=Side.SELL)], NOW
    )
    run.orders.record(identity, OrderEvent.SUBMIT, NOW)
    placed = trading.place(run.plan, run)
    assert (placed["sent"], placed["denied"]) == (0, len(wanted))
    for order in wanted:
        event, status, _, reason = run.orders.events(order.client_order_id)[-1]
        assert (event, status) == (OrderEvent.DENY, OrderStatus.DENIED)
        assert reason == f"order {identity} of session {earlier} is still open: nothing is bought until it ends"


def test_interrupted_settlement_books_a_fill_once(loaded: Settings, prices: Path, ordering_session: date) -> None:
    following = loaded.calendar.next(ordering_session)
    run = BookRun.open(plan_for(loaded, prices, following), loaded)
    order = run.orders.orders(BOOK, session=ordering_session, statuses=[OrderStatus.WORKING])[0][0]
    before = run.state.latest_portfolio(BOOK)
    assert before is not None
    filled, _ = execute(run.input, before, [order], run.market.row(following), following)
    # The run dies after the fill is stored and before the order's status and the portfolio are.
    run.orders.save_fills(filled, BOOK)
    trade(loaded, prices, following)
    stored = [fill for fill in run.orders.fills(BOOK) if fill.client_order_id == order.client_order_id]
    assert len(stored) == 1
    assert run.orders.filled_quantity(order.client_order_id) == order.quantity
    assert trading.reconcile(run.plan, run)["differences"] == 0


def gapping_up(run: BookRun, session: date, factor: float) -> None:
    """Let every bar of the session open far above the close before, so that cash does not pay for what was ordered."""
    panel, row = run.market.panel, run.market.row(session)
    panel.fill_open[row] = (panel.fill_open[row] * factor).round(4)
    panel.fill_high[row] = panel.fill_open[row]


def test_an_order_that_cash_cuts_is_filled_in_part_and_its_rest_cancelled(
    loaded: Settings, prices: Path, ordering_session: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = loaded.calendar.next(ordering_session)
    run = BookRun.open(plan_for(loaded, prices, following), loaded)
    gapping_up(run, following, 12.0)
    ordinary = OrderStore.record

    def killed(self: OrderStore, client_order_id: str, event: OrderEvent, *more: object, **named: object) -> object:
        if event is OrderEvent.CANCEL:
            raise KeyboardInterrupt
        return ordinary(self, client_order_id, event, *more, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(OrderStore, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            trading.settle(run.plan, run)
    half = run.orders.orders(BOOK, statuses=[OrderStatus.PARTIALLY_FILLED])
    assert half
    trading.settle(run.plan, run)
    for order, _ in half:
        events = run.orders.events(order.client_order_id)
        assert [event for event, *_ in events][-3:] == [
            OrderEvent.ACCEPT,
            OrderEvent.PARTIAL_FILL,
            OrderEvent.CANCEL,
        ]
        left = order.quantity - run.orders.filled_quantity(order.client_order_id)
        assert 0 < left < order.quantity
        assert f"{order.symbol} {following}: cash of $" in events[-1][3]
        assert f"pays for {order.quantity - left} of {order.quantity}" in events[-1][3]
    assert run.orders.orders(BOOK, statuses=trading.OPEN_STATUSES) == []
    assert run.portfolio().cash >= 0
    assert trading.reconcile(run.plan, run)["differences"] == 0


def test_cash_is_spent_in_the_order_of_the_decision(loaded: Settings, prices: Path, ordering_session: date) -> None:
    following = loaded.calendar.next(ordering_session)
    run = BookRun.open(plan_for(loaded, prices, following), loaded)
    decision = run.state.stage(BOOK, ordering_session, "orders")
    assert decision is not None
    listed = [order.client_order_id for order, _ in settlement.working_orders(run)]
    assert listed == decision["client_order_ids"]
    # The store knows no such order: a list that is sorted by id as well would prove nothing.
    assert sorted(listed) != listed


def test_settlement_interrupted_after_the_statuses_still_books_the_fills(
    loaded: Settings, prices: Path, ordering_session: date
) -> None:
    following = loaded.calendar.next(ordering_session)
    run = BookRun.open(plan_for(loaded, prices, following), loaded)
    before = run.state.latest_portfolio(BOOK)
    assert before is not None
    # Everything of the settlement happened but the last write.
    with book_turn(run) as turn:
        expected = settle_book(turn, before)
    trade(loaded, prices, following)
    assert run.state.portfolio(BOOK, following) == expected
    assert trading.reconcile(run.plan, run)["differences"] == 0


def test_an_order_found_unknown_is_asked_for_and_not_sent_again(
    loaded: Settings, prices: Path, ordering_session: date
) -> None:
    for session in sessions_from(loaded, loaded.calendar.next(ordering_session), 20):
        plan = plan_for(loaded, prices, session)
        run = BookRun.open(plan, loaded)
        for task in (trading.settle, trading.signals, trading.targets, trading.risk, trading.orders):
            task(plan, run)
        intended = run.orders.orders(BOOK, session=session)
        if intended:
            break
        trade(loaded, prices, session)
    assert intended, "no session decided an order"
    first = intended[0][0].client_order_id
    run.orders.record(first, OrderEvent.SUBMIT, loaded.clock())
    trading.place(plan, run)
    trading.place(plan, run)
    assert [event for event, *_ in run.orders.events(first)] == [OrderEvent.SUBMIT, OrderEvent.ACCEPT]


def test_a_task_without_its_predecessor_says_which_one_is_missing(loaded: Settings, prices: Path) -> None:
    plan = plan_for(loaded, prices, date(2021, 1, 4))
    run = BookRun.open(plan, loaded)
    with pytest.raises(InputError, match=r"not settled.*run the settle task first"):
        trading.signals(plan, run)
    trading.settle(plan, run)
    with pytest.raises(InputError, match=r"stage signals .* did not run: run task signals first"):
        trading.targets(plan, run)
    trading.signals(plan, run)
    trading.targets(plan, run)
    with pytest.raises(InputError, match="stage risk"):
        trading.orders(plan, run)
    assert run.state.stage(BOOK, run.session, "targets") is not None
    trade(loaded, prices, run.session)
    assert run.state.decision(BOOK, run.session) is not None


def test_a_book_does_not_go_back_in_time(loaded: Settings, prices: Path) -> None:
    trade(loaded, prices, date(2021, 1, 5))
    with pytest.raises(OvertakenSessionError, match=r"session 2021-01-04 of book demo-test is over: .* 2021-01-05"):
        trade(loaded, prices, date(2021, 1, 4))


def test_skipped_sessions_are_settled_on_the_way(loaded: Settings, prices: Path, ordering_session: date) -> None:
    run = BookRun.open(plan_for(loaded, prices, ordering_session), loaded)
    later = loaded.calendar.offset(ordering_session, 4)
    trade(loaded, prices, later)
    opening = loaded.calendar.next(ordering_session)
    fills = [fill for fill in run.orders.fills(BOOK) if fill.session > ordering_session]
    assert fills
    assert {fill.session for fill in fills} == {opening}
    assert run.state.decision(BOOK, opening) is None
    assert run.state.decision(BOOK, later) is not None


def test_the_kill_switch_denies_every_order_with_its_reason(
    loaded: Settings, prices: Path, ordering_session: date
) -> None:
    engine, session = loaded.engine(), ordering_session
    for _ in range(25):
        session = loaded.calendar.next(session)
        run = BookRun.open(plan_for(loaded, prices, session), loaded)
        run.kill_switch.turn_on("test", loaded.clock())
        trade(loaded, prices, session)
        denied = OrderStore(engine).orders(BOOK, session=session)
        if denied:
            break
    assert denied
    assert {status for _, status in denied} == {OrderStatus.DENIED}
    events = OrderStore(engine).events(denied[0][0].client_order_id)
    assert events[-1][3] == "the kill switch is on"


def test_a_portfolio_that_does_not_match_its_fills_stops_the_run(
    loaded: Settings, prices: Path, ordering_session: date
) -> None:
    plan = plan_for(loaded, prices, ordering_session)
    run = BookRun.open(plan, loaded)
    with run.engine.begin() as connection:
        connection.execute(
            text("UPDATE portfolio_state SET cash = cash + 1 WHERE book = :b AND session = :s"),
            {"b": BOOK, "s": ordering_session},
        )
    with pytest.raises(TradingError, match=r"does not reconcile .*cash: .* stored, .* from fills"):
        trading.reconcile(plan, run)


def test_paper_and_live_books_refuse_simulated_prices(settings: Settings) -> None:
    for book in ("paper", "live", "mine"):
        with pytest.raises(SimulatedDataError, match=f"book '{book}' may not trade on simulated prices"):
            market_data.plan("2021-01-04", "simulated", None, book, settings)


def test_a_book_keeps_the_source_it_was_opened_with(loaded: Settings, prices: Path) -> None:
    trade(loaded, prices, date(2021, 1, 4))
    plan = replace(plan_for(loaded, prices, date(2021, 1, 5)), source_name="yfinance", source="yfinance")
    with pytest.raises(InputError, match="book demo-test trades on files:prices, this run brings yfinance"):
        BookRun.open(plan, loaded)


def test_live_books_cannot_be_opened_at_the_simulated_broker(loaded: Settings, prices: Path) -> None:
    with pytest.raises(InputError, match="book live-1 is a live book, and account main is at the simulated broker"):
        BookRun.open(plan_for(loaded, prices, date(2021, 1, 4), "live-1"), loaded)


def test_a_quarantined_bar_is_kept_and_not_traded_on(settings: Settings, tmp_path: Path) -> None:
    folder = write_price_folder(tmp_path / "broken", date(2020, 1, 2), date(2021, 1, 8))
    path = folder / "prices.parquet"
    frame = pd.read_parquet(path)
    bad = (frame["symbol"] == "SPY") & (frame["date"] == pd.Timestamp("2021-01-07"))
    frame.loc[bad, ["high", "low"]] = frame.loc[bad, ["low", "high"]].to_numpy()
    frame.to_parquet(path, index=False)
    plan = plan_for(settings, folder, date(2021, 1, 7))
    fetching.ingest_history(plan, settings, date(2021, 1, 6))
    run_daily(plan, settings)
    result = market_data.check_completeness(plan, settings)
    assert result["missing"] == ["SPY"]
    assert result["quarantined"] == ["SPY"]
    run = BookRun.open(plan, settings)
    spy = run.view.universe.positions["SPY"]
    assert not run.view.fresh[spy]
    assert not run.assessment().may_increase[spy]
    with run.engine.connect() as connection:
        kept = connection.execute(text("SELECT symbol, session::text FROM quarantine")).all()
    assert kept == [("SPY", "2021-01-07")]


def test_a_session_without_any_bar_stops_before_trading(loaded: Settings, prices: Path) -> None:
    with pytest.raises(DataQualityError, match="no exchange bar of session 2021-02-16 came from files:prices"):
        market_data.check_completeness(plan_for(loaded, prices, date(2021, 2, 16)), loaded)


def test_bootstrap_again_changes_no_row(settings: Settings, prices: Path) -> None:
    arguments = ("files", str(prices), "2021-02-18", BOOK, lambda line: None, settings, False)
    first = history.bootstrap(*arguments)
    before = all_tables(settings.engine())
    again = history.bootstrap(*arguments)
    assert (first["replayed_sessions"], again["replayed_sessions"]) == (60, 0)
    assert all_tables(settings.engine()) == before


def test_books_of_different_names_do_not_touch_each_other(loaded: Settings, prices: Path) -> None:
    days = sessions_from(loaded, date(2021, 1, 4), 6)
    trade(loaded, prices, *days)
    before = StateStore(loaded.engine()).nav_history(BOOK)
    for day in days:
        trade_session(plan_for(loaded, prices, day, "demo-other"), loaded)
    state = StateStore(loaded.engine())
    assert state.nav_history(BOOK) == before == state.nav_history("demo-other")
    ids = [{o.client_order_id for o, _ in OrderStore(loaded.engine()).orders(b)} for b in (BOOK, "demo-other")]
    assert ids[0].isdisjoint(ids[1])


def test_summary_names_source_signals_orders_and_value(loaded: Settings, prices: Path, ordering_session: date) -> None:
    summary = session_summary(BOOK, ordering_session.isoformat(), loaded)
    text_form = render(summary)
    assert summary["data_source"] == "files:prices"
    assert "SIMULATED" not in text_form
    assert len(summary["signals"]) == 15
    assert all(signal["reason"] for signal in summary["signals"])
    wanted = {signal["symbol"]: signal["wanted_by"] for signal in summary["signals"] if signal["wanted_by"]}
    assert wanted
    assert all(shares.keys() == {"trend", "rotation"} for shares in wanted.values())
    assert summary["orders"]
    for order in summary["orders"]:
        assert order["status"] == "WORKING"
        assert order["reason"] in text_form
    assert f"${float(summary['nav']):,.2f}" in text_form
    with pytest.raises(InputError, match="book demo-test has not decided session 2021-02-26"):
        session_summary(BOOK, "2021-02-26", loaded)


def test_an_approval_is_never_simulated_for_a_paper_book(loaded: Settings, prices: Path) -> None:
    paper = BookRun.open(plan_for(loaded, prices, date(2021, 1, 4), "paper"), loaded)
    demo = BookRun.open(plan_for(loaded, prices, date(2021, 1, 4)), loaded)
    assert not paper.decision_config.risk.simulated_approval
    assert demo.decision_config.risk.simulated_approval


def test_the_late_volatility_index_is_fetched_before_settling(
    loaded: Settings, prices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(loaded, prices, date(2021, 2, 17))
    for group in ("etf", "crypto"):
        market_data.ingest(plan, group, loaded)
    monkeypatch.setattr(trading, "load_settings", lambda: loaded)
    trading.fetch_late_volatility_index(plan)
    view = BookRun.open(plan, loaded).view
    assert view.volatility_index_age == 0
    rows_before = all_tables(loaded.engine())
    trading.fetch_late_volatility_index(plan)
    assert all_tables(loaded.engine()) == rows_before


def test_settings_clock_rules_out_future_sessions(settings: Settings) -> None:
    before_close = replace(settings, clock=lambda: settings.calendar.close(date(2021, 1, 4)))
    with pytest.raises(SessionError, match="in the future: the newest session is 2020-12-31"):
        market_data.plan("2021-01-04", "simulated", None, "demo", before_close)
    assert market_data.plan(None, None, None, None, before_close).session == date(2020, 12, 31)

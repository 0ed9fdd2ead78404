"""A book against its broker: what differs is stored, told and halts purchases until the operator settles it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders.markets import FRIDAY, MONDAY
from tests.builders.own_code.broker import BOOK, OwnBroker, make_project
from tests.environment.database import table_contents
from trading_lib.adapters.stores.orders.break_store import BreakStore
from trading_lib.domain.book.orders import Order, OrderStatus, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import InputError
from trading_lib.execution.reconciliation.snapshot import SnapshotRefusedError
from trading_lib.workflows.books.flows import flows_listing
from trading_lib.workflows.orders import break_questions
from trading_lib.workflows.orders.reconciling import halt_of, reconcile_book, reconcile_session
from trading_lib.workflows.orders.settling_breaks import accept_break
from trading_lib.workflows.trade.tasks import reconcile

pytestmark = pytest.mark.postgres

TUESDAY = date(2023, 2, 14)
START = Portfolio.opened(FRIDAY, Decimal(100_000))
AT_OPENING = "2023-02-13T14:30:01+00:00"


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    monkeypatch.setenv("BY_HAND_CASH", "100000")
    made = OwnBroker(database_url, make_project(tmp_path / "project"), tmp_path / "server")
    made.run().state.save_portfolio(BOOK, START, "main")
    return made


def bought(own: OwnBroker) -> Order:
    """Ten SPY that were bought and are settled."""
    order = own.order()
    own.send()
    own.fill(("1", order.client_order_id, "10", "144", "1.00", AT_OPENING))
    settle(own, MONDAY)
    return order


def settle(own: OwnBroker, session: date) -> Portfolio:
    last = own.run().state.latest_portfolio(BOOK)
    assert last is not None
    settled = own.settle(last, session)
    own.run().state.save_portfolio(BOOK, settled, "main")
    return settled


def by_hand(own: OwnBroker, trade: str, side: str, quantity: str, price: str, symbol: str = "GLD") -> None:
    """Somebody trades in the account without the book."""
    path = own.folder / "orders.csv"
    new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["client_order_id", "symbol", "side", "quantity", "taken_at"])
        writer.writerow([f"mine-{trade}", symbol, side, quantity, AT_OPENING])
    own.fill((trade, f"mine-{trade}", quantity, price, "0.50", AT_OPENING))


def kinds(own: OwnBroker) -> list[str]:
    return [one["kind"] for one in reconcile_book(BOOK, own.settings)["breaks"]]


def test_a_book_and_its_broker_agree_before_and_after_a_fill_is_booked(own: OwnBroker) -> None:
    order = own.order()
    own.send()
    assert reconcile_book(BOOK, own.settings)["breaks"] == []
    own.fill(("1", order.client_order_id, "10", "144", "1.00", AT_OPENING))
    between = reconcile_book(BOOK, own.settings)
    assert ([one["kind"] for one in between["breaks"]], between["halted"]) == (["unbooked-fill"], False)
    settle(own, MONDAY)
    after = reconcile_book(BOOK, own.settings)
    assert after["breaks"] == []
    assert after["cash"] == {"main": {"ours": "98559.00", "broker": "98559.00"}}
    assert (after["orders"], after["positions"], after["halted"]) == (1, 1, False)


def test_a_manual_trade_is_booked_by_nobody_and_halts_purchases_alone(own: OwnBroker) -> None:
    bought(own)
    by_hand(own, "2", "BUY", "5", "180")
    found = reconcile_book(BOOK, own.settings)
    assert [(one["kind"], one["symbol"], one["status"]) for one in found["breaks"]] == [("manual-trade", "GLD", "open")]
    assert found["halted"]
    portfolio = settle(own, TUESDAY)
    assert list(portfolio.positions) == ["SPY"]
    halt = halt_of(own.run(TUESDAY), portfolio)
    buy, sell = own.order("QQQ", session=TUESDAY), own.order("SPY", Side.SELL, session=TUESDAY)
    assert halt(buy).startswith("break 1 (manual-trade of GLD: no such trade here, BUY 5 GLD at 180")
    assert halt(sell) == ""


def test_a_settlement_alone_finds_a_manual_trade_too(own: OwnBroker) -> None:
    bought(own)
    by_hand(own, "2", "BUY", "5", "180")
    settle(own, TUESDAY)
    (found,) = BreakStore(own.engine).breaks(BOOK)
    assert found.broker == "BUY 5 GLD at 180 for 0.50 (trade 2)"
    # The comparison finds the same one, though the fills have been read past it.
    again = reconcile_book(BOOK, own.settings)
    assert again["halted"]


def test_a_sale_by_hand_keeps_the_book_from_selling_what_is_gone(own: OwnBroker) -> None:
    bought(own)
    by_hand(own, "2", "SELL", "4", "150", "SPY")
    assert kinds(own) == ["manual-trade"]
    portfolio = own.run().state.latest_portfolio(BOOK)
    assert portfolio is not None
    halt = halt_of(own.run(MONDAY), portfolio)
    six, seven = (own.order("SPY", Side.SELL, quantity, day) for quantity, day in (("6", MONDAY), ("7", TUESDAY)))
    assert halt(six) == ""
    assert halt(seven) == "the broker has 6 SPY and not 10, as an open break says"


def accept(own: OwnBroker, number: int = 1, how: str | None = None, by: str = "Ada", note: str = "looked at it") -> str:
    return str(accept_break(BOOK, number, by, note, how, own.settings)["settled_as"])


def test_a_trade_that_was_left_out_is_a_known_difference_and_a_unit_more_a_new_break(own: OwnBroker) -> None:
    bought(own)
    by_hand(own, "2", "BUY", "5", "180")
    assert kinds(own) == ["manual-trade"]
    assert accept(own) == "known"
    after = reconcile_book(BOOK, own.settings)
    assert (after["breaks"], after["halted"], [one["number"] for one in after["accepted"]]) == ([], False, [1])
    settle(own, TUESDAY)
    assert reconcile_book(BOOK, own.settings)["breaks"] == []
    by_hand(own, "3", "BUY", "1", "180")
    assert kinds(own) == ["manual-trade"]


def test_a_trade_that_was_adopted_is_booked_once_by_the_next_settlement(own: OwnBroker) -> None:
    bought(own)
    by_hand(own, "2", "BUY", "5", "180")
    assert kinds(own) == ["manual-trade"]
    assert accept(own, how="adopted") == "adopted"
    between = reconcile_book(BOOK, own.settings)
    assert [one["kind"] for one in between["breaks"]] == ["unbooked-fill"]
    portfolio = settle(own, TUESDAY)
    assert portfolio.positions["GLD"].quantity == 5
    assert reconcile_book(BOOK, own.settings)["breaks"] == []
    own.now = own.settings.calendar.decision_time(TUESDAY)
    assert reconcile(own.run(TUESDAY).plan, own.run(TUESDAY))["differences"] == 0
    adopted = [order for order, status in own.run().orders.orders(BOOK) if order.leg == "manual:2"]
    assert [order.symbol for order in adopted] == ["GLD"]


def test_money_that_came_is_recorded_as_capital_and_agrees_before_and_after_it_counts(
    own: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought(own)
    monkeypatch.setenv("BY_HAND_CASH", "102500.25")
    (found,) = reconcile_book(BOOK, own.settings)["breaks"]
    assert (found["kind"], found["ours"], found["broker"]) == ("transfer", "98559.00", "101059.25")
    assert accept(own) == "flow"
    (flow,) = flows_listing(BOOK, own.settings)["flows"]
    assert (flow["kind"], flow["amount"], flow["session"], flow["reference"], flow["recorded_by"]) == (
        "deposit", "2500.25", "2023-02-14", "break-1", "Ada",
    )  # fmt: skip
    between = reconcile_book(BOOK, own.settings)
    assert (between["breaks"], between["halted"]) == ([], False)
    settle(own, TUESDAY)
    assert reconcile_book(BOOK, own.settings)["breaks"] == []
    monkeypatch.setenv("BY_HAND_CASH", "102500.24")
    assert kinds(own) == ["transfer"]


def test_a_withdrawal_that_is_kept_as_known_changes_no_book(own: OwnBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BY_HAND_CASH", "99999.63")
    assert kinds(own) == ["transfer"]
    before = table_contents(own.engine, "capital_flows", "order_intents", "fills")
    assert accept(own, how="known") == "known"
    assert table_contents(own.engine, "capital_flows", "order_intents", "fills") == before
    assert reconcile_book(BOOK, own.settings)["breaks"] == []


BAD: list[tuple[Callable[[OwnBroker], object], str]] = [
    (lambda own: accept(own, 7), "there is no break 7"),
    (lambda own: accept(own, how="flow"), "is a manual-trade, which cannot be settled as flow"),
    (lambda own: accept(own, how="somehow"), "use known, flow, adopted"),
    (lambda own: accept(own, by=" "), "needs the name of who does it and why"),
    (lambda own: accept(own, note=" "), "needs the name of who does it and why"),
    (lambda own: accept(own, note="x" * 501), "at most 500 characters"),
    (lambda own: accept(own, 2, how="adopted"), "sells 5 GLD, and book paper holds 0"),
]


@pytest.mark.parametrize(("settling", "said"), BAD, ids=[said for _, said in BAD])
def test_a_break_that_cannot_be_settled_that_way_stays_open(
    own: OwnBroker, settling: Callable[[OwnBroker], object], said: str
) -> None:
    by_hand(own, "2", "BUY", "5", "180")
    by_hand(own, "3", "SELL", "5", "180")
    assert kinds(own) == ["manual-trade", "manual-trade"]
    with pytest.raises(InputError, match=said):
        settling(own)
    assert {one.status for one in BreakStore(own.engine).breaks(BOOK)} == {"open"}


def test_a_book_that_was_restored_to_an_older_state_names_the_orders_that_it_lacks(own: OwnBroker) -> None:
    order = own.order()
    own.send()
    with own.engine.begin() as connection:
        for table in ("order_events", "orders", "order_intents"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            connection.exec_driver_sql(f"DELETE FROM {table}")
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
    (found,) = reconcile_book(BOOK, own.settings)["breaks"]
    assert (found["kind"], order.client_order_id in found["explanation"]) == ("order-lacked", True)
    assert own.submitted() == [order.client_order_id]


def test_a_snapshot_of_another_account_is_refused_and_nothing_stored(own: OwnBroker) -> None:
    before = table_contents(own.engine, "broker_snapshots", "reconciliation_breaks")
    accounts = own.settings.configuration.accounts
    named = replace(accounts.accounts[0], broker_account="B2")
    configured = replace(own.settings.configuration, accounts=replace(accounts, accounts=(named,)))
    # The class answers with its configured account: as if its keys were another's, it says B1.
    broker = own.settings.folders.project / "include" / "brokers" / "own.py"
    broker.write_text(broker.read_text().replace("BrokerAccount(self._account,", "BrokerAccount('B1',"))
    fresh = replace(own.settings, configuration=configured)
    with pytest.raises(SnapshotRefusedError, match="of account 'B1', and account 'B2' was asked for"):
        reconcile_book(BOOK, fresh)
    assert table_contents(own.engine, "broker_snapshots", "reconciliation_breaks") == before


def test_a_past_session_asks_no_broker(own: OwnBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    bought(own)
    own.now = own.settings.calendar.decision_time(TUESDAY)
    assert reconcile_session(own.run(MONDAY)) is None
    own.now = own.settings.calendar.decision_time(MONDAY)
    assert reconcile_session(own.run(MONDAY)) is not None


def test_the_task_says_what_it_compared(own: OwnBroker) -> None:
    bought(own)
    own.now = own.settings.calendar.decision_time(MONDAY)
    done = reconcile(own.run(MONDAY).plan, own.run(MONDAY))
    assert done == {"positions": 1, "fills": 1, "differences": 0, "breaks": 0, "halted": False}
    by_hand(own, "2", "BUY", "5", "180")
    assert reconcile(own.run(MONDAY).plan, own.run(MONDAY))["halted"] is True


def test_an_order_whose_outcome_is_unknown_is_left_to_recovery(own: OwnBroker) -> None:
    own.faults("silent", "blind")
    order = own.order()
    own.send()
    assert own.status(order) is OrderStatus.UNKNOWN
    own.faults()
    assert reconcile_book(BOOK, own.settings)["breaks"] == []


def answer(option: str, note: str = "") -> dict[str, object]:
    return {"chosen_options": [option], "params_input": {"note": note}, "responded_by_user": {"name": "ada"}}


def test_an_open_break_is_asked_about_once_and_an_approval_settles_it(own: OwnBroker) -> None:
    by_hand(own, "2", "BUY", "5", "180")
    assert kinds(own) == ["manual-trade"]
    assert break_questions.questions(BOOK, own.settings) == [
        {"trigger_run_id": "paper__break-1", "conf": {"book": BOOK, "number": 1}}
    ]
    asked = break_questions.asked_in_airflow(BOOK, 1, own.settings)
    assert asked["subject"] == "Book paper: settle break 1, manual-trade of GLD?"
    assert break_questions.record_response(asked, None, own.settings)["settled"] is False
    assert break_questions.record_response(asked, answer("Reject"), own.settings)["settled"] is False
    assert break_questions.questions(BOOK, own.settings)
    done = break_questions.record_response(asked, answer("Approve", "mine"), own.settings)
    assert (done["settled"], done["settled_as"], done["by"]) == (True, "known", "ada")
    stored = BreakStore(own.engine).break_(1)
    assert (stored.settled_by, stored.note) == ("ada", "mine")
    assert break_questions.questions(BOOK, own.settings) == []
    assert break_questions.asked_in_airflow(BOOK, 1, own.settings) == {}
    assert break_questions.record_response(asked, answer("Approve"), own.settings)["settled"] is False
    with pytest.raises(InputError, match="neither Approve nor Reject"):
        break_questions.record_response(asked, answer("Maybe"), own.settings)
    with pytest.raises(InputError, match="break 1 is of book paper, not of demo"):
        break_questions.asked_in_airflow("demo", 1, own.settings)

"""Fills of a broker of a user's own: in which session they count, and that each is booked once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tests.builders.markets import CALENDAR, FRIDAY, MONDAY
from tests.builders.own_code.broker import BOOK, ROOT, OwnBroker, make_project
from tests.builders.prices import instant
from trading_lib.adapters.stores.books.account_store import AccountStore
from trading_lib.adapters.stores.orders.break_store import BreakStore
from trading_lib.domain.book.orders import Fill, Order, OrderEvent, OrderStatus, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import InputError
from trading_lib.execution.reconciliation.breaks import BreakKind, BreakStatus
from trading_lib.workflows.books.repair import repair_book
from trading_lib.workflows.orders.fill_corrections import session_of
from trading_lib.workflows.orders.settling_breaks import accept_break
from trading_lib.workflows.setup.configuration import load_configuration

pytestmark = pytest.mark.postgres

TUESDAY, WEDNESDAY = date(2023, 2, 14), date(2023, 2, 15)
START = Portfolio.opened(FRIDAY, Decimal(100_000))


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    return OwnBroker(database_url, make_project(tmp_path / "project"), tmp_path / "server")


@pytest.mark.parametrize(
    ("filled_at", "session"),
    [
        ("2023-02-10 20:59", FRIDAY),
        ("2023-02-10 21:30", FRIDAY),  # the decision's own moment
        ("2023-02-10 21:31", MONDAY),
        ("2023-02-11 00:00", MONDAY),  # a coin on Saturday
        ("2023-02-13 14:30", MONDAY),
        ("2023-11-24 18:30", date(2023, 11, 24)),  # closes at 18:00 UTC
        ("2023-11-24 18:31", date(2023, 11, 27)),
        ("2023-12-25 12:00", date(2023, 12, 26)),
        ("2023-07-03 20:00", date(2023, 7, 5)),  # half day before a holiday
    ],
)
def test_a_fill_counts_in_the_first_session_decided_after_it(filled_at: str, session: date) -> None:
    assert session_of(instant(filled_at), CALENDAR) == session


def sent(own: OwnBroker, symbol: str = "SPY", quantity: str = "10") -> Order:
    order = own.order(symbol, quantity=quantity)
    own.send()
    return order


def cursor(own: OwnBroker) -> str | None:
    return AccountStore(own.engine).cursors(BOOK).get("main")


def held(portfolio: Portfolio) -> dict[str, Decimal]:
    return {symbol: position.quantity for symbol, position in portfolio.positions.items()}


def test_fills_are_booked_at_their_own_prices_in_their_session(own: OwnBroker) -> None:
    spy, coin = own.order(), own.order("BTC-USD", quantity="0.5")
    own.send()
    own.fill(
        ("1", coin.client_order_id, "0.5", "141.5", "0.07", "2023-02-11T00:00:02+00:00"),
        ("2", spy.client_order_id, "10", "144.31", "1", "2023-02-13T09:30:01-05:00"),
    )
    settled = own.settle(START, MONDAY)
    assert held(settled) == {"SPY": 10, "BTC-USD": Decimal("0.5")}
    assert settled.cash == Decimal("100000") - Decimal("1443.10") - 1 - Decimal("70.75") - Decimal("0.07")
    assert [own.status(order) for order in (spy, coin)] == [OrderStatus.FILLED] * 2
    stored = own.run().orders.fills(BOOK)
    assert [(fill.trade_id, fill.broker, fill.session) for fill in stored] == [
        ("1", "by-hand", MONDAY), ("2", "by-hand", MONDAY),
    ]  # fmt: skip
    assert cursor(own) == "2"


def test_several_fills_of_one_order_in_one_session_fill_it_once(own: OwnBroker) -> None:
    order = sent(own)
    own.fill(
        ("1", order.client_order_id, "4", "144", "0", "2023-02-13T14:30:01+00:00"),
        ("2", order.client_order_id, "6", "145", "0", "2023-02-13T14:30:02+00:00"),
    )
    settled = own.settle(START, MONDAY)
    assert (held(settled), settled.cash) == ({"SPY": 10}, Decimal("98554"))
    assert own.status(order) is OrderStatus.FILLED
    assert own.run().orders.filled_quantity(order.client_order_id) == 10


@pytest.mark.parametrize("late", [False, True])
def test_an_order_filled_in_two_sessions_is_booked_in_both(own: OwnBroker, late: bool) -> None:
    order = sent(own)
    first = ("1", order.client_order_id, "4", "144", "0", "2023-02-13T14:30:01+00:00")
    second = ("2", order.client_order_id, "6", "145", "0", "2023-02-14T14:30:02+00:00")
    own.fill(first)
    if late:
        # Settled a day late: the broker tells of both sessions, and that the order is filled.
        own.fill(second)
        settled = own.settle(START, TUESDAY)
    else:
        monday = own.settle(START, MONDAY)
        assert held(monday) == {"SPY": 4}
        assert own.status(order) is OrderStatus.PARTIALLY_FILLED
        own.fill(second)
        settled = own.settle(monday, TUESDAY)
    assert (held(settled), settled.cash) == ({"SPY": 10}, Decimal("98554"))
    assert own.status(order) is OrderStatus.FILLED
    assert [fill.session for fill in own.run().orders.fills(BOOK)] == [MONDAY, TUESDAY]
    assert cursor(own) == "2"


def test_the_cursor_waits_until_all_of_its_fills_are_booked(own: OwnBroker) -> None:
    order = sent(own)
    own.fill(
        ("1", order.client_order_id, "4", "144", "0", "2023-02-13T14:30:01+00:00"),
        ("2", order.client_order_id, "6", "145", "0", "2023-02-14T14:30:02+00:00"),
    )
    monday = own.settle(START, MONDAY)
    assert cursor(own) == ""
    assert held(monday) == {"SPY": 4}
    assert own.status(order) is OrderStatus.PARTIALLY_FILLED
    tuesday = own.settle(monday, TUESDAY)
    assert (held(tuesday), tuesday.cash) == ({"SPY": 10}, Decimal("98554"))
    assert cursor(own) == "2"
    assert held(own.settle(tuesday, WEDNESDAY)) == {"SPY": 10}


def test_a_settlement_that_was_interrupted_books_each_fill_once(own: OwnBroker) -> None:
    order = sent(own)
    own.fill(("1", order.client_order_id, "10", "144", "0", "2023-02-13T14:30:01+00:00"))
    # The first one ends before its portfolio is stored, so the second begins where it did.
    first, second = own.settle(START, MONDAY), own.settle(START, MONDAY)
    assert first == second
    assert len(own.run().orders.fills(BOOK)) == 1


def test_a_fill_that_is_told_late_is_booked_in_the_session_that_learns_of_it(own: OwnBroker) -> None:
    order = sent(own)
    monday = own.settle(START, MONDAY)
    assert held(monday) == {}
    assert own.status(order) is OrderStatus.WORKING
    own.fill(("1", order.client_order_id, "10", "144", "0", "2023-02-13T14:30:01+00:00"))
    assert held(own.settle(monday, TUESDAY)) == {"SPY": 10}
    assert [fill.session for fill in own.run().orders.fills(BOOK)] == [TUESDAY]


@pytest.mark.parametrize("status", [OrderStatus.EXPIRED, OrderStatus.CANCELLED])
def test_an_order_that_ends_unfilled_has_the_brokers_status_and_reason(own: OwnBroker, status: OrderStatus) -> None:
    order = sent(own)
    (own.folder / "ended.csv").write_text(
        f"client_order_id,status,reason\n{order.client_order_id},{status},no opening auction\n"
    )
    assert held(own.settle(START, MONDAY)) == {}
    assert own.status(order) is status
    assert own.run().orders.events(order.client_order_id)[-1][3] == "no opening auction"


def test_a_fill_of_an_order_nobody_sent_is_not_booked_and_becomes_a_break(own: OwnBroker) -> None:
    order = sent(own)
    own.fill(
        ("1", order.client_order_id, "10", "144", "0", "2023-02-13T14:30:01+00:00"),
        ("2", "by-phone", "5", "144", "0", "2023-02-13T15:00:00+00:00"),
    )
    assert held(own.settle(START, MONDAY)) == {"SPY": 10}
    assert [fill.trade_id for fill in own.run().orders.fills(BOOK)] == ["1"]
    (found,) = BreakStore(own.engine).breaks(BOOK)
    assert (found.kind, found.status) == (BreakKind.MANUAL_TRADE, BreakStatus.OPEN)
    assert "order by-phone was not sent by this book" in found.explanation
    # Until it is settled, the comparison with the broker must find it again.
    assert cursor(own) == ""
    accept_break(BOOK, found.number, "Ada", "mine", "known", own.settings)
    assert held(own.settle(START, MONDAY)) == {"SPY": 10}
    assert cursor(own) == "2"


def test_an_order_that_the_broker_calls_filled_before_telling_its_fills_waits_for_them(own: OwnBroker) -> None:
    order = sent(own)
    fill = ("1", order.client_order_id, "10", "144", "0", "2023-02-13T14:30:01+00:00")
    own.fill(fill)
    own.faults("untold")
    monday = own.settle(START, MONDAY)
    assert held(monday) == {}
    assert own.status(order) is OrderStatus.WORKING
    own.faults()
    assert held(own.settle(monday, TUESDAY)) == {"SPY": 10}
    assert own.status(order) is OrderStatus.FILLED


def test_an_order_that_the_broker_calls_filled_after_telling_its_fills_ends_then(own: OwnBroker) -> None:
    order = sent(own)
    own.fill(("1", order.client_order_id, "10", "144", "0", "2023-02-13T14:30:01+00:00"))
    own.faults("behind")
    monday = own.settle(START, MONDAY)
    assert held(monday) == {"SPY": 10}
    assert own.status(order) is OrderStatus.PARTIALLY_FILLED
    own.faults()
    assert held(own.settle(monday, TUESDAY)) == {"SPY": 10}
    assert own.status(order) is OrderStatus.FILLED


def test_a_past_session_does_not_even_ask_a_real_broker(own: OwnBroker) -> None:
    sent(own)
    own.now = CALENDAR.decision_time(TUESDAY)
    with pytest.raises(InputError, match=r"session 2023-02-13 is past .* run the newest session, which settles those"):
        own.settle(START, MONDAY)
    assert cursor(own) is None


def test_a_fill_of_an_order_that_has_ended_is_stored_as_well_as_booked(own: OwnBroker) -> None:
    order = sent(own)
    own.run().orders.record(order.client_order_id, OrderEvent.CANCEL, own.now, "expired")
    own.fill(("1", order.client_order_id, "10", "144", "0", "2023-02-13T14:30:01+00:00"))
    monday = own.settle(START, MONDAY)
    assert held(monday) == {"SPY": 10}
    assert [fill.trade_id for fill in own.run().orders.fills(BOOK)] == ["1"]
    assert own.run().orders.filled_quantity(order.client_order_id) == 10
    assert own.status(order) is OrderStatus.CANCELLED
    assert own.events(order)[-1] is OrderEvent.LATE_FILL


def test_two_brokers_may_give_two_fills_the_same_id(
    own: OwnBroker, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = (ROOT / "docs" / "examples" / "by_hand.py").read_text(encoding="utf-8")
    source += (
        "\n\nclass Elsewhere(ByHand):\n    name = 'elsewhere'\n\n    def __init__(self, setting):\n"
        "        folder = setting.environment['ELSEWHERE_FOLDER']\n"
        "        super().__init__(dataclasses.replace(setting, environment={'BY_HAND_FOLDER': folder}))\n"
    )
    project = make_project(tmp_path / "two", "import dataclasses\n" + source, "own.py:ByHand")
    path = project / "include" / "config" / "execution.yaml"
    execution = yaml.safe_load(path.read_text(encoding="utf-8"))
    shared = {"endpoint": "paper", "currency": "USD", "share": "0.5"}
    execution["accounts"] = [
        {"name": "stocks", "broker": "own.py:ByHand", "asset_classes": ["US_ETF"], **shared},
        {"name": "coins", "broker": "own.py:Elsewhere", "asset_classes": ["CRYPTO"], **shared},
    ]
    path.write_text(yaml.safe_dump(execution), encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("ELSEWHERE_FOLDER", str(elsewhere))
    own.settings = replace(own.settings, configuration=load_configuration(project / "include" / "config", {}))
    spy, coin = own.order(), own.order("BTC-USD", quantity="0.01")
    assert own.send().accepted == 2
    own.fill(("1", spy.client_order_id, "10", "144", "0", "2023-02-13T14:30:01+00:00"))
    own.folder = elsewhere
    own.fill(("1", coin.client_order_id, "0.01", "7075", "0", "2023-02-13T00:00:00+00:00"))
    opened = Portfolio.opened(
        FRIDAY, Decimal(100_000), own.settings.configuration.accounts.opening_cash(Decimal(100_000))
    )
    assert held(own.settle(opened, MONDAY)) == {"SPY": 10, "BTC-USD": Decimal("0.01")}


def test_a_repair_leaves_orders_and_fills_of_a_real_broker_alone(own: OwnBroker) -> None:
    waiting, sold = sent(own), own.order("BTC-USD", Side.SELL, "5")
    own.send()
    own.fill(("1", sold.client_order_id, "5", "7075", "0", "2023-02-13T00:00:00+00:00"))
    fill = Fill(
        "1", "by-hand", sold.client_order_id, "BTC-USD", Side.SELL, *(Decimal(n) for n in ("5", "7075", "7075", "0")),
        instant("2023-02-13 00:00"), MONDAY,
    )  # fmt: skip
    own.run().orders.save_fills([fill], BOOK)
    own.run().state.save_portfolio(BOOK, replace(START, session=FRIDAY), "main")
    done = repair_book(BOOK, "tester", settings=own.settings)
    assert [step for step in done["steps"] if step["action"] != "CLOSE_SESSION"] == []
    assert [own.status(order) for order in (waiting, sold)] == [OrderStatus.WORKING] * 2
    assert own.run().orders.fills(BOOK) == [fill]

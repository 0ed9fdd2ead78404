"""Guards of sending: only the current session of an armed book reaches a real broker, inside the broker's window."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders.own_code.broker import BOOK, Desk, make_desk
from tests.builders.prices import instant
from trading_lib.domain.book.accounts import Account, Endpoint
from trading_lib.domain.book.books import BookKind
from trading_lib.domain.book.orders import OrderEvent, OrderStatus, Side
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.orders.guarding import arming, guards, shadow
from trading_lib.workflows.orders.guarding.arming import kind_problem
from trading_lib.workflows.orders.guarding.guards import is_current
from trading_lib.workflows.orders.guarding.send_times import send_time
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.tasks import place

START = date(2021, 1, 4)


@pytest.fixture
def desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "by-hand"))
    monkeypatch.setenv("BY_HAND_CASH", "100000")
    return make_desk(database_url, tmp_path)


@pytest.fixture
def alerts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr("trading_lib.workflows.alerts.sessions.raise_alert", lambda alert, settings: told.append(alert))
    return told


def statuses(desk: Desk, session: date) -> set[OrderStatus]:
    return {status for _, status in desk.of(session)}


def at_the_broker(desk: Desk) -> bool:
    return (desk.person.folder / "orders.csv").exists()


def place_again(desk: Desk, session: date, settings: Settings) -> Any:
    plan = SessionPlan(
        session=session,
        source="files",
        source_name="files:prices",
        data=str(desk.settings.folders.home.parent / "prices"),
        book=BOOK,
    )
    return place(plan, BookRun.open(plan, settings, engine=desk.engine))


def first_purchases(desk: Desk, **how: Any) -> tuple[date, Any]:
    """Trade until a session decides something; returns it and what place said."""
    session = START
    while True:
        placed = desk.trade(session, **how)["place"]
        if desk.of(session):
            return session, placed
        session = desk.settings.calendar.next(session)


@pytest.mark.postgres
def test_orders_of_a_book_that_is_not_armed_are_held_and_filled_beside_it(desk: Desk) -> None:
    session, placed = first_purchases(desk, arm=())
    held = desk.of(session)
    assert placed["held"] == len(held) > 0
    assert placed["held_because"] == [f"book paper is not armed for account main in session {session}"]
    assert statuses(desk, session) == {OrderStatus.HELD}
    assert not at_the_broker(desk)
    following = desk.settings.calendar.next(session)
    settled = desk.trade(following, arm=())
    portfolio = desk.state.portfolio(BOOK, following)
    assert portfolio is not None
    assert (portfolio.positions, portfolio.cash) == ({}, desk.settings.configuration.initial_cash)
    assert desk.orders.fills(BOOK) == []
    beside = desk.orders.fills(shadow.shadow_name(BOOK))
    assert settled["settle"]["shadow_fills"] == len(beside) > 0
    assert {(fill.broker, fill.session) for fill in beside} == {("shadow", following)}
    assert {fill.symbol for fill in beside} <= {order.symbol for order, _ in held}
    assert {status for _, status in desk.orders.orders("paper-shadow", session=session)} == {OrderStatus.FILLED}
    # Settled again, nothing is added.
    desk.trade(following, arm=())
    assert desk.orders.fills(shadow.shadow_name(BOOK)) == beside


@pytest.mark.postgres
def test_orders_of_a_past_session_are_held_and_no_broker_is_connected(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "ArmingStore", lambda engine: pytest.fail("a past session needs no arming"))
    now = desk.settings.calendar.decision_time(date(2021, 3, 1))
    session, placed = first_purchases(desk, arm=(), now=now)
    assert placed["sent"] == 0
    assert placed["held_because"] == [f"session {session} is not the current one, which is 2021-03-01"]
    assert statuses(desk, session) == {OrderStatus.HELD}
    # The broker's folder is made by a person; a connection without it is an error.
    desk.person.folder.rmdir()
    following = desk.settings.calendar.next(session)
    assert desk.trade(following, arm=(), now=now)["settle"]["fills"] == 0


@pytest.mark.postgres
def test_an_armed_session_is_sent_and_disarmed_the_next_is_held(desk: Desk) -> None:
    session, placed = first_purchases(desk)
    assert (placed["sent"], "held" in placed) == (len(desk.of(session)), False)
    assert statuses(desk, session) == {OrderStatus.WORKING}
    ended = arming.disarm(BOOK, None, "Ada", desk.settings)
    assert (ended["changed"], len(ended["revoked"])) == (True, len(arming.armings(BOOK, desk.settings)["armings"]))
    while True:
        session = desk.next_opening(session)
        desk.trade(session, arm=())
        if desk.of(session):
            break
    assert statuses(desk, session) == {OrderStatus.HELD}


HOURS = "send_from=time(19), send_until=time(9, 28)"


@pytest.fixture
def auction(desk: Desk) -> Desk:
    """The broker takes orders from 19:00 to 09:28 New York time."""
    path = desk.settings.configuration.folder.parent / "brokers" / "own.py"
    text = path.read_text(encoding="utf-8")
    said = "Capabilities(asset_classes=frozenset(AssetClass), fractional=True)"
    assert said in text
    text = text.replace(said, said.replace("fractional=True", f"fractional=True, {HOURS}"))
    path.write_text(text.replace("import csv\n", "import csv\nfrom datetime import time\n", 1))
    return desk


@pytest.mark.postgres
def test_before_the_window_orders_wait_within_it_they_go_and_after_it_they_are_held(auction: Desk) -> None:
    session, placed = first_purchases(auction)
    opens = instant(f"{session + timedelta(days=1)} 00:00")
    assert (placed["sent"], placed["waiting"]) == (0, len(auction.of(session)))
    assert placed["sent_from"] == opens.isoformat()
    assert statuses(auction, session) == {OrderStatus.INTENDED}
    decided = auction.settings.calendar.decision_time(session)
    for now, wanted in [(decided, opens), (opens - timedelta(seconds=1), opens), (opens, None)]:
        assert send_time(BOOK, session, auction.at(now)) == wanted
    early = auction.trade(session, now=opens - timedelta(seconds=1))["place"]
    assert (early["sent"], at_the_broker(auction)) == (0, False)
    sent = auction.trade(session, now=opens)["place"]
    assert (sent["sent"], "waiting" in sent) == (len(auction.of(session)), False)
    assert statuses(auction, session) == {OrderStatus.WORKING}


@pytest.mark.postgres
def test_once_the_window_has_closed_orders_are_held(auction: Desk) -> None:
    session, _ = first_purchases(auction)
    closes = auction.settings.calendar.open(auction.settings.calendar.next(session)) - timedelta(minutes=2)
    assert send_time(BOOK, session, auction.at(closes)) is None
    placed = auction.trade(session, now=closes)["place"]
    assert placed["held_because"] == [f"account main took orders of {session} until {closes:%Y-%m-%d %H:%M} UTC"]
    assert statuses(auction, session) == {OrderStatus.HELD}
    assert not at_the_broker(auction)


@pytest.mark.postgres
def test_nobody_waits_for_a_window_to_hold_orders_back(auction: Desk) -> None:
    session, placed = first_purchases(auction, arm=())
    assert "waiting" not in placed
    assert send_time(BOOK, session, auction.at(auction.settings.calendar.decision_time(session))) is None
    assert send_time("nobody", session, auction.settings) is None


@pytest.mark.postgres
def test_a_sale_that_is_held_back_is_told_and_a_purchase_is_not(desk: Desk, alerts: list[Any]) -> None:
    session = START
    while not any(order.side is Side.SELL for order, _ in desk.of(session)):
        if desk.of(session):
            session = desk.next_opening(session)
        alerts.clear()
        # Decided in an armed book, so that it holds something; placed once it is not armed any more.
        desk.trade(session)
        if not desk.of(session):
            session = desk.next_opening(session)
    sales = [order for order, _ in desk.of(session) if order.side is Side.SELL]
    with desk.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE orders SET status = 'INTENDED', broker = NULL WHERE status = 'WORKING'")
    arming.disarm(BOOK, None, "Ada", desk.settings)
    alerts.clear()
    desk.trade(session, arm=())
    (told,) = [alert for alert in alerts if "held back" in alert.title]
    assert (
        told.title == f"{len(sales)} order{'s' * (len(sales) != 1)} of book paper that reduce risk held back, not sent"
    )
    assert all(f"SELL {order.quantity:f} {order.symbol}: " in told.text for order in sales)


@pytest.mark.postgres
def test_an_order_whose_window_closes_while_earlier_ones_are_sent_is_held(auction: Desk) -> None:
    session, _ = first_purchases(auction)
    assert len(auction.of(session)) > 1
    opens = instant(f"{session + timedelta(days=1)} 00:00")
    closes = auction.settings.calendar.open(auction.settings.calendar.next(session)) - timedelta(minutes=2)
    moving = replace(auction.settings, clock=lambda: closes if at_the_broker(auction) else opens)
    placed = place_again(auction, session, moving)
    assert (placed["sent"], placed["held"]) == (1, len(auction.of(session)) - 1)
    assert placed["held_because"] == [f"account main took orders of {session} until {closes:%Y-%m-%d %H:%M} UTC"]
    assert statuses(auction, session) == {OrderStatus.WORKING, OrderStatus.HELD}


@pytest.mark.postgres
def test_an_order_that_is_proved_absent_is_not_sent_again_once_its_book_is_disarmed(desk: Desk) -> None:
    path = desk.settings.configuration.folder.parent / "brokers" / "own.py"
    head = "    async def submit(self, cleared):\n"
    gone = "        if (self._folder / 'away').exists():\n            raise BrokerUnavailableError('away', 'wait')\n"
    path.write_text(path.read_text(encoding="utf-8").replace(head, head + gone), encoding="utf-8")
    (desk.person.folder / "away").touch()
    session, placed = first_purchases(desk)
    assert placed["unknown"] == len(desk.of(session))
    (desk.person.folder / "away").unlink()
    arming.disarm(BOOK, None, "Ada", desk.settings)
    later = desk.settings.calendar.decision_time(session) + timedelta(minutes=5)
    placed = place_again(desk, session, desk.at(later))
    assert not at_the_broker(desk)
    assert statuses(desk, session) == {OrderStatus.HELD}
    assert placed["held_because"] == [f"book paper is not armed for account main in session {session}"]


@pytest.mark.postgres
def test_purchases_beyond_the_buying_power_of_the_broker_are_denied(desk: Desk) -> None:
    path = desk.settings.configuration.folder.parent / "brokers" / "own.py"
    text = path.read_text(encoding="utf-8")
    assert "max(cash, Decimal(0))" in text
    path.write_text(text.replace("max(cash, Decimal(0))", "Decimal(12000)"), encoding="utf-8")
    session, placed = first_purchases(desk)
    sent = [order for order, status in desk.of(session) if status is OrderStatus.WORKING]
    denied = [order.client_order_id for order, status in desk.of(session) if status is OrderStatus.DENIED]
    assert placed["denied"] == len(denied) > 0
    assert sum(order.expected_notional for order in sent) <= 12000
    for identity in denied:
        (reason,) = [detail for event, *_, detail in desk.orders.events(identity) if event is OrderEvent.DENY]
        assert "and the buying power of its account is" in reason


CALENDAR = exchange_sessions()


@pytest.mark.parametrize(
    ("day", "now", "current"),
    [
        (date(2023, 2, 10), "2023-02-10 21:30", True),
        (date(2023, 2, 10), "2023-02-10 21:29", False),
        (date(2023, 2, 10), "2023-02-13 21:29", True),
        (date(2023, 2, 10), "2023-02-13 21:30", False),
        (date(2023, 2, 9), "2023-02-10 21:30", False),
        (date(2023, 2, 13), "2023-02-10 21:30", False),
        (date(2023, 2, 11), "2023-02-11 21:30", True),
        (date(2023, 2, 11), "2023-02-11 21:29", False),
        (date(2023, 2, 11), "2023-02-12 21:29", True),
        (date(2023, 2, 11), "2023-02-12 21:30", False),
        (date(2023, 2, 12), "2023-02-13 21:30", False),
        (date(2023, 2, 12), "2023-02-13 21:29", True),
    ],
)
def test_a_session_is_current_from_its_decision_to_the_next(day: date, now: str, current: bool) -> None:
    assert is_current(day, CALENDAR, instant(now)) is current


PAPER, LIVE = Account(broker="x", endpoint=Endpoint.PAPER), Account(broker="x", endpoint=Endpoint.LIVE)


@pytest.mark.parametrize(
    ("kind", "account", "allowed"),
    [
        (BookKind.PAPER, PAPER, True),
        (BookKind.PAPER, LIVE, False),
        (BookKind.LIVE, LIVE, True),
        (BookKind.LIVE, PAPER, False),
        (BookKind.DEMO, PAPER, False),
        (BookKind.DEMO, LIVE, False),
        (BookKind.BACKTEST, PAPER, False),
        (BookKind.BACKTEST, LIVE, False),
    ],
)
def test_books_and_endpoints_have_to_agree(kind: BookKind, account: Account, allowed: bool) -> None:
    assert (kind_problem("b", kind, account) == "") is allowed

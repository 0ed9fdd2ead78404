"""Routing: while an account's broker is away its orders wait, or go to the account that takes its place."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders.own_code.broker import BOOK, ROOT, Desk, Person, make_desk
from trading_lib.adapters.stores.orders.routes import OrderRoutes
from trading_lib.domain.book.orders import Order, OrderEvent, OrderStatus
from trading_lib.domain.errors import BrokerUnavailableError, ConfigurationError
from trading_lib.workflows.orders.reconciling import reconcile_book
from trading_lib.workflows.orders.watching import watch
from trading_lib.workflows.setup.configuration import load_configuration

START = date(2021, 1, 4)
ELSEWHERE = """


class Elsewhere(ByHand):
    name = "elsewhere"

    def __init__(self, setting):
        there = {"BY_HAND_FOLDER": setting.environment["ELSEWHERE_FOLDER"], "BY_HAND_CASH": "20000"}
        super().__init__(dataclasses.replace(setting, environment=there))
"""


def orders_of(desk: Desk, session: date) -> list[Order]:
    return [order for order, _ in desk.of(session)]


def until_decided(desk: Desk, *accounts: str) -> date:
    """Trade until a session decides something for funds, with accounts armed; that one's broker may be away."""
    session = START
    while True:
        with suppress(BrokerUnavailableError):
            # It is reconciled in vain while the broker is away.
            desk.trade(session, arm=accounts)
        if any(order.symbol != "BTC-USD" for order, _ in desk.of(session)):
            return session
        session = desk.next_opening(session)


def decision(desk: Desk, session: date) -> Any:
    return desk.settings.calendar.decision_time(session)


@pytest.fixture
def desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "by-hand"))
    monkeypatch.setenv("BY_HAND_CASH", "100000")
    return make_desk(database_url, tmp_path)


@pytest.mark.postgres
def test_while_a_broker_is_away_orders_wait_and_a_look_sends_them_when_it_is_back(desk: Desk) -> None:
    away = desk.person.folder.with_name("away")
    desk.person.folder.rename(away)
    session = until_decided(desk, "main")
    assert {status for _, status in desk.of(session)} == {OrderStatus.INTENDED}
    now = desk.at(decision(desk, session))
    assert not watch(BOOK, now)["done"]
    away.rename(desk.person.folder)
    assert watch(BOOK, now)["books"][BOOK]["sent"] == len(desk.of(session))
    assert {status for _, status in desk.of(session)} == {OrderStatus.WORKING}


@pytest.fixture
def two(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Desk, Path]:
    """Funds at by-hand, coins elsewhere; elsewhere takes the funds' orders while by-hand is away."""
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "by-hand"))
    monkeypatch.setenv("BY_HAND_CASH", "80000")
    monkeypatch.setenv("ELSEWHERE_FOLDER", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    coins = {
        "name": "coins", "broker": "own.py:Elsewhere", "endpoint": "paper", "asset_classes": ["CRYPTO"], "share": 0.2,
    }  # fmt: skip
    made = make_desk(database_url, tmp_path, [coins], asset_classes=["US_ETF"], share=0.8, fallback="coins")
    own = tmp_path / "project" / "include" / "brokers" / "own.py"
    own.write_text("import dataclasses\n" + own.read_text(encoding="utf-8") + ELSEWHERE, encoding="utf-8")
    return made, tmp_path / "elsewhere"


@pytest.mark.postgres
def test_orders_go_to_the_fallback_and_are_found_and_settled_there(
    two: tuple[Desk, Path],
) -> None:
    desk, elsewhere = two
    away = desk.person.folder.with_name("away")
    desk.person.folder.rename(away)
    session = until_decided(desk, "main", "coins")
    funds = [order for order in orders_of(desk, session) if order.symbol != "BTC-USD"]
    routes = OrderRoutes(desk.engine)
    assert {routes.account(order.client_order_id) for order in funds} == {"coins"}
    assert {status for _, status in desk.of(session)} == {OrderStatus.WORKING}
    # What was sent stays where it is, whatever becomes of its own account's broker.
    away.rename(desk.person.folder)
    assert not routes.route(funds[0].client_order_id, "main")
    there = Person.__new__(Person)
    there.__dict__ |= desk.person.__dict__ | {"folder": elsewhere, "_done": set()}
    following = desk.settings.calendar.next(session)
    there.place(following, desk.settings.calendar.open(following))
    settled = desk.trade(following)
    assert settled["settle"]["fills"] == len(desk.of(session))
    assert settled["reconcile"]["differences"] == 0
    assert {fill.broker for fill in desk.orders.fills(BOOK)} == {"elsewhere"}
    # They are compared where they are held and were paid.
    assert settled["reconcile"]["breaks"] == 0
    assert reconcile_book(BOOK, desk.at(desk.settings.calendar.decision_time(following)))["breaks"] == []


@pytest.mark.postgres
def test_a_fallback_that_is_not_armed_takes_nothing(two: tuple[Desk, Path]) -> None:
    desk, elsewhere = two
    desk.person.folder.rename(desk.person.folder.with_name("away"))
    session = until_decided(desk, "main")
    funds = [
        order for order, status in desk.of(session) if order.symbol != "BTC-USD" and status is OrderStatus.INTENDED
    ]
    assert funds == [order for order in orders_of(desk, session) if order.symbol != "BTC-USD"]
    assert not (elsewhere / "orders.csv").exists()


@pytest.mark.postgres
def test_an_order_whose_fate_is_unknown_is_never_rerouted(two: tuple[Desk, Path]) -> None:
    desk, elsewhere = two
    session = until_decided(desk, "main", "coins")
    lost = next(order for order in orders_of(desk, session) if order.symbol != "BTC-USD")
    with desk.engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE orders SET status = 'UNKNOWN' WHERE client_order_id = '{lost.client_order_id}'"
        )
    desk.person.folder.rename(desk.person.folder.with_name("away"))
    before = (elsewhere / "orders.csv").read_text() if (elsewhere / "orders.csv").exists() else ""
    with pytest.raises(BrokerUnavailableError):
        desk.trade(session)
    assert ((elsewhere / "orders.csv").read_text() if (elsewhere / "orders.csv").exists() else "") == before
    assert [event for event, *_ in desk.orders.events(lost.client_order_id)].count(OrderEvent.SUBMIT) == 1
    ((_, status),) = desk.orders.orders(BOOK, identities=[lost.client_order_id])
    assert status is OrderStatus.UNKNOWN


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"fallback": "elsewhere"}, {}, "fallback 'elsewhere' of account stocks is no other account"),
        ({"fallback": "stocks"}, {}, "fallback 'stocks' of account stocks is no other account"),
        ({"fallback": "coins"}, {"endpoint": "live"}, "is at the live endpoint, and the account at the paper one"),
        ({"fallback": "coins"}, {"broker": "paper", "endpoint": None}, "the simulated broker is always there"),
    ],
)
def test_a_fallback_that_cannot_be_one_is_refused(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], words: str
) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    for file in (ROOT / "include" / "config").glob("*.yaml"):
        (folder / file.name).write_text(file.read_text())
    content = yaml.safe_load((folder / "execution.yaml").read_text())
    shared = {"broker": "alpaca", "endpoint": "paper", "share": 0.5}
    content["accounts"] = [
        {"name": "stocks", "asset_classes": ["US_ETF"], **shared, **first},
        {"name": "coins", "asset_classes": ["CRYPTO"], **shared, **second},
    ]
    (folder / "execution.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError, match=words):
        load_configuration(folder, {})

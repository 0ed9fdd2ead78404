"""A broker of a user's own: one file and one line of configuration, traded for some sessions by the daily run."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.builders.own_broker import FILLS, ROOT, make_project
from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.orders import Order, OrderStatus, Side
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.results import StageResult
from trading_lib.workflows.trade.daily import trade_session

pytestmark = pytest.mark.postgres

FIRST, LAST, START = date(2020, 1, 2), date(2021, 2, 26), date(2021, 1, 4)
BOOK = "paper"
Wanted = Callable[[dict[str, str]], bool]


class Person:
    """Whoever places the orders by hand at the opening, and writes down at which price."""

    def __init__(self, folder: Path, prices: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._opening = pd.read_parquet(prices / "prices.parquet").set_index(["symbol", "date"])["open"]
        self._done: set[str] = set()

    def place(self, day: date, opens: datetime, wanted: Wanted = lambda order: True) -> None:
        """Place what waits and is ``wanted`` at the opening of ``day``."""
        path = self.folder / "orders.csv"
        if not path.is_file():
            return
        fills = self.folder / "fills.csv"
        new = not fills.is_file()
        with path.open(newline="") as orders, fills.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(FILLS)
            for order in csv.DictReader(orders):
                identity = order["client_order_id"]
                if identity in self._done or not wanted(order):
                    continue
                self._done.add(identity)
                price = f"{self._opening[order['symbol'], pd.Timestamp(day)]:.4f}"
                writer.writerow((f"T{len(self._done)}", identity, order["quantity"], price, "1.00", opens.isoformat()))


class Desk:
    """A book at the broker by-hand, and what is stored of it."""

    def __init__(self, settings: Settings, prices: Path, person: Person) -> None:
        self._settings, self._prices, self.person = settings, prices, person
        self.engine = settings.engine()
        self.orders, self.state = OrderStore(self.engine), StateStore(self.engine)

    def trade(self, session: date) -> dict[str, StageResult]:
        """Run the tasks of a session at its own end of day."""
        end_of_day = self._settings.calendar.decision_time(session)
        settings = replace(self._settings, clock=lambda: end_of_day)
        plan = market_data.plan(session.isoformat(), "files", str(self._prices), BOOK, settings)
        return trade_session(plan, settings)

    def next_opening(self, session: date, wanted: Wanted = lambda order: True) -> date:
        """Let the opening after ``session`` pass; returns its session."""
        following = self._settings.calendar.next(session)
        self.person.place(following, self._settings.calendar.open(following), wanted)
        return following

    def of(self, session: date) -> list[tuple[Order, OrderStatus]]:
        return self.orders.orders(BOOK, session=session)


@pytest.fixture
def desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return _desk(database_url, tmp_path, monkeypatch)


@pytest.fixture
def mixed_desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose funds are at the broker by-hand, and whose coins are at the simulated one."""
    coins = {"name": "coins", "broker": "paper", "asset_classes": ["CRYPTO"], "share": 0.2}
    return _desk(database_url, tmp_path, monkeypatch, [coins], asset_classes=["US_ETF"], share=0.8)


def _desk(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: Sequence[Any] = (), **account: Any
) -> Desk:
    example = (ROOT / "docs" / "examples" / "by_hand.py").read_text(encoding="utf-8")
    project = make_project(tmp_path / "project", example, "own.py:ByHand", **account)
    path = project / "include" / "config" / "execution.yaml"
    execution = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(execution | {"accounts": [*execution["accounts"], *others]}), encoding="utf-8")
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "by-hand"))
    prices = write_price_folder(tmp_path / "prices", FIRST, LAST)
    base = make_settings(database_url, tmp_path / "home")
    configuration = load_configuration(project / "include" / "config", {})
    settings = Settings(configuration, base.folders, database_url, base.clock)
    plan = market_data.plan(START.isoformat(), "files", str(prices), BOOK, settings)
    fetching.ingest_history(plan, settings, date(2021, 2, 12))
    return Desk(settings, prices, Person(tmp_path / "by-hand", prices))


def test_a_book_trades_and_reconciles_at_a_broker_of_ones_own(desk: Desk) -> None:
    session, sent, filled = START, 0, 0
    while filled < 5:
        result = desk.trade(session)
        assert result["reconcile"]["differences"] == 0
        assert result["place"]["broker"] == "own.py:ByHand"
        sent += int(result["place"]["sent"])
        filled += int(result["settle"]["fills"])
        session = desk.next_opening(session)
    # What was decided before that session has filled, each order once and at the price that was written down.
    fills = desk.orders.fills(BOOK)
    assert {fill.broker for fill in fills} == {"by-hand"}
    assert {fill.commission for fill in fills} == {Decimal(1)}
    assert len({fill.client_order_id for fill in fills}) == len(fills) == filled
    with (desk.person.folder / "orders.csv").open(newline="") as file:
        identities = [row["client_order_id"] for row in csv.DictReader(file)]
    assert len(identities) == len(set(identities)) == sent


def test_the_simulated_broker_fills_nothing_that_waits_at_another_one(mixed_desk: Desk) -> None:
    session, brokers = START, {"BTC-USD": "paper"}
    for _ in range(8):
        mixed_desk.trade(session)
        session = mixed_desk.next_opening(session)
    fills = mixed_desk.orders.fills(BOOK)
    assert {fill.broker for fill in fills} == {"by-hand", "paper"}
    assert all(fill.broker == brokers.get(fill.symbol, "by-hand") for fill in fills)


def test_while_an_order_stays_open_nothing_is_bought(desk: Desk) -> None:
    session = START
    while not any(order.side is Side.BUY for order, _ in desk.of(session)):
        desk.trade(session)
        if not any(order.side is Side.BUY for order, _ in desk.of(session)):
            session = desk.next_opening(session)
    left = next(order for order, _ in desk.of(session) if order.side is Side.BUY)

    def wanted(order: dict[str, str]) -> bool:
        return order["client_order_id"] != left.client_order_id

    for _ in range(4):
        session = desk.next_opening(session, wanted)
        desk.trade(session)
        bought = [order for order, _ in desk.of(session) if order.side is Side.BUY]
        assert bought == []
        portfolio = desk.state.portfolio(BOOK, session)
        assert portfolio is not None
        assert left.symbol not in portfolio.positions
    ((_, status),) = desk.orders.orders(BOOK, identities=[left.client_order_id])
    assert status is OrderStatus.WORKING
    session = desk.next_opening(session)
    desk.trade(session)
    ((_, status),) = desk.orders.orders(BOOK, identities=[left.client_order_id])
    assert status is OrderStatus.FILLED


def test_while_a_sale_stays_open_sales_go_on_and_never_sell_more_than_is_held(desk: Desk) -> None:
    session = START
    while not any(order.side is Side.SELL for order, _ in desk.of(session)):
        desk.trade(session)
        if not any(order.side is Side.SELL for order, _ in desk.of(session)):
            session = desk.next_opening(session)
    left = next(order for order, _ in desk.of(session) if order.side is Side.SELL)

    def wanted(order: dict[str, str]) -> bool:
        return order["client_order_id"] != left.client_order_id

    sold = 0
    while not sold:
        session = desk.next_opening(session, wanted)
        desk.trade(session)
        portfolio = desk.state.portfolio(BOOK, session)
        assert portfolio is not None
        for order, status in desk.of(session):
            assert (order.side, status) == (Side.SELL, OrderStatus.WORKING)
            waiting = left.quantity if order.symbol == left.symbol else 0
            assert order.quantity <= portfolio.positions[order.symbol].quantity - waiting
            sold += 1
    session = desk.next_opening(session)
    assert desk.trade(session)["reconcile"]["differences"] == 0
    ((_, status),) = desk.orders.orders(BOOK, identities=[left.client_order_id])
    assert status is OrderStatus.FILLED

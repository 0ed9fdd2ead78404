"""A project whose one account is at a broker of a user's own, and a book in it: SPY and Bitcoin from 2023-02-10 on."""

from __future__ import annotations

import asyncio
import csv
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from tests.builders.books import book as made_book
from tests.builders.books import order as made_order
from tests.builders.markets import FRIDAY, small_market
from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.orders import Order, OrderEvent, OrderStatus, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.execution.broker import ClearedOrder
from trading_lib.execution.order_path.path import follow
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.market import Market
from trading_lib.workflows.orders.guarding import arming
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.stages.results import StageResult
from trading_lib.workflows.trade.book_run import BookRun, open_book
from trading_lib.workflows.trade.book_turns import BookTurn, book_turn
from trading_lib.workflows.trade.broker_access import broker_of
from trading_lib.workflows.trade.daily import trade_session
from trading_lib.workflows.trade.sending import Sent, order_desk, order_driver, send_orders
from trading_lib.workflows.trade.settlement import settle_book

ROOT = Path(__file__).resolve().parents[3]
BOOK = "paper"
EVENING = datetime(2023, 2, 10, 22, 0, tzinfo=UTC)
FILLS = ("trade_id", "client_order_id", "quantity", "price", "commission", "filled_at")

# What may go wrong at a broker; faults.txt in its folder says what does.
FAULTY = """
import dataclasses


class Faulty(ByHand):
    def _has(self, fault):
        path = self._folder / "faults.txt"
        return path.is_file() and fault in path.read_text().split()

    async def submit(self, cleared):
        with (self._folder / "submitted.txt").open("a") as file:
            file.write(cleared.order.client_order_id + "\\n")
        if self._has("rejects"):
            return Answer(Outcome.REJECTED, reason="account may not trade SPY")
        if self._has("down"):
            raise BrokerUnavailableError("by-hand is away", "try again later")
        answer = await super().submit(cleared)
        if self._has("loses"):
            raise BrokerUnavailableError("by-hand hung up", "try again later")
        if self._has("raises"):
            raise RuntimeError("no answer for key " + os.environ["BROKER_KEY"])
        if self._has("silent"):
            return Answer(Outcome.UNKNOWN)
        return Answer(Outcome.DUPLICATE) if self._has("duplicate") else answer

    async def find(self, client_order_id):
        if self._has("cut-off"):
            raise BrokerUnavailableError("by-hand does not answer", "try again later")
        if self._has("other"):
            found = await super().find(client_order_id)
            return LookUp(Seen.FOUND, dataclasses.replace(found.order, quantity=found.order.quantity + 1))
        if self._has("blind"):
            return LookUp(Seen.NOT_FOUND)
        found = await super().find(client_order_id)
        if self._has("behind"):
            # Its orders know of fills later than its list of fills does.
            order = dataclasses.replace(found.order, status=BrokerStatus.WORKING, filled=Decimal(0))
            return LookUp(Seen.FOUND, order)
        return found

    async def fills_since(self, cursor):
        return Executions((), cursor) if self._has("untold") else await super().fills_since(cursor)
"""


def make_project(folder: Path, source: str = "", broker: str = "own.py:Faulty", **account: Any) -> Path:
    """Write a folder with the shipped configuration, its account at ``broker``; returns the folder."""
    shutil.copytree(ROOT / "include" / "config", folder / "include" / "config")
    (folder / "include" / "strategies").mkdir()
    (folder / "include" / "brokers").mkdir()
    path = folder / "include" / "config" / "execution.yaml"
    execution = yaml.safe_load(path.read_text(encoding="utf-8"))
    execution["accounts"][0] |= {"broker": broker, "endpoint": "paper", **account}
    path.write_text(yaml.safe_dump(execution), encoding="utf-8")
    example = (ROOT / "docs" / "examples" / "by_hand.py").read_text(encoding="utf-8")
    (folder / "include" / "brokers" / "own.py").write_text(source or example + FAULTY, encoding="utf-8")
    return folder


class OwnBroker:
    """A book, what is stored of it, and the folder that is its broker."""

    def __init__(self, database_url: str, project: Path, folder: Path, now: datetime = EVENING) -> None:
        self.folder, self.now = folder, now
        folder.mkdir()
        settings = make_settings(database_url, project / "home")
        folders = replace(settings.folders, project=project)
        configuration = load_configuration(project / "include" / "config", {})
        self.settings = Settings(configuration, folders, database_url, lambda: self.now)
        self.engine = self.settings.engine()
        data = small_market()
        self.market = Market(data.panel, data.factors)
        self.book = made_book(BOOK, opened_session=FRIDAY, initial_cash=Decimal(100_000))
        BookStore(self.engine).open_book(self.book)

    def run(self, session: date = FRIDAY) -> BookRun:
        plan = SessionPlan(session=session, source="files", source_name="files:test", data="prices", book=BOOK)
        return BookRun(self.settings, plan, session, self.book, self.market, self.engine, market_was_given=True)

    def order(self, symbol: str = "SPY", side: Side = Side.BUY, quantity: str = "10", session: date = FRIDAY) -> Order:
        order = made_order(symbol, side, BOOK, session=session, quantity=Decimal(quantity))
        self.run().orders.store_intents([order], self.now)
        return order

    def send(self, session: date = FRIDAY) -> Sent:
        """Send what is stored of a session, as the task `place` does."""
        run = self.run(session)
        with book_turn(run) as turn:
            return asyncio.run(send_orders(turn, run.orders.orders(BOOK, session=session), ClearedOrder))

    def follow(self) -> None:
        """One round of the order path, as those who watch orders do it."""
        run = self.run()
        account = self.settings.configuration.accounts.accounts[0]

        async def round_() -> None:
            with book_turn(run) as turn:
                broker = broker_of(run, account)
                await broker.connect()
                driver = order_driver(turn, account, broker, ClearedOrder)
                desk = order_desk(run, driver.store, [order.client_order_id for order, _ in run.orders.orders(BOOK)])
                await driver.drive(desk, follow(desk))

        asyncio.run(round_())

    def settle(self, portfolio: Portfolio, session: date) -> Portfolio:
        """Settle up to a session at its own end of day."""
        self.now = max(self.now, self.settings.calendar.decision_time(session))
        with book_turn(self.run(session)) as turn:
            return settle_book(BookTurn(turn.run, turn.lock, None), portfolio)

    def faults(self, *faults: str) -> None:
        (self.folder / "faults.txt").write_text(" ".join(faults))

    def submitted(self) -> list[str]:
        """Ids of the orders that the broker was sent, each as often as it was."""
        path = self.folder / "submitted.txt"
        return path.read_text().split() if path.is_file() else []

    def taken(self) -> list[str]:
        """Ids of the orders that the broker has."""
        path = self.folder / "orders.csv"
        if not path.is_file():
            return []
        with path.open(newline="") as file:
            return [row["client_order_id"] for row in csv.DictReader(file)]

    def fill(self, *fills: Sequence[str]) -> None:
        """Write fills down as a person would: trade id, order, quantity, price, commission, time."""
        path = self.folder / "fills.csv"
        new = not path.is_file()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([FILLS, *fills] if new else fills)

    def status(self, order: Order) -> OrderStatus:
        ((_, status),) = self.run().orders.orders(BOOK, identities=[order.client_order_id])
        return status

    def events(self, order: Order) -> list[OrderEvent]:
        return [event for event, *_ in self.run().orders.events(order.client_order_id)]


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
    """A book at the broker by-hand, traded by the daily run, and what is stored of it."""

    def __init__(self, settings: Settings, prices: Path, person: Person) -> None:
        self.settings, self._prices, self.person = settings, prices, person
        self.engine = settings.engine()
        self.orders, self.state = OrderStore(self.engine), StateStore(self.engine)

    def trade(
        self, session: date, arm: Sequence[str] = ("main",), now: datetime | None = None
    ) -> dict[str, StageResult]:
        """Run the tasks of a session at its own end of day, with accounts armed."""
        settings = self.at(now or self.settings.calendar.decision_time(session))
        plan = market_data.plan(session.isoformat(), "files", str(self._prices), BOOK, settings)
        # What arms a book needs the book.
        open_book(plan, settings, self.engine, session)
        for account in arm:
            arming.arm(BOOK, account, session, session, "Ada", settings=settings)
        return trade_session(plan, settings)

    def at(self, now: datetime) -> Settings:
        """Settings whose clock stands still."""
        return replace(self.settings, clock=lambda: now)

    def next_opening(self, session: date, wanted: Wanted = lambda order: True) -> date:
        """Let the opening after ``session`` pass; returns its session."""
        following = self.settings.calendar.next(session)
        self.person.place(following, self.settings.calendar.open(following), wanted)
        return following

    def of(self, session: date) -> list[tuple[Order, OrderStatus]]:
        return self.orders.orders(BOOK, session=session)


def make_desk(database_url: str, folder: Path, others: Sequence[Any] = (), **account: Any) -> Desk:
    """Make a desk on prices from 2020-01-02 to 2021-02-26, ingested up to two weeks before.

    Parameters
    ----------
    folder
        BY_HAND_FOLDER must name the folder ``by-hand`` in it.
    others
        Accounts beside the one at the broker by-hand, which is as ``account`` says.
    """
    example = (ROOT / "docs" / "examples" / "by_hand.py").read_text(encoding="utf-8")
    project = make_project(folder / "project", example, "own.py:ByHand", **account)
    path = project / "include" / "config" / "execution.yaml"
    execution = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(execution | {"accounts": [*execution["accounts"], *others]}), encoding="utf-8")
    prices = write_price_folder(folder / "prices", date(2020, 1, 2), date(2021, 2, 26))
    base = make_settings(database_url, folder / "home")
    configuration = load_configuration(project / "include" / "config", {})
    settings = Settings(configuration, base.folders, database_url, base.clock)
    plan = market_data.plan("2021-01-04", "files", str(prices), BOOK, settings)
    fetching.ingest_history(plan, settings, date(2021, 2, 12))
    return Desk(settings, prices, Person(folder / "by-hand", prices))

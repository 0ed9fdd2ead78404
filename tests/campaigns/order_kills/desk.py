"""A paper book at a broker that is real to it: prices, configuration, and its accounts at the broker simulator."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text

from tests.builders.settings import configured
from tests.campaigns.book_faults.market import FaultMarket, make_market
from tests.campaigns.order_kills.simulator_process import SimulatorProcess
from tests.campaigns.order_kills.virtual_time import TIME
from trading_lib.adapters.broker_simulator.simulator import (
    DEMO_KEY,
    DEMO_SECRET,
    PAPER_KEY,
    PAPER_SECRET,
)
from trading_lib.adapters.brokers.shared.simulator_mount import SIMULATOR_VARIABLE
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.workflows.data.market import Market, market_from_store
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.trade.book_run import BookRun

ALPACA, BINANCE = "alpaca", "binance"
SERVER = "postgres"
CLIENTS = (ALPACA, BINANCE)
KEYS = {
    "ALPACA_API_KEY_ID": PAPER_KEY,
    "ALPACA_API_SECRET_KEY": PAPER_SECRET,
    "BINANCE_API_KEY": DEMO_KEY,
    "BINANCE_API_SECRET": DEMO_SECRET,
}
# The accounts of the simulator that these keys open.
NUMBERS = {ALPACA: "PA3SIMULATED", BINANCE: "354937869"}
# Of the simulator's 100,000 the accounts of a book start with their share.
MONEY, SURPLUS = {ALPACA: "USD", BINANCE: "USDT"}, {ALPACA: "-20000", BINANCE: "-80000"}
# Sessions on which a new book buys funds and bitcoin.
OPENINGS = (date(2021, 1, 6), date(2021, 1, 8), date(2021, 1, 13), date(2021, 1, 21))
PAIR = {"BTC-USD": "BTCUSDT"}
DECIDED, SENT, OPENED = timedelta(minutes=5), time(0, 5), timedelta(minutes=5)


def accounts(client: str) -> list[dict[str, Any]]:
    """Return the accounts of a book whose funds, or whose coins, are at the client's broker."""
    real = client == ALPACA
    stocks: dict[str, Any] = {"name": "stocks", "asset_classes": ["US_ETF"], "share": 0.8, "currency": "USD"}
    coins: dict[str, Any] = {"name": "coins", "asset_classes": ["CRYPTO"], "share": 0.2, "currency": "USD"}
    stocks |= {"broker": "alpaca", "endpoint": "paper"} if real else {"broker": "paper"}
    coins |= (
        {"broker": "paper"} if real else {"broker": "binance", "endpoint": "paper", "currency": "USDT", "as_usd": True}
    )
    return [stocks, coins]


@dataclass
class Desk:
    """Prices in a database, and the configuration of books at one client's broker."""

    client: str
    market: FaultMarket
    home: Path

    @property
    def server(self) -> Path:
        """Folder of the database server."""
        return self.home.parent / SERVER

    def simulator(self, name: str, seed: int, session: date) -> SimulatorProcess:
        """Start a simulator on the eve of a session, and let this process and its children trade at it."""
        at = self.market.settings.calendar.open(session)
        simulator = SimulatorProcess(self.home / f"{name}.ledger", seed, at)
        simulator.post("deposit", account=NUMBERS[self.client], asset=MONEY[self.client], amount=SURPLUS[self.client])
        os.environ |= KEYS | {SIMULATOR_VARIABLE: simulator.address}
        TIME.now, TIME.address = at, simulator.address
        return simulator

    @property
    def account(self) -> str:
        """The account that is at the client's broker."""
        return "stocks" if self.client == ALPACA else "coins"

    @property
    def symbols(self) -> list[str]:
        """What is traded in the client's account."""
        wanted = AssetClass.US_ETF if self.client == ALPACA else AssetClass.CRYPTO
        universe = self.market.settings.configuration.universe
        return [instrument.symbol for instrument in universe if instrument.asset_class is wanted]

    def is_ours(self, client_order_id: str) -> bool:
        """Whether an order is one of the client's account, by its id."""
        return ("-BTCUSD-" in client_order_id) == (self.client == BINANCE)

    def forget_books(self) -> None:
        """Delete every book, and all that is stored of it."""
        with self.market.engine.begin() as connection:
            connection.execute(text("TRUNCATE books CASCADE"))

    def run(self, session: date, book: str) -> BookRun:
        """Open a run of the book as a task does."""
        return self.market.run(session, book)

    def decided_at(self, session: date) -> datetime:
        """When the day's tasks run."""
        return self.market.settings.calendar.decision_time(session) + DECIDED

    def sent_at(self, session: date) -> datetime:
        """When orders are sent: in the window before the next opening of New York, on the next day of UTC."""
        return datetime.combine(session + timedelta(days=1), SENT, tzinfo=UTC)

    def opened_at(self, session: date) -> datetime:
        """A moment after the opening of a session."""
        return self.market.settings.calendar.open(session) + OPENED

    def next(self, session: date) -> date:
        """Return the session after one."""
        return self.market.settings.calendar.next(session)

    def prices(self, session: date) -> dict[str, str]:
        """Symbol at the broker -> opening price of a session."""
        panel = self._market(session).panel
        row = int(np.searchsorted(panel.sessions, np.datetime64(session)))
        opening = {symbol: float(price) for symbol, price in zip(panel.symbols, panel.fill_open[row], strict=True)}
        # To the cent, as the brokers quote.
        return {PAIR.get(symbol, symbol): f"{price:.2f}" for symbol, price in opening.items() if price > 0}

    def _market(self, session: date) -> Market:
        market = self.market
        if session not in market.shared:
            settings, store = market.settings, market_store(market.settings, market.engine)
            universe, calendar = settings.configuration.universe, settings.calendar
            market.shared[session] = market_from_store(store, market.source, universe, calendar, session)
        return market.shared[session]


def make_desks(database_url: str, folder: Path) -> dict[str, Desk]:
    """Ingest the prices once, and return a desk for each client; the server of the database is in the same folder."""
    home = folder / "home"
    base = make_market(database_url, home)
    desks = {}
    for client in CLIENTS:
        folder = home / client / "include" / "config"
        folder.mkdir(parents=True)
        configuration = load_configuration(configured(folder, accounts(client)), {})
        settings = replace(base.settings, configuration=configuration, clock=TIME)
        desks[client] = Desk(client, replace(base, settings=settings, clock=TIME, shared={}), home)
    return desks

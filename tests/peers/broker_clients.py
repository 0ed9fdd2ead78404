"""The broker simulator with the brokers' own clients on it, over a socket or in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ccxt
import requests
from alpaca.trading.client import TradingClient

from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.server import serve
from trading_lib.adapters.broker_simulator.simulator import (
    BINANCE_KEY,
    BINANCE_SECRET,
    PAPER_KEY,
    PAPER_SECRET,
    Simulator,
)
from trading_lib.adapters.broker_simulator.transport import in_process, mount

# A Tuesday at eleven in New York, and the evening before, when orders for the opening are taken.
OPEN_HOURS = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
EVENING_BEFORE = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
Mount = Callable[[requests.Session], None]


@dataclass
class Clients:
    """A simulator, and how clients reach it."""

    simulator: Simulator
    mount: Mount

    def alpaca(self, key: str = PAPER_KEY, secret: str = PAPER_SECRET, paper: bool = True) -> TradingClient:
        client = TradingClient(key, secret, paper=paper, raw_data=True)
        client._retry_codes = []
        self.mount(client._session)
        return client

    def binance(self, key: str = BINANCE_KEY, secret: str = BINANCE_SECRET, **options: Any) -> Any:
        client = ccxt.binance({"apiKey": key, "secret": secret, "enableRateLimit": False, "options": options})
        client.options["fetchMarkets"] = {"types": ["spot"]}
        # The signature's timestamp is of the simulated time.
        client.nonce = lambda: int(self.simulator.clock.now().timestamp() * 1000)
        self.mount(client.session)
        return client


@contextmanager
def served(simulator: Simulator) -> Iterator[str]:
    """Serve a simulator in a thread; yields its address."""
    addresses: list[str] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()

    def tell(address: str) -> None:
        addresses.append(address)
        started.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    task = loop.create_task(serve(simulator, 0, tell))
    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(10), "the server did not start"
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def clients(transport: str, at: datetime = OPEN_HOURS, seed: int = 1, **settings: Any) -> Iterator[Clients]:
    """Yield clients of a new simulator over ``loopback`` or ``in-process``; its clock stands."""
    simulator = Simulator(seed, clock=Clock(at), **settings)
    if transport == "in-process":
        yield Clients(simulator, lambda session: in_process(session, simulator))
        return
    with served(simulator) as address:
        yield Clients(simulator, lambda session: mount(session, address))

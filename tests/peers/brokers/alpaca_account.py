"""Alpaca's adapter on the broker simulator in this process, at a simulated time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from tests.builders.books import order as stored_order
from trading_lib.adapters.broker_simulator.ledger.records import ALPACA, Account
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.market.hours import next_session
from trading_lib.adapters.broker_simulator.simulator import PAPER_KEY, PAPER_SECRET, Simulator
from trading_lib.adapters.broker_simulator.transport import in_process
from trading_lib.adapters.brokers.alpaca.broker import AlpacaBroker
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.domain.book.orders import Order, Side
from trading_lib.domain.market.instruments import AssetClass, Instrument
from trading_lib.execution.broker import Answer, Broker, BrokerSetting, ClearedOrder

# Monday evening, 19:30 in New York: orders for Tuesday's opening are taken.
EVENING = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
KEYS = {"ALPACA_API_KEY_ID": PAPER_KEY, "ALPACA_API_SECRET_KEY": PAPER_SECRET}
# Alpaca refuses orders of both sides of one asset that are open together.
BOUGHT_LATER = ("QQQ", "IWM", "GLD", "TLT")


async def no_pause(seconds: float) -> None:
    """Go on at once."""


class AlpacaAccount:
    """An account of a new simulator, its clock and the adapter; a `BrokerHarness`.

    Parameters
    ----------
    session
        Makes the adapter's HTTP sessions.
    """

    def __init__(
        self,
        session: Callable[[], BoundedSession] = BoundedSession,
        endpoint: str = "paper",
        account: str = "",
        environment: Mapping[str, str] = KEYS,
        instruments: tuple[Instrument, ...] = (),
    ) -> None:
        self.clock = Clock(EVENING)
        self.simulator = Simulator(seed=7, clock=self.clock)
        self._session = session
        self.setting = BrokerSetting(account, environment, endpoint, instruments)
        self._numbers = count()
        self.restart()

    @property
    def broker(self) -> Broker:
        return self.adapter

    @property
    def booked(self) -> Account:
        """The account in the simulator's books."""
        return self.simulator.account_of(ALPACA, self.setting.endpoint)

    def restart(self) -> None:
        self.adapter = self.made()

    def made(self, **options: Any) -> AlpacaBroker:
        """Return a new adapter of the account."""
        return AlpacaBroker(self.setting, session=self.mounted, pause=no_pause, **options)

    def mounted(self) -> BoundedSession:
        """Return a session that reaches the simulator."""
        session = self._session()
        in_process(session, self.simulator)
        return session

    def order(self, asset_class: AssetClass, side: Side = Side.BUY) -> Order:
        number = next(self._numbers)
        symbol = BOUGHT_LATER[number % len(BOUGHT_LATER)] if side is Side.BUY and number else "SPY"
        return stored_order(symbol, side, "paper", number, quantity=Decimal(10))

    def price(self, symbol: str) -> Decimal:
        return self.simulator.exchange.price(symbol)

    def intend(self, order: Order) -> ClearedOrder:
        return ClearedOrder(order)

    def note(self, order: Order, answer: Answer) -> None:
        """Nothing is stored here."""

    def note_cancelled(self, order: Order) -> None:
        """Nothing is stored here."""

    def opening(self) -> None:
        self.clock.stand(next_session(self.clock.now()).opens + timedelta(minutes=1))

    def end_of_day(self) -> None:
        at = self.clock.now()
        # Before an evening's first order the clock stands at it already.
        self.clock.stand(at.replace(hour=0, minute=30) + timedelta(days=1 if at.hour else 0))

    def waiting_with(self, wait: Callable[[], Awaitable[object]]) -> Broker:
        return self.made(wait=wait)

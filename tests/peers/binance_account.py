"""An account at the broker simulator's Binance, the adapter on it through the real ccxt, and faults on the way.

The adapter keeps its production URLs; what happens on the way is decided per request by `Way`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import count
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.response import HTTPResponse

from tests.builders.prices import universe
from trading_lib.adapters.broker_simulator.ledger.records import BINANCE
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.simulator import (
    BINANCE_KEY,
    BINANCE_SECRET,
    DEMO_KEY,
    DEMO_SECRET,
    Simulator,
)
from trading_lib.adapters.broker_simulator.transport import InProcessAdapter
from trading_lib.adapters.brokers.binance.access.client import Surroundings
from trading_lib.adapters.brokers.binance.broker import BinanceBroker
from trading_lib.domain.book.orders import Order, OrderPurpose, OrderType, Side, TimeInForce, client_order_id
from trading_lib.domain.market.instruments import AssetClass, Instrument
from trading_lib.execution.broker import Answer, Broker, BrokerSetting, ClearedOrder

# Just after the opening of a UTC day.
OPENING = datetime(2026, 11, 24, 0, 5, tzinfo=UTC)
SESSION = date(2026, 11, 23)
NUMBER = "354937868"
BITCOIN = next(instrument for instrument in universe() if instrument.symbol == "BTC-USD")
ETHER = replace(BITCOIN, symbol="ETH-USD", name="Ether", lot_size=Decimal("0.001"))


@dataclass(frozen=True)
class Said:
    """An answer that is none of the simulator's."""

    status: int
    body: str | bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Happening = Said | Exception
# Of the simulator's answer: what becomes of it on its way back.
Spoil = Callable[[bytes], Happening]


@dataclass
class Way(HTTPAdapter):
    """The way to the simulator, on which things happen.

    Attributes
    ----------
    instead
        (method, end of the path) -> happenings, each for one request that then does not arrive.
    after
        The same for requests that arrive: what the client gets instead of the answer.
    fates
        What happens to the next requests, whatever they ask: None is nothing.
    seen
        Requests that were sent, as (method, path, text of the parameters).
    """

    simulator: Simulator
    instead: dict[tuple[str, str], list[Happening]] = field(default_factory=dict)
    after: dict[tuple[str, str], list[Spoil]] = field(default_factory=dict)
    fates: list[Happening | Spoil | None] = field(default_factory=list)
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTTPAdapter.__init__(self)
        self._far = InProcessAdapter(self.simulator)

    def __hash__(self) -> int:
        return id(self)

    def send(self, request: requests.PreparedRequest, *positional: Any, **named: Any) -> requests.Response:
        method, url = str(request.method), str(request.url)
        path, _, query = url.partition("?")
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
        self.seen.append((method, path, query or body))
        place = (method, path.rpartition("/")[2])
        fate = self.fates.pop(0) if self.fates else None
        if isinstance(fate, Said | Exception):
            return self._happen(request, fate)
        if self.instead.get(place):
            return self._happen(request, self.instead[place].pop(0))
        response = self._far.send(request, *positional, **named)
        spoil = fate or (self.after[place].pop(0) if self.after.get(place) else None)
        return response if spoil is None else self._happen(request, spoil(response.content))

    def sent(self, method: str, end: str) -> list[str]:
        """Parameters of the requests of a kind."""
        return [text for used, path, text in self.seen if used == method and path.endswith(end)]

    def _happen(self, request: requests.PreparedRequest, happening: Happening) -> requests.Response:
        if isinstance(happening, Exception):
            raise happening
        content = happening.body.encode() if isinstance(happening.body, str) else happening.body
        raw = HTTPResponse(
            BytesIO(content), headers=dict(happening.headers), status=happening.status, preload_content=False
        )
        return self.build_response(request, raw)


async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what blocks in this thread: nothing blocks here."""
    return function(*arguments)


class BinanceAccount:
    """A simulated account and the adapter on it, whose orders rest until `opening`.

    Parameters
    ----------
    settings
        Of the simulated account, such as the coin in which fees are taken.
    """

    def __init__(
        self,
        instruments: tuple[Instrument, ...] = (BITCOIN,),
        endpoint: str = "live",
        account: str = "",
        resting: bool = True,
        **settings: Any,
    ) -> None:
        self.simulator = Simulator(1, clock=Clock(OPENING))
        self.instruments, self.endpoint, self._account = instruments, endpoint, account
        self.resting = resting
        key, secret = (BINANCE_KEY, BINANCE_SECRET) if endpoint == "live" else (DEMO_KEY, DEMO_SECRET)
        self.environment = {"BINANCE_API_KEY": key, "BINANCE_API_SECRET": secret}
        if settings:
            self.environment = {"BINANCE_API_KEY": "OWN-KEY-OF-TEST", "BINANCE_API_SECRET": "own-secret-of-test"}
            deposit = {"USDT": Decimal(100_000), "BNB": Decimal(10)}
            self.simulator.add_account(
                BINANCE, endpoint, "777", *self.environment.values(), settings=settings, deposit=deposit
            )
        self.slept: list[float] = []
        self._monotonic = 0.0
        self._numbers = count()
        self.way = Way(self.simulator)
        if resting:
            self.simulator.exchange.halted |= {"BTCUSDT", "ETHUSDT"}
        # By how much this machine's clock is ahead.
        self.ahead = timedelta(0)
        self.restart()

    @property
    def broker(self) -> BinanceBroker:
        return self._broker

    def order(self, asset_class: AssetClass = AssetClass.CRYPTO, side: Side = Side.BUY, **changes: Any) -> Order:
        """Return an order that was not made before; STOP and LIMIT wait until they are cancelled."""
        symbol = changes.pop("symbol", "BTC-USD")
        made = Order(
            client_order_id("paper", SESSION, symbol, side, next(self._numbers)),
            "paper", SESSION, symbol, side, Decimal("0.1"), Decimal(91_000), Decimal(0), 0.1, OrderPurpose.REBALANCE,
            "",
        )  # fmt: skip
        if changes.get("order_type", OrderType.MARKET) is not OrderType.MARKET:
            changes.setdefault("time_in_force", TimeInForce.UNTIL_CANCELLED)
        return replace(made, **changes)

    def intend(self, order: Order) -> ClearedOrder:
        return ClearedOrder(order)

    def note(self, order: Order, answer: Answer) -> None:
        """Nothing is stored here."""

    def note_cancelled(self, order: Order) -> None:
        """Nothing is stored here."""

    def opening(self) -> None:
        self.simulator.pass_time(86_400)
        self.simulator.exchange.halted.clear()
        self.simulator.exchange.match_all()
        if self.resting:
            self.simulator.exchange.halted |= {"BTCUSDT", "ETHUSDT"}

    def end_of_day(self) -> None:
        """The account is booked by the exchange."""

    def restart(self) -> None:
        self._broker = self.made()

    def made(self, **named: Any) -> BinanceBroker:
        setting = BrokerSetting(self._account, self.environment, self.endpoint, self.instruments)
        surroundings = Surroundings(
            clock=lambda: self.simulator.clock.now() + self.ahead,
            monotonic=lambda: self._monotonic,
            sleep=self._sleep,
            in_thread=at_once,
            mount=lambda session: session.mount("https://", self.way),
        )
        return BinanceBroker(setting, surroundings=surroundings, **named)

    def waiting_with(self, wait: Callable[[], Awaitable[object]]) -> Broker:
        return self.made(wait=wait)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._monotonic += seconds
        self.simulator.pass_time(seconds)

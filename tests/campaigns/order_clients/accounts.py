"""The adapters with the brokers' own clients, in this process: a simulator answers, and pauses pass on its clock.

Input: a simulator. Output: an adapter, as often as a process begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.builders.prices import universe
from trading_lib.adapters.broker_simulator.simulator import (
    DEMO_KEY,
    DEMO_SECRET,
    PAPER_KEY,
    PAPER_SECRET,
    Simulator,
)
from trading_lib.adapters.broker_simulator.transport import in_process
from trading_lib.adapters.brokers.alpaca.broker import AlpacaBroker
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.adapters.brokers.binance.access.client import Surroundings
from trading_lib.adapters.brokers.binance.broker import BinanceBroker
from trading_lib.domain.book.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.execution.broker import Broker, BrokerSetting

ALPACA, BINANCE = "alpaca", "binance"
CLIENTS = (ALPACA, BINANCE)
NUMBERS = {ALPACA: "PA3SIMULATED", BINANCE: "354937869"}
KEYS = {
    "ALPACA_API_KEY_ID": PAPER_KEY,
    "ALPACA_API_SECRET_KEY": PAPER_SECRET,
    "BINANCE_API_KEY": DEMO_KEY,
    "BINANCE_API_SECRET": DEMO_SECRET,
}
# Orders of a session on its evening: in the window for the next opening, and on the next day of UTC.
SESSION = date(2026, 11, 23)
EVENING = datetime(2026, 11, 24, 0, 5, tzinfo=UTC)
OPENED = datetime(2026, 11, 24, 14, 30, tzinfo=UTC) + timedelta(minutes=1)
BITCOIN = universe()["BTC-USD"]
ETHER = replace(BITCOIN, symbol="ETH-USD", name="Ether")
TRADED = {ALPACA: tuple(universe()[symbol] for symbol in ("SPY", "QQQ", "TLT")), BINANCE: (BITCOIN, ETHER)}
QUANTITIES = {ALPACA: Decimal(10), BINANCE: Decimal("0.05")}


def orders_of(client: str) -> list[Order]:
    """Return the orders of every history at a client's broker; a history takes the first few."""
    quantity = QUANTITIES[client]
    return [
        Order(
            client_order_id(client, SESSION, instrument.symbol, Side.BUY),
            client,
            SESSION,
            instrument.symbol,
            Side.BUY,
            quantity,
            Decimal(100),
            Decimal(0),
            0.1,
            OrderPurpose.REBALANCE,
            "a history",
        )
        for instrument in TRADED[client]
    ]


def adapter(client: str, simulator: Simulator) -> Broker:
    """Return a new adapter of the account."""
    setting = BrokerSetting(NUMBERS[client], KEYS, "paper", TRADED[client], simulator.clock.now)

    async def sleep(seconds: float) -> None:
        simulator.pass_time(seconds)

    async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
        return work(*arguments)

    if client == BINANCE:
        outside = Surroundings(
            simulator.clock.now,
            lambda: simulator.clock.now().timestamp(),
            sleep,
            in_thread,
            lambda session: in_process(session, simulator),
        )
        return BinanceBroker(setting, surroundings=outside)

    def mounted() -> BoundedSession:
        session = BoundedSession()
        in_process(session, simulator)
        return session

    return AlpacaBroker(setting, session=mounted, pause=sleep)

"""The time of a trial: one clock for the books, the real clients and the simulator. Nobody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import cast
from unittest.mock import patch

from tests.campaigns.order_kills.simulator_process import control
from trading_lib.adapters.brokers.alpaca.broker import AlpacaBroker
from trading_lib.adapters.brokers.binance.access.client import Surroundings
from trading_lib.adapters.brokers.binance.broker import BinanceBroker
from trading_lib.adapters.brokers.registry import BROKERS
from trading_lib.execution.broker import BrokerSetting


class VirtualTime:
    """A clock that passes when somebody waits by it; the simulator's, where there is one, passes with it."""

    def __init__(self) -> None:
        self.now = datetime(2021, 1, 4, tzinfo=UTC)
        self.address = ""

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        """Seconds, to measure waiting by."""
        return self.now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Let the time pass, here and at the simulator."""
        self.now += timedelta(seconds=max(0.0, seconds))
        if self.address and seconds > 0:
            control(self.address, "clock", {"advance": seconds})


# One for each process: kills are of processes, and each gets the time that its parent had.
TIME = VirtualTime()


class PunctualAlpaca(AlpacaBroker):
    """Alpaca's adapter, whose pauses pass on the virtual clock."""

    def __init__(self, setting: BrokerSetting) -> None:
        super().__init__(setting, pause=TIME.sleep)


class PunctualBinance(BinanceBroker):
    """Binance's adapter on the virtual clock."""

    def __init__(self, setting: BrokerSetting) -> None:
        super().__init__(setting, surroundings=Surroundings(TIME, TIME.monotonic, TIME.sleep))


@contextmanager
def virtual_time() -> Iterator[None]:
    """Let every broker of this process, and of those forked from it, live on the virtual clock meanwhile."""
    # Loaded once, and not by every process that is forked from this one.
    import_module("alpaca.trading.client"), import_module("ccxt")
    punctual = {"alpaca": f"{__name__}:PunctualAlpaca", "binance": f"{__name__}:PunctualBinance"}
    with patch.dict(cast(dict[str, str], BROKERS), punctual):
        yield

"""A subscription over sockets, on the simulator's REST and stream: the stream hurries it, and nothing depends on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest

from tests.builders.books import order
from tests.peers.broker_clients import OPEN_HOURS, served
from tests.peers.brokers.alpaca_account import KEYS, no_pause
from trading_lib.adapters.broker_simulator.faults.script import read_script
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.simulator import PAPER_KEY, Simulator
from trading_lib.adapters.brokers.alpaca.broker import AlpacaBroker
from trading_lib.adapters.brokers.alpaca.connection.keys import KeyRefusedError
from trading_lib.adapters.brokers.shared.simulator_mount import SIMULATOR_VARIABLE
from trading_lib.domain.book.orders import TimeInForce
from trading_lib.execution.broker import BrokerSetting, ClearedOrder, Execution, Outcome

# No test may take as long: one that waits for the next question in place of the stream fails.
NEVER = 20.0


class Subscription:
    """Fills that a subscription has told so far."""

    def __init__(self, broker: AlpacaBroker) -> None:
        self.broker = broker
        self.told: list[Execution] = []
        self._news = asyncio.Event()
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for fill in self.broker.subscribe(""):
            self.told.append(fill)
            self._news.set()

    async def until(self, count: int) -> None:
        while len(self.told) < count:
            self._news.clear()
            await self._news.wait()


class Served:
    """A simulator over sockets, in open hours, and adapters of its paper account."""

    def __init__(self, simulator: Simulator, address: str) -> None:
        self.simulator = simulator
        self._setting = BrokerSetting("", {**KEYS, SIMULATOR_VARIABLE: address}, "paper")
        self._number = 0

    def broker(self, poll: float) -> AlpacaBroker:
        broker = AlpacaBroker(self._setting, pause=no_pause)
        broker.poll_seconds = poll
        return broker

    async def buys(self, broker: AlpacaBroker) -> str:
        """Buy a share, which is filled at once."""
        self._number += 1
        sent = order(slice_number=self._number, quantity=Decimal(1), time_in_force=TimeInForce.DAY)
        answer = await broker.submit(ClearedOrder(sent))
        assert answer.outcome is Outcome.ACCEPTED, answer
        return sent.client_order_id

    async def streams(self) -> None:
        """Wait until somebody listens to the stream."""
        while not any(one.listens for one in self.simulator.updates._connections):
            await asyncio.sleep(0.005)


@pytest.fixture
def alpaca() -> Iterator[Served]:
    simulator = Simulator(3, clock=Clock(OPEN_HOURS))
    with served(simulator) as address:
        yield Served(simulator, address)


@asynccontextmanager
async def subscribed(alpaca: Served, poll: float) -> AsyncIterator[Subscription]:
    subscription = Subscription(alpaca.broker(poll))
    try:
        yield subscription
    finally:
        subscription.task.cancel()
        with suppress(asyncio.CancelledError, KeyRefusedError):
            await subscription.task


def in_time(test: Callable[[], Awaitable[Any]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(NEVER):
            await test()

    asyncio.run(limited())


def test_the_stream_hurries_a_fill_long_before_the_next_question(alpaca: Served) -> None:
    async def test() -> None:
        async with subscribed(alpaca, poll=10 * NEVER) as subscription:
            await alpaca.streams()
            sent = [await alpaca.buys(subscription.broker) for _ in range(3)]
            await subscription.until(3)
            assert sorted(fill.client_order_id for fill in subscription.told) == sorted(sent)

    in_time(test)


@pytest.mark.parametrize("fault", ["stream_drop", "stream_duplicate", "stream_reorder", "stream_disconnect"])
def test_whatever_becomes_of_events_each_fill_is_told_once(alpaca: Served, fault: str) -> None:
    alpaca.simulator.use_script(read_script([{"do": fault}], "test"))

    async def test() -> None:
        async with subscribed(alpaca, poll=0.02) as subscription:
            await alpaca.streams()
            sent = [await alpaca.buys(subscription.broker) for _ in range(4)]
            await subscription.until(4)
            assert sorted(fill.client_order_id for fill in subscription.told) == sorted(sent)

    in_time(test)


def test_without_the_stream_which_another_connection_holds_fills_are_told_by_asking(alpaca: Served) -> None:
    async def test() -> None:
        async with subscribed(alpaca, poll=0.02) as first:
            await alpaca.streams()
            async with subscribed(alpaca, poll=0.02) as second:
                await alpaca.buys(first.broker)
                await second.until(1)
                assert not second.task.done()

    in_time(test)


def test_a_key_that_expires_ends_it_with_one_error_that_names_the_key(alpaca: Served) -> None:
    async def test() -> None:
        async with subscribed(alpaca, poll=0.02) as subscription:
            await alpaca.streams()
            await alpaca.buys(subscription.broker)
            await subscription.until(1)
            del alpaca.simulator.keys[PAPER_KEY]
            with pytest.raises(KeyRefusedError, match="ALPACA_API_KEY_ID at its paper endpoint"):
                await subscription.task
            answer = await subscription.broker.submit(ClearedOrder(order(slice_number=99)))
            assert answer.outcome is Outcome.UNKNOWN
            assert "ALPACA_API_KEY_ID" in answer.reason

    in_time(test)

"""alpaca-py's TradingStream against the simulator: what it receives, and what faults take from it."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from alpaca.trading.models import TradeUpdate

from tests.peers.broker_clients import OPEN_HOURS, Clients, served
from trading_lib.adapters.broker_simulator.alpaca.stream import TradeUpdates
from trading_lib.adapters.broker_simulator.faults.script import read_script
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.simulator import PAPER_KEY, PAPER_SECRET, Simulator
from trading_lib.adapters.broker_simulator.transport import mount, stream_address

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.trading.stream import TradingStream

ORDER = {"symbol": "SPY", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}


class Listening:
    """A TradingStream in a thread, and what it received."""

    def __init__(self, address: str, secret: str = PAPER_SECRET) -> None:
        self.received: list[dict[str, Any]] = []
        self.stream = TradingStream(PAPER_KEY, secret, raw_data=True, url_override=stream_address(address))
        self.stream._reconnect_min_backoff = 0.05
        self.stream.subscribe_trade_updates(self._take)
        self.thread = threading.Thread(target=self.stream.run)

    async def _take(self, message: dict[str, Any]) -> None:
        self.received.append(message["data"])

    def events(self) -> list[str]:
        return [each["event"] for each in self.received]


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for another thread, ten seconds at most."""
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.005)


def listens(updates: TradeUpdates) -> bool:
    return any(each.listens for each in updates._connections)


@contextmanager
def listening(*rules: dict[str, Any]) -> Iterator[tuple[Clients, Listening]]:
    simulator = Simulator(1, clock=Clock(OPEN_HOURS), script=read_script(list(rules), "test"))
    with served(simulator) as address:
        listener = Listening(address)
        listener.thread.start()
        until(lambda: listens(simulator.updates), "the stream did not connect")
        try:
            yield Clients(simulator, lambda session: mount(session, address)), listener
        finally:
            loop = listener.stream._loop
            assert loop is not None
            asyncio.run_coroutine_threadsafe(listener.stream.stop_ws(), loop).result(5)
            # Without it the client waits out its five seconds for a message.
            simulator.updates.close_all()
            listener.thread.join(10)
            assert not listener.thread.is_alive()


def test_an_orders_events_come_in_their_order_with_its_fill() -> None:
    with listening() as (made, listener):
        made.alpaca().post("/orders", {**ORDER, "client_order_id": "one"})
        until(lambda: "fill" in listener.events(), "no fill came")
        assert listener.events() == ["pending_new", "new", "fill"]
        fill = listener.received[-1]
        (execution,) = made.simulator.judge().executions()
        assert (fill["execution_id"], fill["qty"], fill["position_qty"]) == (execution["id"], "3", "3")
        assert [TradeUpdate(**each).event for each in listener.received] == ["pending_new", "new", "fill"]
        assert (fill["order"]["client_order_id"], fill["order"]["status"]) == ("one", "filled")


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        ({"do": "stream_drop", "event": "fill"}, ["pending_new", "new", "pending_new", "new"]),
        ({"do": "stream_duplicate", "event": "fill", "nth": 1}, ["fill", "fill", "pending_new", "new", "fill"]),
        ({"do": "stream_reorder", "event": "new", "nth": 1}, ["pending_new", "fill", "new"]),
    ],
)
def test_events_can_be_dropped_doubled_and_out_of_order(rule: dict[str, Any], seen: list[str]) -> None:
    with listening(rule) as (made, listener):
        client = made.alpaca()
        client.post("/orders", ORDER)
        client.post("/orders", ORDER)
        until(lambda: len(listener.received) >= (4 if rule["do"] == "stream_drop" else 6), "too few events")
        assert f",{','.join(seen)}," in f",{','.join(listener.events())},"
        # Whatever the stream says, the broker has both.
        assert len(made.simulator.judge().executions()) == 2


def test_after_a_disconnect_the_client_comes_back_and_misses_what_happened_meanwhile() -> None:
    with listening({"do": "stream_disconnect", "event": "fill", "nth": 1}) as (made, listener):
        client, simulator = made.alpaca(), made.simulator
        client.post("/orders", ORDER)
        until(lambda: "new" in listener.events(), "no event came")
        until(lambda: listens(simulator.updates), "the stream did not come back")
        client.post("/orders", ORDER)
        until(lambda: "fill" in listener.events(), "no event after coming back")
        assert listener.events().count("fill") == 1
        assert len(simulator.judge().executions()) == 2


def test_another_secret_and_a_second_connection_of_a_key_are_not_authorized() -> None:
    simulator = Simulator(1, clock=Clock(OPEN_HOURS))
    answers: list[bytes] = []

    def connect(secret: str) -> bytes:
        listener = simulator.updates.connect(lambda frame: answers.append(frame or b"closed"))
        data = f'{{"key_id":"{PAPER_KEY}","secret_key":"{secret}"}}'
        simulator.updates.receive(listener, f'{{"action":"authenticate","data":{data}}}')
        return answers[-1]

    assert b'"unauthorized"' in connect("another")
    assert b'"authorized"' in connect(PAPER_SECRET)
    assert b'"unauthorized"' in connect(PAPER_SECRET)

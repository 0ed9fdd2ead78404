"""One history: the order path on a broker's own client and a simulator that fails, under virtual time, from one seed.

Processes stop at any request, before or after it was carried out, and begin anew; half of the time two work on the same
orders. Nothing waits, and the same seed gives the same history, byte for byte.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any

from tests.campaigns.order_clients.accounts import ALPACA, EVENING, OPENED, adapter, orders_of
from trading_lib.adapters.broker_simulator.faults.script import read_script
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.simulator import Simulator
from trading_lib.adapters.stores.orders.order_batches import OrderBatches
from trading_lib.domain.book.orders import OrderStatus
from trading_lib.execution.broker import Broker, ClearedOrder
from trading_lib.execution.order_path import requests
from trading_lib.execution.order_path.desk import Desk
from trading_lib.execution.order_path.path import sweep
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.simulation.model_store import ModelStore
from trading_lib.execution.simulation.process import Process
from trading_lib.workflows.orders.order_driver import OrderDriver

LONGEST_SKEW = 1.0
MOST_RUNS, MOST_CRASHES = 60, 4
LATEST = timedelta(hours=6)
UNSENT = (OrderStatus.INTENDED, OrderStatus.UNKNOWN, OrderStatus.ABSENT)
# Fault -> how likely it strikes a request, in a history in which it strikes at all.
CHANCES = {
    "accept_then_drop": 0.12,
    "accept_then_504": 0.06,
    "drop_before": 0.08,
    "unreachable": 0.04,
    "late": 0.08,
    "status": 0.06,
    "code": 0.06,
    "delay": 0.05,
    "truncated_body": 0.05,
    "cut_body": 0.03,
    "empty_body": 0.03,
    "html_body": 0.03,
    "unknown_status": 0.03,
    "invisible": 0.15,
    "partial": 0.2,
    "slow_cancel": 0.2,
    "fill_on_cancel": 0.2,
}
# A broker that takes orders, and neither answers nor shows them for a while.
HIDING = {"accept_then_drop": 0.4, "invisible": 0.8}
# Late and then invisible, an order shows up within the window.
LONGEST_FAULT, LONGEST_HIDDEN = 35.0, 75.0


class ClientHistory:
    """One history at one client's broker.

    Attributes
    ----------
    events, crashes
        How many requests were answered, and how many processes stopped.
    trace
        What happened, in words; `digest` is of it.
    """

    def __init__(self, seed: int, client: str, loop: asyncio.AbstractEventLoop, policy: SendingPolicy) -> None:
        self.client, self._loop = client, loop
        self.random = random = Random(f"{seed}/{client}")
        self.simulator = Simulator(seed, None, Clock(EVENING))
        strike = {name: chance for name, chance in CHANCES.items() if random.random() < 0.5}
        hides = random.random() < 0.4
        chances = {"chances": HIDING if hides else strike, "seconds": LONGEST_HIDDEN if hides else LONGEST_FAULT}
        self.simulator.use_script(read_script({"seed": seed, "random": chances}, "history"))
        chosen = orders_of(client)
        chosen = chosen[: 1 + int(random.random() * len(chosen))]
        self.identities = tuple(order.client_order_id for order in chosen)
        self.store, self.policy = ModelStore(chosen), policy
        self.events = self.crashes = 0
        self.trace: list[str] = []
        self._heap: list[tuple[float, int, Process]] = []
        self._brokers: dict[int, Broker] = {}
        self._number = 0
        self._opened = client != ALPACA

    @property
    def digest(self) -> str:
        """Names what happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return (self.simulator.clock.now() - EVENING).total_seconds()

    def play(self) -> None:
        """Play until all orders are over, or for as long as anybody would look."""
        for number in range(1 + (self.random.random() < 0.5)):
            skew = timedelta(seconds=(self.random.random() * 2 - 1) * LONGEST_SKEW)
            process = Process(number, EVENING, skew)
            process.cancels = self.random.random() < 0.25
            self._later(self.random.random() * 15 * number, process)
        while self._heap:
            at, _, process = heappop(self._heap)
            if at > self.now:
                self.simulator.pass_time(at - self.now)
            if self.simulator.clock.now() > OPENED + LATEST:
                break
            self._step(process)
        self._read_at_last()

    def _later(self, delay: float, process: Process) -> None:
        self._number += 1
        heappush(self._heap, (self.now + delay, self._number, process))

    def _step(self, process: Process) -> None:
        process.moment = self.simulator.clock.now() + process.skew
        if process.steps is None:
            left = self.store.unfinished(self.policy)
            if not left or process.runs == MOST_RUNS or (process.number and process.runs == 3):
                return
            self._open_market(process)
            if process.runs == MOST_RUNS // 2:
                # In the end everything is in order again, and so everything has to be known.
                self.simulator.use_script(read_script({}, "no faults"))
            process.begin(self.store, left, self.policy, self.random)
            self._brokers[process.number] = adapter(self.client, self.simulator)
        assert process.steps is not None
        try:
            request = process.steps.send(process.answer)
        except StopIteration:
            process.stop()
            self._later(5 + self.random.random() * 55, process)
            return
        self.events += 1
        draw = self.random.random()
        crash = 0 if draw > 0.06 or self.crashes == MOST_CRASHES else 1 if draw < 0.03 else 2
        # Before what it asked for happened, or after it, when nobody is there for the answer.
        answer = None if crash == 1 else self._answer(process, request)
        self._note(process, request, answer, crash)
        if crash:
            self.crashes += 1
            self.store.left_behind()
            process.stop()
            self._later(self.random.random() * 30, process)
            return
        process.answer = answer
        waits = request.delay.total_seconds() if isinstance(request, requests.Wait) and answer else 0.0
        self._later(waits, process)

    def _open_market(self, process: Process) -> None:
        """Go on to the opening once everything is sent, where orders wait for it."""
        waits = not any(self.store.rows[identity].status in UNSENT for identity in self.identities)
        if not self._opened and (waits or process.runs == MOST_RUNS // 2):
            self._opened = True
            self.simulator.pass_time((OPENED - self.simulator.clock.now()).total_seconds())
            process.moment = self.simulator.clock.now() + process.skew

    def _answer(self, process: Process, request: Any) -> Any:
        if isinstance(request, requests.Save):
            return self.store.write(request.entries)
        if isinstance(request, requests.Load):
            return self.store.tracked(request.identities)
        if isinstance(request, requests.Check):
            return ClearedOrder(request.order)
        if isinstance(request, requests.Wait):
            seconds = request.delay.total_seconds()
            waits = seconds <= process.patience
            process.patience -= seconds if waits else 0.0
            return waits
        # The rest is asked by the driver of the daily run, as there.
        driver = OrderDriver(self._brokers[process.number], store=_nothing_is_stored_here())
        return self._loop.run_until_complete(ASKED[type(request)](driver, request))

    def _read_at_last(self) -> None:
        """Read all fills when nothing changes any more, as every settlement does, whatever became of the orders."""
        self.simulator.use_script(read_script({}, "no faults"))
        self.simulator.pass_time(600)
        desk = Desk(self.store.tracked(self.identities), self.policy, self.simulator.clock.now)
        process = Process(9, self.simulator.clock.now(), timedelta(0))
        self._brokers[process.number] = adapter(self.client, self.simulator)
        for steps in (sweep(desk), desk.save()):
            answer = None
            try:
                while True:
                    request = steps.send(answer)
                    answer = self._answer(process, request)
                    self._note(process, request, answer, 0)
            except StopIteration:
                pass

    def _note(self, process: Process, request: Any, answer: Any, crash: int) -> None:
        what = "" if isinstance(request, requests.Save) else f" -> {answer}"
        stopped = ("", " and stops before", " and stops after")[crash]
        self.trace.append(f"{self.now:.3f} process {process.number} {request}{what}{stopped}")


def _nothing_is_stored_here() -> OrderBatches:
    return None  # type: ignore[return-value]


ASKED: Mapping[type, Callable[[OrderDriver, Any], Any]] = {
    requests.Submit: OrderDriver._submit,
    requests.Find: OrderDriver._find,
    requests.ReadOpen: OrderDriver._read_open,
    requests.ReadClosed: OrderDriver._read_closed,
    requests.ReadFills: OrderDriver._read_fills,
    requests.Cancel: OrderDriver._cancel,
}

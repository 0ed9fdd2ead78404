"""One history: a few orders, one or two processes, a broker and a store, from the seed to the judgement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any

from trading_lib.domain.book.orders import EvidenceSource, Order
from trading_lib.execution.broker import Answer, BrokerOrder, ClearedOrder, LookUp, Outcome, Seen
from trading_lib.execution.order_path.desk import Desk
from trading_lib.execution.order_path.evidence import Executed, Reported
from trading_lib.execution.order_path.requests import (
    Cancel,
    Check,
    Find,
    Load,
    ReadClosed,
    ReadFills,
    ReadOpen,
    Save,
    Submit,
    Wait,
)
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.simulation.model_broker import EPOCH, ModelBroker
from trading_lib.execution.simulation.model_store import ModelStore
from trading_lib.execution.simulation.process import Process

# Seconds. With the window of 90 s: storing a sending 10, handing it over 4, on its way 12, hidden 60, clocks 2.
LONGEST_STALL, LONGEST_WAY, TIME_OUT, LONGEST_SKEW = 4.0, 12.0, 10.0, 1.0
LONGEST_SUSPENSION = 600.0
MOST_RUNS, LATEST = 60, 4 * 3600.0
MOST_CRASHES = 5
UNKNOWN = Answer(Outcome.UNKNOWN)
TAKEN, REFUSED, KNOWN = Answer(Outcome.ACCEPTED), Answer(Outcome.REJECTED), Answer(Outcome.DUPLICATE)
NOT_FOUND, NO_ANSWER = LookUp(Seen.NOT_FOUND), LookUp(Seen.UNKNOWN)


class History:
    """One history.

    Attributes
    ----------
    now
        Seconds since the beginning.
    events, crashes
        How many steps were taken, and how many processes stopped.
    mark
        Names the history: the same seed, the same number.
    unwanted
        Client order id -> how often the order had been sent when its broker was first asked to cancel it.
    trace
        What happened, in words; kept only when asked for.
    """

    __slots__ = (
        "_heap", "_identities", "_listed", "_number", "broker", "crashes", "events", "mark", "now", "policy", "random",
        "store", "trace", "unwanted",
    )  # fmt: skip

    def __init__(self, seed: int, orders: Sequence[Order], policy: SendingPolicy, traced: bool = False) -> None:
        self.random = random = Random(seed)  # noqa: S311 - it has to repeat itself
        chosen = orders[: 1 + int(random.random() * len(orders))]
        self._identities = tuple(order.client_order_id for order in chosen)
        self.policy = policy
        self.broker, self.store = ModelBroker(random), ModelStore(chosen)
        self._listed: list[BrokerOrder] = []
        self._heap: list[tuple[float, int, Process]] = []
        self._number = 0
        self.now = 0.0
        self.events = self.crashes = 0
        self.mark = seed
        self.trace: list[str] | None = [] if traced else None
        self.unwanted: dict[str, int] = {}

    def play(self) -> bool:
        """Play until all orders are over and nothing changes at the broker; False where orders stay open."""
        random = self.random
        two = random.random() < 0.5
        for number in range(1 + two):
            skew = timedelta(seconds=(random.random() * 2 - 1) * LONGEST_SKEW)
            process = Process(number, EPOCH, skew)
            process.cancels = random.random() < 0.2
            self._later(random.random() * 15 * number, process)
        heap = self._heap
        if random.random() < 0.02:
            self.broker.take_foreign(self.store.rows[self._identities[-1]].order)
        while heap:
            self.now, _, process = heappop(heap)
            if self.now > LATEST:
                return False
            self._step(process)
        self._last_reading()
        return not self.store.unfinished(self.policy)

    def _later(self, delay: float, process: Process) -> None:
        self._number += 1
        heappush(self._heap, (self.now + delay, self._number, process))

    def _step(self, process: Process) -> None:
        process.moment = EPOCH + timedelta(seconds=self.now) + process.skew
        random = self.random
        if process.steps is None:
            left = self.store.unfinished(self.policy)
            if not left or process.runs == MOST_RUNS or (process.number and process.runs == 3):
                return
            process.begin(self.store, left, self.policy, random)
        elif random.random() < 0.08:
            self._stream(process)
        assert process.steps is not None
        process.listen()
        try:
            request = process.steps.send(process.answer)
        except StopIteration:
            self._told(process, "ends")
            process.stop()
            self._later(5 + random.random() * 55, process)
            return
        self.events += 1
        draw = random.random()
        crash = 0
        if draw < 0.04 and self.crashes < MOST_CRASHES:
            # Before what it asked for happened, or after it, when nobody is there for the answer.
            crash = 1 if draw < 0.02 else 2
        answer, delay = None, 0.0
        if crash != 1:
            answer, delay = _HANDLE[type(request)](self, process, request)
        self.mark = hash((self.mark, process.number, _CODES[type(request)], crash, int(self.now * 1e6), delay))
        if self.trace is not None:
            self._trace(process, request, answer, crash)
        if crash:
            self.crashes += 1
            self.store.left_behind()
            process.stop()
            self._later(random.random() * 30, process)
        else:
            process.answer = answer
            self._later(delay + self._suspended(answer), process)

    def _suspended(self, answer: Any) -> float:
        """How long a process stands still with an answer to a sending in its hands: a laptop sleeps, a host freezes."""
        if type(answer) is Answer and self.random.random() < (0.2 if answer is REFUSED else 0.02):
            return self.random.random() * LONGEST_SUSPENSION
        return 0.0

    def _check(self, process: Process, request: Check) -> tuple[Any, float]:
        return ClearedOrder(request.order), 0.0

    def _save(self, process: Process, request: Save) -> tuple[Any, float]:
        draw = self.random.random()
        refused = self.store.write(request.entries)
        stored = [entry for entry in request.entries if entry.client_order_id not in refused]
        self.store.ended_early(stored, process.told)
        return refused, draw * 0.02 if draw < 0.97 else (draw - 0.97) * 1000

    def _load(self, process: Process, request: Load) -> tuple[Any, float]:
        return self.store.tracked(request.identities), 0.01

    def _submit(self, process: Process, request: Submit) -> tuple[Any, float]:
        random, broker = self.random, self.broker
        draw, spent = random.random(), random.random()
        now = self.now + (spent * LONGEST_STALL if random.random() < 0.05 else 0.0)
        if broker.is_down(now):
            return UNKNOWN, now - self.now + spent * TIME_OUT
        draw /= broker.trouble if broker.trouble < 1 else 1 + (broker.trouble - 1) * 0.5
        order = request.cleared.order
        if draw > 0.45:
            return (TAKEN if broker.take(order, now + spent * 0.2) else KNOWN), now - self.now + 0.2
        if draw > 0.37:
            return UNKNOWN, now - self.now + spent * TIME_OUT
        if draw > 0.32:
            # The refusal may not come back, or stand among the orders that are over.
            if draw > 0.35:
                return REFUSED, now - self.now + spent
            broker.refuse(order, now)
            return (REFUSED if draw > 0.335 else UNKNOWN), now - self.now + spent
        # It gets there, sooner or later, and the answer does not come back, or not as it was given.
        on_its_way = spent * (LONGEST_WAY if draw < 0.12 else 0.5)
        broker.take(order, now + on_its_way)
        return (KNOWN if draw > 0.28 else UNKNOWN), now - self.now + min(on_its_way + spent, TIME_OUT)

    def _find(self, process: Process, request: Find) -> tuple[Any, float]:
        now, draw = self.now, self.random.random()
        if self.broker.is_down(now) or draw < 0.06 * self.broker.trouble:
            return NO_ANSWER, draw * 100
        found = self.broker.find(request.client_order_id, now)
        if found is None:
            return NOT_FOUND, draw * 0.3
        self._listed.append(found)
        process.hears = (found,)
        return LookUp(Seen.FOUND, found), draw * 0.3

    def _read_open(self, process: Process, request: ReadOpen) -> tuple[Any, float]:
        return self._read_orders(process, True)

    def _read_closed(self, process: Process, request: ReadClosed) -> tuple[Any, float]:
        return self._read_orders(process, False)

    def _read_orders(self, process: Process, are_open: bool) -> tuple[Any, float]:
        listed, delay = self._read(lambda now: self.broker.listed(now, are_open))
        process.hears = listed or ()
        return listed, delay

    def _read_fills(self, process: Process, request: ReadFills) -> tuple[Any, float]:
        return self._read(self.broker.fills)

    def _read(self, view: Callable[[float], Any]) -> tuple[Any, float]:
        draw = self.random.random()
        if self.broker.is_down(self.now) or draw < 0.06 * self.broker.trouble:
            return None, draw * 100
        return view(self.now), draw * 0.5

    def _cancel(self, process: Process, request: Cancel) -> tuple[Any, float]:
        draw = self.random.random()
        if self.broker.is_down(self.now) or draw < 0.08:
            return UNKNOWN, TIME_OUT
        row = self.store.rows[request.client_order_id]
        self.unwanted.setdefault(request.client_order_id, row.attempts)
        cut = self.broker.cancel(request.client_order_id, self.now)
        answer = TAKEN if cut else REFUSED
        return (UNKNOWN if draw < 0.2 else answer), draw

    def _wait(self, process: Process, request: Wait) -> tuple[Any, float]:
        seconds = request.delay.total_seconds()
        if seconds > process.patience:
            return False, 0.0
        process.patience -= seconds
        return True, seconds

    def _stream(self, process: Process) -> None:
        """Let a stream tell something: a fill, twice or long ago too, or an order as it was some time ago."""
        desk, random = process.desk, self.random
        if desk is None:
            return
        traded = self.broker.traded(self.now)
        if traded:
            execution = traded[int(random.random() * len(traded))].execution
            if execution.client_order_id in desk.orders:
                desk.weigh(execution.client_order_id, Executed(execution, EvidenceSource.STREAM))
        if self._listed and random.random() < 0.5:
            order = self._listed[int(random.random() * len(self._listed))]
            if order.client_order_id in desk.orders:
                process.hears = (order, *process.hears)
                desk.weigh(order.client_order_id, Reported(order, EvidenceSource.STREAM))

    def _last_reading(self) -> None:
        """Read all fills when nothing changes any more, as every settlement does, whatever became of the orders."""
        self.now = max(self.now, self.broker.quiet_at(), self.broker.down[1]) + 1
        moment = EPOCH + timedelta(seconds=self.now)
        desk = Desk(self.store.tracked(self._identities), self.policy, lambda: moment)
        desk.weigh_fills((), moment, self.broker.fills(self.now))
        steps, stored = desk.save(), None
        try:
            while True:
                request = steps.send(stored)
                stored = self.store.write(request.entries) if isinstance(request, Save) else ()
        except StopIteration:
            pass

    def _told(self, process: Process, what: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now:10.3f} process {process.number} {what}")

    def _trace(self, process: Process, request: Any, answer: Any, crash: int) -> None:
        if isinstance(request, Save):
            names = [f"{entry.client_order_id[-10:]}:{'+'.join(_words(entry.writes))}" for entry in request.entries]
            words = f"Save {' '.join(names)}" + (f" refused {len(answer)}" if answer else "")
        else:
            words = f"{type(request).__name__} {getattr(request, 'client_order_id', '')} -> {answer}"
        stopped = ("", " and stops before", " and stops after")[crash]
        self._told(process, words[:200] + stopped)


def _words(writes: Sequence[Any]) -> list[str]:
    return [str(getattr(write, "event", type(write).__name__)) for write in writes]


_HANDLE: Mapping[type, Callable[..., tuple[Any, float]]] = {
    Check: History._check,
    Save: History._save,
    Load: History._load,
    Submit: History._submit,
    Find: History._find,
    ReadOpen: History._read_open,
    ReadClosed: History._read_closed,
    ReadFills: History._read_fills,
    Cancel: History._cancel,
    Wait: History._wait,
}
_CODES = {kind: number for number, kind in enumerate(_HANDLE)}

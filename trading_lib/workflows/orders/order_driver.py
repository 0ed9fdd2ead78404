"""The driver of the order path in the real world: it answers what the path asks, from one broker and the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from trading_lib.adapters.stores.orders.order_batches import OrderBatches
from trading_lib.domain.book.orders import Order, OrderEvent
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Answer, Broker, ClearedOrder, LookUp, Outcome, Seen
from trading_lib.execution.order_path import requests
from trading_lib.execution.order_path.desk import Desk, Steps
from trading_lib.execution.order_path.evidence import Denied, Held
from trading_lib.execution.order_path.tracked import Append, Tell

LOG = logging.getLogger(__name__)
# Clears an order, or says why it is denied or held; asked a moment before it is sent.
Check = Callable[[Order], ClearedOrder | str | Held]
NO_WAIT = timedelta(0)
WORDS = {OrderEvent.DENY: "refused", OrderEvent.HOLD: "held back", OrderEvent.REJECT: "rejected by the broker"}


def send_nothing(order: Order) -> ClearedOrder | str | Held:
    """Fail: whoever only watches never comes to this."""
    raise AssertionError(f"order {order.client_order_id}: nothing is to be sent here")


@dataclass
class OrderDriver:
    """Answers the requests of the order path.

    Attributes
    ----------
    broker
        Connected.
    store
        Of the book.
    before_writing
        Called before anything is stored or sent: raises when the book's lock is lost.
    cursor
        Up to which fills were read before.
    patience
        How long may be waited in all; a longer wait ends the work, and a later run goes on.
    told
        What the operator was told.
    """

    broker: Broker
    store: OrderBatches
    check: Check = send_nothing
    before_writing: Callable[[], None] = lambda: None
    cursor: str = ""
    patience: timedelta = NO_WAIT
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    told: list[Tell] = field(default_factory=list)

    async def drive(self, desk: Desk, steps: Steps) -> None:
        """Run steps of the order path to their end, and tell the operator what came up."""
        answer: Any = None
        try:
            while True:
                request = steps.send(answer)
                answer = await _ANSWERS[type(request)](self, request)
        except StopIteration:
            pass
        finally:
            steps.close()
            self._tell(desk)

    def _tell(self, desk: Desk) -> None:
        for tell in desk.told:
            LOG.warning("order %s: %s", tell.client_order_id, tell.problem)
        self.told += desk.told
        desk.told.clear()

    async def _check(self, request: requests.Check) -> ClearedOrder | Denied | Held:
        cleared = self.check(request.order)
        return Denied(cleared) if isinstance(cleared, str) else cleared

    async def _save(self, request: requests.Save) -> frozenset[str]:
        self.before_writing()
        refused = self.store.write(request.entries)
        for entry in request.entries:
            if entry.client_order_id not in refused:
                _log(entry)
        return refused

    async def _load(self, request: requests.Load) -> Any:
        return self.store.tracked(request.identities)

    async def _submit(self, request: requests.Submit) -> Answer:
        try:
            return await self.broker.submit(request.cleared)
        except BrokerUnavailableError as error:
            # It reports that nothing was sent, but only a broker's answer ends an order that may be on its way.
            return Answer(Outcome.UNKNOWN, reason=error.problem)

    async def _find(self, request: requests.Find) -> LookUp:
        try:
            found = await self.broker.find(request.client_order_id)
        except BrokerUnavailableError as error:
            # The other orders go on; a later run asks again.
            found = LookUp(Seen.UNKNOWN, reason=error.problem)
        if found.seen is not Seen.FOUND:
            why = f" ({found.reason})" if found.reason else ""
            name = self.broker.name
            LOG.warning("order %s: %s does not say what became of it%s", request.client_order_id, name, why)
        return found

    async def _read_open(self, request: requests.ReadOpen) -> Any:
        return await self._read(self.broker.open_orders())

    async def _read_closed(self, request: requests.ReadClosed) -> Any:
        return await self._read(self.broker.closed_orders(request.since))

    async def _read_fills(self, request: requests.ReadFills) -> Any:
        return await self._read(self.broker.fills_since(self.cursor))

    async def _read(self, asked: Awaitable[Any]) -> Any:
        try:
            return await asked
        except BrokerUnavailableError as error:
            LOG.warning("%s cannot be read: %s", self.broker.name, error.problem)
            return None

    async def _cancel(self, request: requests.Cancel) -> Answer:
        self.before_writing()
        try:
            return await self.broker.cancel(request.client_order_id)
        except BrokerUnavailableError as error:
            return Answer(Outcome.UNKNOWN, reason=error.problem)

    async def _wait(self, request: requests.Wait) -> bool:
        if request.delay > self.patience:
            return False
        self.patience -= request.delay
        await self.sleep(request.delay.total_seconds())
        return True


_ANSWERS: Mapping[type, Callable[[OrderDriver, Any], Awaitable[Any]]] = {
    requests.Check: OrderDriver._check,
    requests.Save: OrderDriver._save,
    requests.Load: OrderDriver._load,
    requests.Submit: OrderDriver._submit,
    requests.Find: OrderDriver._find,
    requests.ReadOpen: OrderDriver._read_open,
    requests.ReadClosed: OrderDriver._read_closed,
    requests.ReadFills: OrderDriver._read_fills,
    requests.Cancel: OrderDriver._cancel,
    requests.Wait: OrderDriver._wait,
}


def _log(entry: requests.Entry) -> None:
    for write in entry.writes:
        if isinstance(write, Append) and write.event in WORDS:
            LOG.warning("order %s %s: %s", entry.client_order_id, WORDS[write.event], write.detail)

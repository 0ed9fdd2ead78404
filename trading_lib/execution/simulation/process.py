"""A process that works on the orders: it loads them, takes the steps of the order path, stops anywhere, begins anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from trading_lib.domain.book.orders import OPEN_STATUSES, TERMINAL_STATUSES
from trading_lib.execution.broker import BrokerOrder
from trading_lib.execution.order_path import path
from trading_lib.execution.order_path.desk import Desk, Steps
from trading_lib.execution.order_path.requests import Wait
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.simulation.model_store import ModelStore

BETWEEN_LOOKS = timedelta(seconds=20)


class Process:
    """One of the processes of a history.

    Attributes
    ----------
    moment
        What its clock shows; a history sets it before every step.
    skew
        How far its clock is off.
    patience
        How long it may wait in one run.
    hears
        Orders in the answer that it is about to get.
    told
        Client order id -> what the broker last called filled in this run.
    """

    __slots__ = ("answer", "cancels", "desk", "hears", "moment", "number", "patience", "runs", "skew", "steps", "told")

    def __init__(self, number: int, moment: datetime, skew: timedelta) -> None:
        self.number, self.moment, self.skew = number, moment, skew
        self.runs = 0
        self.cancels = False
        self.patience = 0.0
        self.desk: Desk | None = None
        self.steps: Steps | None = None
        self.answer: Any = None
        self.told: dict[str, Decimal] = {}
        self.hears: Sequence[BrokerOrder] = ()

    def begin(self, store: ModelStore, identities: Sequence[str], policy: SendingPolicy, random: Random) -> None:
        """Load the orders that are not over, and begin a run."""
        self.runs += 1
        self.patience = random.random() * 240 if random.random() < 0.5 else 0.0
        self.desk = Desk(store.tracked(identities), policy, self._clock)
        self.steps = _run(self.desk, identities, self.cancels)
        self.answer = None

    def stop(self) -> None:
        """Lose all that is not stored."""
        if self.steps is not None:
            self.steps.close()
        self.steps, self.desk, self.answer = None, None, None
        self.told.clear()
        self.hears = ()

    def listen(self) -> None:
        """Keep what it hears of orders that are not over for it."""
        if self.hears and self.desk is not None:
            known = self.desk.orders
            for order in self.hears:
                identity = order.client_order_id
                if identity in known and known[identity].status not in TERMINAL_STATUSES:
                    self.told[identity] = order.filled
        self.hears = ()

    def _clock(self) -> datetime:
        return self.moment


def _run(desk: Desk, identities: Sequence[str], cancels: bool) -> Steps:
    yield from path.find_out(desk)
    yield from path.send(desk, identities)
    yield from path.follow(desk)
    if cancels:
        yield from path.cancel(desk, desk.with_status(*OPEN_STATUSES), "asked to")
    if (yield Wait(BETWEEN_LOOKS)):
        yield from path.follow(desk)

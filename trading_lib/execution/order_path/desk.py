"""The orders that one process works on: what is known of each, and what was decided and is not stored yet."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from datetime import datetime
from typing import Any

from trading_lib.domain.book.orders import OrderStatus
from trading_lib.execution.broker import BrokerOrder, Executions
from trading_lib.execution.order_path.evidence import Busted, Evidence, Executed, NotListed, Reading, Reported, Sending
from trading_lib.execution.order_path.lifecycle import advance
from trading_lib.execution.order_path.requests import Entry, Load, Request, Save
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Append, BookFill, Next, StrikeFill, Tell, Tracked, Version

Steps = Generator[Request, Any, None]
Wanted = tuple[Next, ...]
# Another process that changes the same order again and again is at it; this one lets go.
MOST_REPLAYS = 5


class _Pending:
    """What is not stored yet of one order."""

    __slots__ = ("before", "evidence", "writes")

    def __init__(self, before: Version) -> None:
        self.before = before
        self.evidence: list[Evidence] = []
        self.writes: list[Append | BookFill | StrikeFill] = []


class Desk:
    """The orders that one process works on.

    Parameters
    ----------
    orders
        As they are stored.
    clock
        Tells when evidence comes in, and when questions are begun.

    Attributes
    ----------
    told
        What the operator has to know, in order; whoever tells it empties the list.
    """

    __slots__ = ("_pending", "clock", "orders", "policy", "told")

    def __init__(self, orders: Iterable[Tracked], policy: SendingPolicy, clock: Callable[[], datetime]) -> None:
        self.orders = {tracked.order.client_order_id: tracked for tracked in orders}
        self.policy, self.clock = policy, clock
        self.told: list[Tell] = []
        self._pending: dict[str, _Pending] = {}

    def with_status(self, *statuses: OrderStatus) -> list[str]:
        """Ids of the orders that have one of the statuses."""
        return [identity for identity, tracked in self.orders.items() if tracked.status in statuses]

    def weigh(self, identity: str, evidence: Evidence) -> Wanted:
        """Weigh a piece of evidence of an order, keep what follows until it is saved, and return what is wanted."""
        before = self.orders[identity]
        after, actions = advance(before, evidence, self.clock(), self.policy)
        self.orders[identity] = after
        if not actions:
            return ()
        wanted: Wanted = ()
        pending = self._pending.get(identity)
        for action in actions:
            if isinstance(action, Next):
                wanted = (*wanted, action)
            elif isinstance(action, Tell):
                self.told.append(action)
            else:
                if pending is None:
                    pending = self._pending[identity] = _Pending(before.version)
                pending.writes.append(action)
        if pending is not None:
            pending.evidence.append(evidence)
        return wanted

    def weigh_orders(
        self, identities: Iterable[str], reading: Reading, begun_at: datetime, listed: Iterable[BrokerOrder] | None
    ) -> set[str]:
        """Weigh a list of orders, None where it was not read completely; return whose fills are wanted."""
        if listed is None:
            return set()
        found = {order.client_order_id: order for order in listed}
        wanted = set()
        for identity in identities:
            at_broker = found.get(identity)
            evidence = NotListed(reading, begun_at) if at_broker is None else Reported(at_broker)
            if Next.SWEEP in self.weigh(identity, evidence):
                wanted.add(identity)
        return wanted

    def weigh_fills(self, identities: Iterable[str], begun_at: datetime, read: Executions | None) -> None:
        """Weigh fills and what was struck, of every order here; None where they were not read completely."""
        if read is None:
            return
        filled = set()
        for execution in read.fills:
            filled.add(execution.client_order_id)
            if execution.client_order_id in self.orders:
                self.weigh(execution.client_order_id, Executed(execution))
        for bust in read.busts:
            for identity, tracked in list(self.orders.items()):
                if bust.trade_id in tracked.fills:
                    self.weigh(identity, Busted(bust))
        for identity in identities:
            if identity not in filled:
                self.weigh(identity, NotListed(Reading.FILLS, begun_at))

    def save(self) -> Generator[Request, Any, set[str]]:
        """Store what is pending, and return the ids of orders that another process has changed meanwhile.

        Those are read again, and the evidence that was to be stored is weighed again on what is stored now; only a
        sending is not repeated.
        """
        changed: set[str] = set()
        for _ in range(MOST_REPLAYS):
            if not self._pending:
                break
            pending, self._pending = self._pending, {}
            not_stored = yield Save(tuple(entry(name, part.before, part.writes) for name, part in pending.items()))
            if not not_stored:
                break
            refused = [identity for identity in pending if identity in not_stored]
            changed.update(refused)
            for tracked in (yield Load(tuple(refused))):
                self.orders[tracked.order.client_order_id] = tracked
            for identity in refused:
                for evidence in pending[identity].evidence:
                    if not isinstance(evidence, Sending):
                        self.weigh(identity, evidence)
        return changed


def entry(identity: str, before: Version, writes: Iterable[Append | BookFill | StrikeFill]) -> Entry:
    """Return what is to be stored of an order in one piece."""
    return Entry(identity, before, tuple(writes))

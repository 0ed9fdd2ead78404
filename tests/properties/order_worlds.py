"""Every world of one order: two processes that work on it, a broker with three ways to tell, and a crash at any moment.

A world is what the broker and the store have, what each process knows and what it is about to do. `successors` takes
every single step that may come next, with the real reducer; `explore` visits all worlds that can be reached.

Time passes in steps of half a window. What was handed to the broker arrives within the first of them or never, and
what has arrived is visible after the next: what the proof of absence rests on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from tests.builders.books import NOW
from tests.builders.books import order as made_order
from trading_lib.domain.book.orders import TERMINAL_STATUSES, OrderStatus
from trading_lib.execution.broker import Answer, BrokerOrder, BrokerStatus, Execution, LookUp, Outcome, Seen
from trading_lib.execution.order_path.absence import NOTHING_PROVED
from trading_lib.execution.order_path.evidence import (
    Answered,
    CancelAsked,
    Evidence,
    Executed,
    LookedUp,
    NotListed,
    Reading,
    Sending,
)
from trading_lib.execution.order_path.lifecycle import advance, earliest_proof, may_send
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Append, BookFill, Next, Tracked

ORDER = made_order("SPY", quantity=Decimal(10))
HALF = timedelta(seconds=45)
POLICY = SendingPolicy(window=2 * HALF, tries=2, stale=timedelta(0))
PART, REST = "t1", "t2"
UNITS = {PART: Decimal(4), REST: Decimal(6)}
EXECUTIONS = {
    trade: Execution(trade, ORDER.client_order_id, ORDER.symbol, ORDER.side, units, Decimal(1), Decimal(0), NOW)
    for trade, units in UNITS.items()
}


class AtBroker(NamedTuple):
    """What the broker has.

    Attributes
    ----------
    copies
        How often it took the order.
    visible
        Whether anybody can see it.
    traded
        Trade ids.
    ended
        Whether what is left of it is over.
    on_its_way
        Sendings that may still arrive, by their tick.
    """

    copies: int = 0
    visible: bool = False
    traded: tuple[str, ...] = ()
    ended: bool = False
    on_its_way: tuple[int, ...] = ()

    @property
    def status(self) -> BrokerStatus:
        """Status of the order."""
        if len(self.traded) == len(UNITS):
            return BrokerStatus.FILLED
        if self.ended:
            return BrokerStatus.CANCELLED
        return BrokerStatus.PARTIALLY_FILLED if self.traded else BrokerStatus.WORKING


class Doing(NamedTuple):
    """A process: what it knows, what it has to store, and the sending that it makes or waits for the answer of.

    Attributes
    ----------
    known
        Number of what it knows; -1 where it knows nothing yet.
    before, writes
        Number of what it knew when it began to decide, and what it has decided since; -1 and () for nothing.
    sends
        Whether it hands the order over as soon as that is stored.
    waits
        Attempt whose answer it waits for, 0 for none.
    """

    known: int = -1
    before: int = -1
    writes: tuple[Any, ...] = ()
    sends: bool = False
    waits: int = 0


class World(NamedTuple):
    """Everything there is, by numbers: worlds are many, and most of them differ in one thing only."""

    tick: int
    broker: int
    stored: int
    one: int
    other: int


# What one process changes: itself, the broker and what is stored.
Changes = tuple[tuple[int, int, int], ...]


class Numbers:
    """Values that are worked out once each, by number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def of(self, value: Any, key: Any = None) -> int:
        """Return the number of a value."""
        name = value if key is None else key
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.values)
            self.values.append(value)
        return number


def at(tick: int) -> datetime:
    """Return the moment of a tick."""
    return NOW + tick * HALF


@dataclass
class Exploration:
    """All worlds that can be reached.

    Attributes
    ----------
    reducer
        `lifecycle.advance`, or a wrong one.
    cancels
        Whether somebody may ask to cancel the order.
    ticks
        How many halves of a window pass; after two an absence can be proved, and after four that of a second try.
    worlds
        How many were visited.
    problems
        What is wrong in worlds that were reached.
    ends
        Statuses that the order has in worlds from which nothing leads on.
    """

    reducer: Callable[..., Any] = advance
    cancels: bool = False
    ticks: int = 4
    worlds: int = 0
    problems: list[str] = field(default_factory=list)
    ends: set[OrderStatus] = field(default_factory=set)
    _known: Numbers = field(default_factory=Numbers)
    _brokers: Numbers = field(default_factory=Numbers)
    _doings: Numbers = field(default_factory=Numbers)
    _weighed: dict[tuple[int, Evidence, int], tuple[int, tuple[Any, ...], bool]] = field(default_factory=dict)
    _worked: dict[tuple[int, int, int, int], Changes] = field(default_factory=dict)
    _changed: dict[tuple[int, int], tuple[tuple[int, int], ...]] = field(default_factory=dict)

    def explore(self) -> Exploration:
        """Visit every world, the nearest first, until something is wrong."""
        idle = self._doings.of(Doing())
        begin = World(0, self._brokers.of(AtBroker()), self._number(Tracked(ORDER)), idle, idle)
        seen, frontier = {begin}, [begin]
        judged: set[tuple[int, int]] = set()
        while frontier and not self.problems:
            following = []
            for world in frontier:
                leads_on = False
                for after in self._successors(world):
                    leads_on = True
                    if after not in seen:
                        seen.add(after)
                        following.append(after)
                        judged.add((after.broker, after.stored))
                if not leads_on:
                    self.ends.add(self._known.values[world.stored].status)
            for broker, stored in judged:
                self._judge(self._brokers.values[broker], self._known.values[stored])
            judged.clear()
            frontier = following
        self.worlds = len(seen)
        return self

    def _number(self, tracked: Tracked) -> int:
        return self._known.of(tracked, tracked._replace(fills=frozenset(tracked.fills)))  # type: ignore[arg-type]

    def _weigh(self, known: int, evidence: Evidence, tick: int) -> tuple[int, tuple[Any, ...], bool]:
        """What is known then, what is to be stored, and whether the order is to be sent."""
        key = (known, evidence, tick)
        found = self._weighed.get(key)
        if found is None:
            after, actions = self.reducer(self._known.values[known], evidence, at(tick), POLICY)
            writes = tuple(action for action in actions if isinstance(action, Append | BookFill))
            sends = Next.SEND in actions and isinstance(evidence, Sending)
            found = self._weighed[key] = (self._number(after), writes, sends)
        return found

    def _successors(self, world: World) -> Iterator[World]:
        tick, broker, stored, one, other = world
        for later, changed in self._broker_steps(tick, broker):
            yield World(later, changed, stored, one, other)
        for doing, left in ((one, other), (other, one)):
            for mine, at_broker, in_store in self._work(tick, broker, stored, doing):
                # It does not matter which of the two is which.
                yield World(tick, at_broker, in_store, *((mine, left) if mine <= left else (left, mine)))

    def _work(self, tick: int, broker: int, stored: int, doing: int) -> Changes:
        key = (tick, broker, stored, doing)
        if key not in self._worked:
            steps = self._process_steps(tick, self._brokers.values[broker], stored, self._doings.values[doing])
            self._worked[key] = tuple((self._doings.of(mine), self._brokers.of(at), kept) for mine, at, kept in steps)
        return self._worked[key]

    def _broker_steps(self, tick: int, number: int) -> tuple[tuple[int, int], ...]:
        if (tick, number) not in self._changed:
            steps = _changes(tick, tick == self.ticks, self._brokers.values[number])
            self._changed[tick, number] = tuple((later, self._brokers.of(broker)) for later, broker in steps)
        return self._changed[tick, number]

    def _process_steps(
        self, tick: int, broker: AtBroker, stored: int, doing: Doing
    ) -> Iterator[tuple[Doing, AtBroker, int]]:
        if doing != Doing():
            yield Doing(), broker, stored  # it stops, and all that it knew is gone
        if doing.known < 0:
            loaded = self._known.values[stored]
            if loaded.status not in TERMINAL_STATUSES:
                yield Doing(self._number(loaded)), broker, stored
            return
        if doing.writes:
            # What was decided is stored before anything else is asked or sent.
            yield self._saved(broker, stored, doing)
            return
        if doing.sends:
            fresh = self._known.values[doing.known].sent_at == at(tick)
            waits = self._known.values[doing.known].attempts
            sent = broker._replace(on_its_way=tuple(sorted((*broker.on_its_way, tick)))) if fresh else broker
            yield doing._replace(sends=False, waits=waits if fresh else 0), sent, stored
            return
        for evidence in self._evidence(tick, broker, doing):
            known, writes, sends = self._weigh(doing.known, evidence, tick)
            waits = 0 if isinstance(evidence, Answered) else doing.waits
            if known != doing.known or waits != doing.waits:
                before = doing.known if writes else -1
                yield Doing(known, before, writes, sends, waits), broker, stored

    def _saved(self, broker: AtBroker, number: int, doing: Doing) -> tuple[Doing, AtBroker, int]:
        stored = self._known.values[number]
        if stored.version != self._known.values[doing.before].version:
            # Another process was first: it begins anew with what is stored.
            return Doing(), broker, number
        known = self._known.values[doing.known]
        return doing._replace(before=-1, writes=()), broker, self._number(_kept(known))

    def _evidence(self, tick: int, broker: AtBroker, doing: Doing) -> Iterator[Evidence]:
        """All that a process may learn now, from an answer, from a look-up or list, and from fills."""
        known = self._known.values[doing.known]
        if doing.waits:
            yield Answered(doing.waits, Answer(Outcome.UNKNOWN))
            if broker.copies:
                yield Answered(doing.waits, Answer(Outcome.ACCEPTED))
            return
        if may_send(known, POLICY):
            yield Sending(known.attempts + 1)
        if self.cancels and known.status is OrderStatus.UNKNOWN:
            yield CancelAsked("asked to")
        if not known.attempts:
            return
        if broker.visible:
            yield LookedUp(at(tick), LookUp(Seen.FOUND, _shown(broker)))
            for trade in broker.traded:
                yield Executed(EXECUTIONS[trade])
            return
        yield LookedUp(at(tick), LookUp(Seen.NOT_FOUND))
        due = earliest_proof(known, POLICY)
        if due is not None and due <= at(tick):
            for reading in Reading:
                yield NotListed(reading, at(tick))

    def _judge(self, broker: AtBroker, stored: Tracked) -> None:
        booked = sum((UNITS[trade] for trade in stored.fills), Decimal(0))
        over = stored.status is OrderStatus.CANCELLED and broker.copies and broker.status.is_open
        wrong = {
            "the broker took the order twice": broker.copies > 1,
            "a fill is stored that was never made": not set(stored.fills) <= set(broker.traded),
            "a fill counts twice": stored.filled != booked,
            "it is stored as filled without its fills": stored.status is OrderStatus.FILLED
            and booked != ORDER.quantity,
            "it is over here and not at the broker": over,
            "it is proved absent and is there": stored.status is OrderStatus.ABSENT and broker.copies,
        }
        self.problems += [f"{problem}: {broker}, {stored}" for problem, found in wrong.items() if found]


def _kept(known: Tracked) -> Tracked:
    """What of an order is stored; the rest lives in memory."""
    return known._replace(absence=NOTHING_PROVED, called_filled=Decimal(0))


def _changes(tick: int, is_last: bool, broker: AtBroker) -> Iterator[tuple[int, AtBroker]]:
    """What may happen at the broker, and that time passes."""
    for index, sent in enumerate(broker.on_its_way):
        left = broker.on_its_way[:index] + broker.on_its_way[index + 1 :]
        yield tick, broker._replace(on_its_way=left)
        if sent >= tick - 1:
            # A broker that takes the same id twice: nothing but our rules stands between us and a second order.
            yield tick, broker._replace(copies=broker.copies + 1, on_its_way=left)
    if broker.copies and not broker.visible:
        yield tick, broker._replace(visible=True)
    if broker.copies and broker.status.is_open:
        trade = REST if broker.traded else PART
        yield tick, broker._replace(traded=(*broker.traded, trade))
        yield tick, broker._replace(ended=True)
    # Nothing that was handed over is still on its way, or hidden, half a window later.
    if not is_last and (not broker.copies or broker.visible) and not broker.on_its_way:
        yield tick + 1, broker


def _shown(broker: AtBroker) -> BrokerOrder:
    filled = sum((UNITS[trade] for trade in broker.traded), Decimal(0))
    return BrokerOrder(ORDER.client_order_id, "1", ORDER.symbol, ORDER.side, ORDER.quantity, filled, broker.status)

"""Random histories of a paper book: sessions run, rerun, killed, late, two at once; bars revised, the database down.

Each history is compared with a straight run over the same prices that leaves out exactly what the history left out: a
session that was overtaken before it had decided, orders that were never sent. Orders, fills, portfolios and risk states
must be the same.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, event, text

from tests.campaigns.book_faults.market import FaultMarket
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.domain.book.orders import OrderEvent, OrderStatus
from trading_lib.domain.errors import OvertakenSessionError, StorageUnavailableError
from trading_lib.workflows.books.repair import repair_book
from trading_lib.workflows.stages.catalogue import TRADE_STAGES
from trading_lib.workflows.trade import tasks as trading
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.daily import trade_session

# A session with orders sends about as many statements to the database.
STATEMENTS = 120
FAULTS = ("none", "rerun", "kill", "database_down", "two_at_once", "late")
STAGES = {stage.name: stage.load() for stage in TRADE_STAGES}
TRADE_TASKS = tuple(STAGES.values())
DECIDING = ("signals", "targets", "risk", "orders")

Task = Callable[..., Any]


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it, and everything the process held is gone."""


@dataclass
class Outcome:
    """What happened in one history."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    refusals: int = 0
    repaired: bool = False
    unsent: int = 0
    orders: int = 0


@contextmanager
def failing_at(engine: Engine, number: int, fail: Callable[[], None]) -> Iterator[None]:
    """Call ``fail`` before the statement of this number."""
    seen = 0

    def before(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            fail()

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)


class History:
    """One random history of one book; with ``sigkill`` a kill is a real one of a real process."""

    def __init__(self, market: FaultMarket, seed: int, sigkill: bool = False) -> None:
        self.random = random.Random(seed)
        self.sigkill = sigkill
        self.book = f"demo-{'sigkill' if sigkill else 'history'}-{seed}"
        self.outcome = Outcome(seed)
        revises = self.random.random() < 0.25
        self.market = market.copy(f"files:revised-{self.book}") if revises else market
        self.left: list[date] = []

    def play(self) -> Outcome:
        """Trade all sessions with their faults, then come back to what was left, and repair."""
        sessions = self.market.sessions
        number = 0
        while number < len(sessions):
            fault = self.random.choices(FAULTS, weights=(3, 1, 4, 2, 2, 1))[0]
            number += self._session(sessions, number, fault)
        self._finish(sessions)
        return self.outcome

    def _session(self, sessions: list[date], number: int, fault: str) -> int:
        """Trade a session, or two at once; return how many were begun."""
        session = sessions[number]
        self.market.at(session)
        self.outcome.faults[fault] += 1
        begun = 1
        if fault == "kill":
            self._killed(session)
        elif fault == "database_down":
            self._without_database(session)
        elif fault == "two_at_once":
            begun = self._two_at_once(sessions, number)
        else:
            self._tasks(session)
            if fault == "rerun":
                self._tasks(session)
            if fault == "late" and number:
                self._late(sessions[self.random.randrange(number)])
        if self.market.revised and self.random.random() < 0.5:
            self.outcome.faults["revised_bar"] += 1
            self.market.clock.now += timedelta(minutes=self.random.randrange(1, 600))
            self.market.revise(session, 1 + self.random.uniform(-0.01, 0.01))
        return begun

    def _killed(self, session: date) -> None:
        statement = self.random.randrange(1, STATEMENTS)
        reached = self._sigkilled(session, statement) if self.sigkill else self._stopped(session, statement)
        if reached is None:
            return
        self.outcome.kills += 1
        choice = self.random.random()
        if choice < 0.55:
            self._tasks(session)
        elif choice < 0.8:
            # Airflow clears the failed task and those after it.
            self._tasks(session, first=reached)
        else:
            self.left.append(session)

    def _stopped(self, session: date, statement: int) -> int | None:
        """Stop the session's process before a statement; return the task it was in, None when it came to the end."""

        def die() -> None:
            raise Killed

        reached = 0
        try:
            with failing_at(self.market.engine, statement, die):
                for reached, task in enumerate(TRADE_TASKS):  # noqa: B007 - read after the exception
                    self._task(task, session)
        except Killed:
            return reached
        return None

    def _sigkilled(self, session: date, statement: int) -> int | None:
        """Run the session in a process of its own that SIGKILL ends before a statement; like `_stopped`."""
        self.market.run(session, self.book)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - the child never reports
            try:
                signal.alarm(120)
                self._die_trading(session, statement, writing)
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as begun:
            reached = len(begun.read()) - 1
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return None
        assert os.WTERMSIG(status) == signal.SIGKILL
        return reached

    def _die_trading(self, session: date, statement: int, writing: int) -> None:
        # The parent's connections are not this process's to use or to close.
        self.market.engine.dispose(close=False)
        with failing_at(self.market.engine, statement, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            for task in TRADE_TASKS:
                os.write(writing, b".")
                self._task(task, session)

    def _without_database(self, session: date) -> None:
        administration = self.market.engine.url.set(database="postgres").render_as_string(hide_password=False)
        name = self.market.engine.url.database

        def cut() -> None:
            engine = connect(administration).execution_options(isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                connection.execute(text(query), {"name": name})
            engine.dispose()

        try:
            with failing_at(self.market.engine, self.random.randrange(1, STATEMENTS), cut):
                self._tasks(session)
        except StorageUnavailableError:
            self._tasks(session)

    def _two_at_once(self, sessions: list[date], number: int) -> int:
        """Run the same session twice at once, or two sessions: as two commands do, or as two Airflow runs' tasks."""
        both = number + 1 < len(sessions) and self.random.random() < 0.5
        pair = (sessions[number], sessions[number + 1] if both else sessions[number])
        self.market.at(pair[1])
        if self.random.random() < 0.5:
            self._in_threads(pair)
        else:
            self._in_turns(pair)
        return 1 + both

    def _in_turns(self, pair: tuple[date, date]) -> None:
        positions = [0, 0]
        stopped = [False, False]
        while any(at < len(TRADE_TASKS) and not stopped[k] for k, at in enumerate(positions)):
            k = self.random.randrange(2)
            if stopped[k] or positions[k] == len(TRADE_TASKS):
                continue
            try:
                self._task(TRADE_TASKS[positions[k]], pair[k])
                positions[k] += 1
            except OvertakenSessionError:
                stopped[k] = True
                self._refused(pair[k])

    def _in_threads(self, pair: tuple[date, date]) -> None:
        failures: list[tuple[date, BaseException]] = []

        def trade(session: date) -> None:
            try:
                trade_session(self.market.plan(session, self.book), self.market.settings)
            except BaseException as error:
                failures.append((session, error))

        threads = [threading.Thread(target=trade, args=(session,)) for session in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for session, error in failures:
            if not isinstance(error, OvertakenSessionError):
                raise error
            self._refused(session)

    def _late(self, session: date) -> None:
        try:
            self._tasks(session)
        except OvertakenSessionError:
            self._refused(session)

    def _refused(self, session: date) -> None:
        self.outcome.refusals += 1
        if session not in self.left:
            self.left.append(session)

    def _finish(self, sessions: list[date]) -> None:
        """Settle what waits, run the left sessions late, and repair the book when one of them is refused."""
        last = self.market.settings.calendar.next(sessions[-1])
        self.market.at(last)
        self._tasks(last)
        for session in self.left:
            self._late(session)
        if self.outcome.refusals:
            self.outcome.repaired = True
            for session in self.left:
                repair_book(self.book, "test", session=session, settings=self.market.settings)
            for session in self.left:
                self._tasks(session)
            again = repair_book(self.book, "test", settings=self.market.settings)
            assert again["steps"] == [], again

    def _tasks(self, session: date, first: int = 0) -> None:
        for task in TRADE_TASKS[first:]:
            self._task(task, session)

    def _task(self, task: Task, session: date) -> None:
        run = self.market.run(session, self.book)
        task(run.plan, run)


@dataclass(frozen=True, slots=True)
class Omissions:
    """What a history did of one session.

    Attributes
    ----------
    stages
        The deciding stages whose result later sessions can see.
    unsent
        (symbol, side) of the orders that were decided and never sent.
    """

    session: date
    stages: tuple[str, ...]
    unsent: frozenset[tuple[str, str]]


def omissions(market: FaultMarket, book: str) -> tuple[Omissions, ...]:
    """Read from the database how far each session of a book came."""
    state, orders = StateStore(market.engine), OrderStore(market.engine)
    found = []
    for session in [*market.sessions, market.settings.calendar.next(market.sessions[-1])]:
        if state.portfolio(book, session) is None:
            continue
        seen = {
            "signals": state.stage(book, session, "signals") is not None,
            "targets": state.stage(book, session, "targets") is not None,
            "risk": state.risk_state(book, session) is not None,
            "orders": bool(orders.orders(book, session=session)) or state.decision(book, session) is not None,
        }
        unsent = frozenset((order.symbol, str(order.side)) for order in orders.never_sent(book, session))
        found.append(Omissions(session, tuple(name for name in DECIDING if seen[name]), unsent))
    return tuple(found)


def straight_run(market: FaultMarket, book: str, done: tuple[Omissions, ...]) -> None:
    """Trade the sessions one after the other, undisturbed, without what was left out."""
    for part in done:
        market.at(part.session)
        run = market.run(part.session, book)
        trading.settle(run.plan, run)
        for name in part.stages:
            STAGES[name](run.plan, run)
        _leave_unsent(run, part)
        if "orders" in part.stages and run.state.decision(book, part.session) is not None:
            trading.place(run.plan, run)


def _leave_unsent(run: BookRun, part: Omissions) -> None:
    for order, status in run.orders.orders(run.book.name, session=part.session):
        if (order.symbol, str(order.side)) in part.unsent and status is OrderStatus.INTENDED:
            run.orders.record(order.client_order_id, OrderEvent.CANCEL, run.settings.clock(), "never sent")


def contents(market: FaultMarket, book: str) -> dict[str, Any]:
    """Return everything about money that a book holds, without what names the book or the time of writing."""
    state, orders = StateStore(market.engine), OrderStore(market.engine)
    days = [*market.sessions, market.settings.calendar.next(market.sessions[-1])]
    portfolios = [state.portfolio(book, day) for day in days]
    return {
        "portfolios": [p for p in portfolios if p is not None],
        "risk": [s for s in (state.risk_state(book, day) for day in days) if s is not None],
        "orders": sorted(
            (str(o.session), o.symbol, str(o.side), o.quantity, o.expected_price, o.reason, str(status))
            for o, status in orders.orders(book)
        ),
        "fills": sorted(
            (str(f.session), f.symbol, str(f.side), f.quantity, f.price, f.reference_price, f.commission)
            for f in orders.fills(book)
        ),
    }


class Campaign:
    """Plays histories and compares each with its straight run; straight runs are shared where they are the same."""

    def __init__(self, market: FaultMarket) -> None:
        self.market = market
        self._straight: dict[tuple[Omissions, ...], dict[str, Any]] = {}

    def check(self, seed: int, sigkill: bool = False) -> Outcome:
        """Play the history of a seed; an `AssertionError` names what differs."""
        history = History(self.market, seed, sigkill)
        try:
            outcome = history.play()
            done = omissions(history.market, history.book)
            found = contents(history.market, history.book)
            wanted = self._wanted(history, done)
            for name, values in wanted.items():
                assert found[name] == values, f"seed {seed}: {name} differ from the straight run's"
            open_still = OrderStore(self.market.engine).orders(history.book, statuses=[OrderStatus.INTENDED])
            assert not open_still, f"seed {seed}: orders were never sent nor cancelled: {open_still}"
        except BaseException as error:
            error.add_note(f"history of seed {seed}, faults {dict(history.outcome.faults)}")
            raise
        outcome.orders = len(found["orders"])
        outcome.unsent = sum(len(part.unsent) for part in done)
        return outcome

    def _wanted(self, history: History, done: tuple[Omissions, ...]) -> dict[str, Any]:
        market = history.market
        known = None if market.revised else self._straight.get(done)
        if known is None:
            book = f"{history.book}-straight"
            straight_run(market, book, done)
            known = contents(market, book)
            if not market.revised:
                self._straight[done] = known
        return known

"""Exclusive access of a task to a book, and only while no newer session of the book has begun.

Sessions may be started together, retried, cleared in Airflow or run late. Whichever task comes to a book holds its lock
until it is done, and a task that decides or trades first looks whether the book has gone on: two sessions that both
decide from the same holdings would order everything twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from trading_lib.adapters.stores.books.book_store import BookLock
from trading_lib.adapters.stores.books.repair_store import RepairStore
from trading_lib.domain.errors import OvertakenSessionError
from trading_lib.workflows.stages.results import Closed, Over
from trading_lib.workflows.trade.book_run import BookRun

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class BookTurn:
    """Exclusive access of a task to a book.

    Attributes
    ----------
    newer
        The newest session that the book has a portfolio, stage, risk state, decision or order of, or was opened at,
        where that is newer than the run's; else None.
    """

    run: BookRun
    lock: BookLock
    newer: date | None

    def refuse_overtaken(self) -> None:
        """Raise `OvertakenSessionError` when a newer session has begun."""
        if self.newer is None:
            return
        book, session = self.run.book.name, self.run.session
        raise OvertakenSessionError(
            f"session {session} of book {book} is over: the book has gone on to session {self.newer}, so nothing of"
            f" {session} is decided or sent any more",
            f"`trading book repair --book {book} --session {session}` records what was missed; then its tasks end well",
        )


@contextmanager
def book_turn(run: BookRun) -> Iterator[BookTurn]:
    """Wait for the book's lock, hold it, and read how far the book has come."""
    with run.orders.book_lock(run.book.name) as lock:
        newest = run.state.newest_session(run.book.name) or run.book.opened_session
        newest = max(newest, run.book.opened_session)
        yield BookTurn(run, lock, newest if newest > run.session else None)


def take_turn(
    run: BookRun, work: Callable[[BookTurn], R], is_done: Callable[[BookRun], bool] = lambda run: False
) -> R | Over:
    """Do the work of a task that decides or trades, with exclusive access.

    Parameters
    ----------
    is_done
        Whether the task's result is stored already. A session that was finished before the book went on stands, and its
        tasks may be run again: they change nothing.

    Raises
    ------
    OvertakenSessionError
        When a newer session has begun, and this one was neither finished before nor closed by a repair.
    """
    with book_turn(run) as turn:
        if turn.newer is None:
            return work(turn)
        closed = closed_session(run)
        if closed is not None:
            return closed
        if not is_done(run):
            turn.refuse_overtaken()
        return {"session": run.session.isoformat(), "stands": True, "book_is_at": turn.newer.isoformat()}


def closed_session(run: BookRun) -> Closed | None:
    """Return what every task of a session that a repair closed answers; None for any other session."""
    number = RepairStore(run.engine).closing(run.book.name, run.session)
    return None if number is None else {"session": run.session.isoformat(), "closed_by_repair": number}

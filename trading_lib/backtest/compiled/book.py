"""A book in arrays: what a session leaves to the next. `EndOfDay` is the same in objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trading_lib.domain.holdings import Holdings
from trading_lib.domain.kernels import compiled
from trading_lib.domain.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.risk.numbers import RECOVERY, RiskMemory
from trading_lib.risk.stops import STATES

# Places among a book's counters, after those of `RiskMemory`.
NAV, WORKING = RECOVERY + 1, RECOVERY + 2
# Places in a working order.
ASSET, BUYING, QUANTITY = range(3)


class Book(NamedTuple):
    """One book, or with a further first axis the books of many books; n assets, s sleeves.

    Attributes
    ----------
    account
        Shape (4,), cents: see `accounting.trades`.
    counters
        Shape (8,): see `RiskMemory`; then net asset value in cents, and how many orders wait.
    quantity, mark
        Shape (n,), millionths of a unit and of a dollar.
    average_cost
        Shape (n,), dollars.
    peaks, halved, cooling, ceilings, stop_state
        See `RiskMemory`.
    owned, targets
        Shape (s, n): `SleeveRecord.held` and the sleeve's target.
    memory
        Shape (s, max(n, 2)): of a monthly sleeve, in defence and leaving defence; of a patient one, its runs.
    working
        Shape (n, 3): orders that wait for their opening, in the order they were sent.
    """

    account: IntegerArray
    counters: IntegerArray
    peaks: FloatArray
    quantity: IntegerArray
    mark: IntegerArray
    average_cost: FloatArray
    halved: BoolArray
    cooling: IntegerArray
    ceilings: IntegerArray
    stop_state: FloatArray
    owned: FloatArray
    targets: FloatArray
    memory: FloatArray
    working: IntegerArray

    @property
    def holdings(self) -> Holdings:
        """What the book holds, in the same arrays."""
        return Holdings(self.account, self.quantity, self.mark, self.average_cost)

    @property
    def risk(self) -> RiskMemory:
        """What risk control remembers, in the same arrays."""
        return RiskMemory(self.counters, self.peaks, self.halved, self.cooling, self.ceilings, self.stop_state)


def empty_book(assets: int, sleeves: int, *books: int) -> Book:
    """Return space for a book, or for those of so many evenings; its values mean nothing yet."""
    return Book(
        account=np.empty((*books, 4), np.int64),
        counters=np.empty((*books, WORKING + 1), np.int64),
        peaks=np.empty((*books, 2)),
        quantity=np.empty((*books, assets), np.int64),
        mark=np.empty((*books, assets), np.int64),
        average_cost=np.empty((*books, assets)),
        halved=np.empty((*books, assets), np.bool_),
        cooling=np.empty((*books, assets), np.int64),
        ceilings=np.empty((*books, assets), np.int64),
        stop_state=np.empty((*books, len(STATES), assets)),
        owned=np.empty((*books, sleeves, assets)),
        targets=np.empty((*books, sleeves, assets)),
        memory=np.empty((*books, sleeves, max(assets, 2))),
        working=np.empty((*books, assets, 3), np.int64),
    )


def book_at(books: Book, number: int) -> Book:
    """One of many books."""
    return Book(*(array[number] for array in books))


@compiled
def copy_book(source: Book, target: Book) -> None:
    """Overwrite ``target``."""
    target.account[:] = source.account
    target.counters[:] = source.counters
    target.peaks[:] = source.peaks
    target.quantity[:] = source.quantity
    target.mark[:] = source.mark
    target.average_cost[:] = source.average_cost
    target.halved[:] = source.halved
    target.cooling[:] = source.cooling
    target.ceilings[:] = source.ceilings
    target.stop_state[:] = source.stop_state
    target.owned[:] = source.owned
    target.targets[:] = source.targets
    target.memory[:] = source.memory
    target.working[: source.counters[WORKING]] = source.working[: source.counters[WORKING]]


@compiled
def keep_book(source: Book, books: Book, number: int) -> None:
    """Overwrite one of many books."""
    books.account[number] = source.account
    books.counters[number] = source.counters
    books.peaks[number] = source.peaks
    books.quantity[number] = source.quantity
    books.mark[number] = source.mark
    books.average_cost[number] = source.average_cost
    books.halved[number] = source.halved
    books.cooling[number] = source.cooling
    books.ceilings[number] = source.ceilings
    books.stop_state[number] = source.stop_state
    books.owned[number] = source.owned
    books.targets[number] = source.targets
    books.memory[number] = source.memory
    books.working[number] = source.working

"""A book as arrays: the state that one session leaves to the next. `EndOfDay` is the same as objects."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from trading_lib.domain.book.holdings import Holdings
from trading_lib.domain.kernels import inlined
from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.risk.numbers import RECOVERY, RiskMemory
from trading_lib.risk.stops.stops import STATES

# Places among a book's counters, after those of `RiskMemory`.
NAV, WORKING = RECOVERY + 1, RECOVERY + 2
# Places in a working order.
ASSET, BUYING, QUANTITY = range(3)


class Book(NamedTuple):
    """One book, or with a leading axis the books of many sessions; n assets, s sleeves.

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
        Shape (s, max(n, 2)): of a monthly sleeve, in defence and leaving defence; of a confirmed trend, its runs.
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
    """Allocate a book, or the books of so many sessions; the values are undefined."""
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


@inlined
def overwrite(target: Any, source: Any) -> None:
    """Copy an array element by element: for a dozen numbers the checks of a slice would take longer."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@inlined
def overwrite_rows(target: Any, source: Any) -> None:
    """Copy a table in the same way."""
    for k in range(source.shape[0]):
        for i in range(source.shape[1]):
            target[k, i] = source[k, i]


@inlined
def copy_book(source: Book, target: Book) -> None:
    """Overwrite ``target``."""
    overwrite(target.account, source.account)
    overwrite(target.counters, source.counters)
    overwrite(target.peaks, source.peaks)
    overwrite(target.quantity, source.quantity)
    overwrite(target.mark, source.mark)
    overwrite(target.average_cost, source.average_cost)
    overwrite(target.halved, source.halved)
    overwrite(target.cooling, source.cooling)
    overwrite(target.ceilings, source.ceilings)
    overwrite_rows(target.stop_state, source.stop_state)
    overwrite_rows(target.owned, source.owned)
    overwrite_rows(target.targets, source.targets)
    overwrite_rows(target.memory, source.memory)
    for number in range(source.counters[WORKING]):
        overwrite(target.working[number], source.working[number])


@inlined
def kept_book(books: Book, number: int) -> Book:
    """One of many books, for a kernel to write to."""
    return Book(
        books.account[number],
        books.counters[number],
        books.peaks[number],
        books.quantity[number],
        books.mark[number],
        books.average_cost[number],
        books.halved[number],
        books.cooling[number],
        books.ceilings[number],
        books.stop_state[number],
        books.owned[number],
        books.targets[number],
        books.memory[number],
        books.working[number],
    )

"""A book in arrays: what a session leaves to the next. `Evening` is the same in objects."""

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
    """One book, or with a further first axis the books of many evenings; n assets, s sleeves.

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


def empty_book(assets: int, sleeves: int, *evenings: int) -> Book:
    """Return space for a book, or for those of so many evenings; its values mean nothing yet."""
    return Book(
        account=np.empty((*evenings, 4), np.int64),
        counters=np.empty((*evenings, WORKING + 1), np.int64),
        peaks=np.empty((*evenings, 2)),
        quantity=np.empty((*evenings, assets), np.int64),
        mark=np.empty((*evenings, assets), np.int64),
        average_cost=np.empty((*evenings, assets)),
        halved=np.empty((*evenings, assets), np.bool_),
        cooling=np.empty((*evenings, assets), np.int64),
        ceilings=np.empty((*evenings, assets), np.int64),
        stop_state=np.empty((*evenings, len(STATES), assets)),
        owned=np.empty((*evenings, sleeves, assets)),
        targets=np.empty((*evenings, sleeves, assets)),
        memory=np.empty((*evenings, sleeves, max(assets, 2))),
        working=np.empty((*evenings, assets, 3), np.int64),
    )


def evening_of(evenings: Book, number: int) -> Book:
    """One of many evenings."""
    return Book(*(array[number] for array in evenings))


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
def keep_book(source: Book, evenings: Book, number: int) -> None:
    """Overwrite one of many evenings."""
    evenings.account[number] = source.account
    evenings.counters[number] = source.counters
    evenings.peaks[number] = source.peaks
    evenings.quantity[number] = source.quantity
    evenings.mark[number] = source.mark
    evenings.average_cost[number] = source.average_cost
    evenings.halved[number] = source.halved
    evenings.cooling[number] = source.cooling
    evenings.ceilings[number] = source.ceilings
    evenings.stop_state[number] = source.stop_state
    evenings.owned[number] = source.owned
    evenings.targets[number] = source.targets
    evenings.memory[number] = source.memory
    evenings.working[number] = source.working

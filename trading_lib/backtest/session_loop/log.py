"""What the loop notes of each session, in numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.prices import BoolArray, FloatArray, IntegerArray

# Places in a fill of the log. A reference price of -1 says that no opening was usable; `LEFT` is the quantity that was
# cancelled, and `CASH_THERE` what there was to pay for it, in cents.
ROW, FILL_ASSET, FILL_BUYING, FILL_QUANTITY, PRICE, REFERENCE_PRICE, COMMISSION, LEFT, CASH_THERE = range(9)
# Places among the counts.
FILLS, ORDERS = range(2)


class Log(NamedTuple):
    """What c sessions did, from the outlook's first on.

    Attributes
    ----------
    nav, cash
        Shape (c,), cents.
    levels
        Shape (c,): effective risk levels.
    notable
        Shape (c,): whether there is an event to tell.
    quantity
        Shape (c, n), millionths of a unit.
    held, approved
        Shape (c, n): weights before and after.
    owned, targets
        Shape (c, s, n): of the sleeves.
    blocks, cuts
        Shape (c, n): the rules that forbade buying, see `risk.limits`, and what cut a trade, see `orders.rebalancing`.
    counts
        Shape (2,): fills and orders so far.
    fills
        Shape (c * n, 9); ``orders``, shape (c * n, 4): row, and the places of a working order.
    """

    nav: IntegerArray
    cash: IntegerArray
    levels: NDArray[np.int8]
    notable: BoolArray
    quantity: IntegerArray
    held: FloatArray
    approved: FloatArray
    owned: FloatArray
    targets: FloatArray
    blocks: NDArray[np.uint16]
    cuts: NDArray[np.int8]
    counts: IntegerArray
    fills: IntegerArray
    orders: IntegerArray


def empty_log(sessions: int, assets: int, sleeves: int) -> Log:
    """Return space for so many sessions, with nothing filled, ordered or notable yet."""
    return Log(
        nav=np.empty(sessions, np.int64),
        cash=np.empty(sessions, np.int64),
        levels=np.empty(sessions, np.int8),
        notable=np.zeros(sessions, np.bool_),
        quantity=np.empty((sessions, assets), np.int64),
        held=np.empty((sessions, assets)),
        approved=np.empty((sessions, assets)),
        owned=np.empty((sessions, sleeves, assets)),
        targets=np.empty((sessions, sleeves, assets)),
        blocks=np.empty((sessions, assets), np.uint16),
        cuts=np.zeros((sessions, assets), np.int8),
        counts=np.zeros(2, np.int64),
        fills=np.empty(((sessions + 1) * assets, CASH_THERE + 1), np.int64),
        orders=np.empty((sessions * assets, 4), np.int64),
    )

"""The loop's record of each session, as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray

# Places in a fill of the log. A reference price of -1 says that no opening was usable; `LEFT` is the quantity that was
# cancelled, and `CASH_THERE` what there was to pay for it, in cents.
ROW, FILL_ASSET, FILL_BUYING, FILL_QUANTITY, PRICE, REFERENCE_PRICE, COMMISSION, LEFT, CASH_THERE = range(9)
# Places in an order of the log, the places of a working order between them; the mark is what a risk order is expected
# to bring per unit, 0 for any other.
ORDER_ROW, ORDER_MARK = 0, 4
# Places among the counts.
FILLS, ORDERS, BOOKS = range(3)


class Log(NamedTuple):
    """What happened in c sessions, from the first session of the market inputs on.

    Attributes
    ----------
    nav, cash
        Shape (c,), cents.
    levels
        Shape (c,): effective risk levels.
    has_events
        Shape (c,): whether the session has a risk event, so that it is replayed where events are read.
    quantity
        Shape (c, n), millionths of a unit.
    held, approved
        Shape (c, n): weights before and after.
    wanted
        Shape (c, n): the sleeves' blended targets.
    owned
        Shape (c, s, n): what each sleeve owns of the weights held.
    blocks, cuts
        Shape (c, n): the rules that forbade buying, see `risk.limits`, and what cut a trade, see `orders.rebalancing`.
    book
        Shape (c,): where the book before a session with events is among those that were kept.
    counts
        Shape (3,): fills, orders and kept books so far.
    fills
        Shape (c * n, 9); ``orders``, shape (c * n, 5): row, the places of a working order, mark of a risk order;
        ``order_targets``, shape (c * n, s): what each sleeve wants of its asset. Memory is touched only as far as it
        is filled.
    """

    nav: IntegerArray
    cash: IntegerArray
    levels: NDArray[np.int8]
    has_events: BoolArray
    quantity: IntegerArray
    held: FloatArray
    approved: FloatArray
    wanted: FloatArray
    owned: FloatArray
    blocks: NDArray[np.uint16]
    cuts: NDArray[np.int8]
    book: NDArray[np.int32]
    counts: IntegerArray
    fills: IntegerArray
    orders: IntegerArray
    order_targets: FloatArray


def empty_log(sessions: int, assets: int, sleeves: int) -> Log:
    """Allocate the log of so many sessions, without fills, orders or events."""
    return Log(
        nav=np.empty(sessions, np.int64),
        cash=np.empty(sessions, np.int64),
        levels=np.empty(sessions, np.int8),
        has_events=np.zeros(sessions, np.bool_),
        quantity=np.empty((sessions, assets), np.int64),
        held=np.empty((sessions, assets)),
        approved=np.empty((sessions, assets)),
        wanted=np.empty((sessions, assets)),
        owned=np.empty((sessions, sleeves, assets)),
        blocks=np.empty((sessions, assets), np.uint16),
        cuts=np.zeros((sessions, assets), np.int8),
        book=np.empty(sessions, np.int32),
        counts=np.zeros(3, np.int64),
        fills=np.empty(((sessions + 1) * assets, CASH_THERE + 1), np.int64),
        orders=np.empty((sessions * assets, ORDER_MARK + 1), np.int64),
        order_targets=np.empty((sessions * assets, sleeves)),
    )

"""Fills as arrays, rounded to the cent the way the books round them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import DateArray, FloatArray


@dataclass(frozen=True, slots=True)
class TradeArrays:
    """F fills in the order they were booked.

    Attributes
    ----------
    row, column
        int64, shape (F,): session in whose accounting the fill falls, and asset.
    flow
        Shape (F,): dollars received, negative for purchases, before commission.
    commission, slippage
        Shape (F,): dollars paid, none negative. Slippage is the distance from the reference price.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    flow: FloatArray
    commission: FloatArray
    slippage: FloatArray

    def spread(self, values: FloatArray, shape: tuple[int, int]) -> FloatArray:
        """Sum ``values`` (F,) into an array of (sessions, assets)."""
        flat = np.bincount(self.row * shape[1] + self.column, weights=values, minlength=shape[0] * shape[1])
        # Without a single fill numpy counts instead of adding up.
        return flat.astype(np.float64).reshape(shape)

    def by_session(self, values: FloatArray, sessions: int) -> FloatArray:
        """Sum ``values`` (F,) by session, shape (sessions,)."""
        return np.bincount(self.row, weights=values, minlength=sessions).astype(np.float64)


def tabulate(fills: Sequence[Fill], sessions: DateArray, universe: Universe) -> TradeArrays:
    """Turn fills into arrays; a fill outside ``sessions`` is a KeyError.

    A perpetual's fills count as trades in the asset that it hedges.
    """
    rows = {day: row for row, day in enumerate(sessions.astype("datetime64[D]").astype(object))}
    table = np.array([_dollars(fill) for fill in fills], dtype=np.float64).reshape(len(fills), 3)
    return TradeArrays(
        row=np.array([rows[fill.session] for fill in fills], dtype=np.int64),
        column=np.array([universe.traded(fill.symbol)[1] for fill in fills], dtype=np.int64),
        flow=table[:, 0],
        commission=table[:, 1],
        slippage=table[:, 2],
    )


def _dollars(fill: Fill) -> tuple[float, float, float]:
    notional = to_cent(fill.quantity * fill.price)
    slippage = to_cent(abs(fill.price - fill.reference_price) * fill.quantity)
    flow = notional if fill.side is Side.SELL else -notional
    return float(flow), float(fill.commission), float(slippage)

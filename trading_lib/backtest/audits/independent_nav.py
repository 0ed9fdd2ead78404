"""Net asset value recomputed independently: vectorbt's accounting of the orders that filled.

The engine's bookkeeping is decimal, exact to the cent, one fill at a time; vectorbt's is floating point over arrays.
Given the same fills, both must give the same value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trading_lib.backtest.engine import BacktestResult
from trading_lib.domain.book.flows import net_by_session
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.market.prices import FloatArray
from trading_lib.session.inputs import SessionInput

# vectorbt refuses what cash does not cover at that moment, while a session's sales and purchases fill together.
CREDIT = 1e8


def independent_nav(data: SessionInput, result: BacktestResult, fills: Sequence[Fill] | None = None) -> FloatArray:
    """Net asset value at every decision as vectorbt's ``Portfolio.from_orders`` accounts for it, shape (S,).

    Shares are counted in those of the first session, so that a split changes nothing; dividends, which vectorbt does
    not know, are added as cash, and so are flows of capital.

    Parameters
    ----------
    fills
        Those to account for; by default the run's own.
    """
    # Importing vectorbt takes many seconds, so it is imported only here.
    import vectorbt  # type: ignore[import-untyped]

    start = int(np.searchsorted(data.panel.sessions, result.sessions[0]))
    rows = slice(start, start + len(result.sessions))
    ratio = data.panel.split[rows].copy()
    ratio[0] = 1.0
    shares: FloatArray = np.cumprod(ratio, axis=0).astype(np.float64)
    size, price, fees = _orders(data, result, result.fills if fills is None else fills, shares)
    close = np.nan_to_num(data.panel.close[rows], nan=1.0) * shares
    portfolio = vectorbt.Portfolio.from_orders(
        close,
        size=size,
        price=price,
        fixed_fees=fees,
        init_cash=float(data.initial_cash) + CREDIT,
        cash_sharing=True,
        group_by=np.zeros(close.shape[1], dtype=np.int64),
    )
    value: FloatArray = np.asarray(portfolio.value(), dtype=np.float64).reshape(-1) - CREDIT
    came = _dividends(data, result, rows) + net_by_session(data.flows, result.sessions)
    return value + np.cumsum(came)


def _orders(
    data: SessionInput, result: BacktestResult, fills: Sequence[Fill], shares: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    size = np.zeros(shares.shape)
    spent = np.zeros(shares.shape)
    fees = np.zeros(shares.shape)
    # A fill on a day without a session counts in the next one.
    days = np.array([fill.session for fill in fills], dtype="datetime64[D]")
    rows = np.searchsorted(result.sessions.astype("datetime64[D]"), days)
    for fill, row in zip(fills, rows, strict=True):
        column = data.universe.positions[fill.symbol]
        signed = float(fill.quantity) * (1 if fill.side is Side.BUY else -1)
        size[row, column] += signed / shares[row, column]
        spent[row, column] += signed * float(fill.price)
        fees[row, column] += float(fill.commission) + _rounding(fill)
    price = np.divide(spent, size, out=np.ones_like(spent), where=size != 0)
    return np.where(size != 0, size, np.nan), price, fees


def _rounding(fill: Fill) -> float:
    """Return what rounding the notional to the cent costs."""
    exact = fill.quantity * fill.price
    cents = to_cent(exact) - exact
    return float(cents if fill.side is Side.BUY else -cents)


def _dividends(data: SessionInput, result: BacktestResult, rows: slice) -> FloatArray:
    """Dividends of each session: the positions of the previous close, in new shares where they were split."""
    paid = np.zeros(len(result.sessions))
    per_share, split = np.nan_to_num(data.panel.dividend[rows]), data.panel.split[rows]
    for row in range(1, len(paid)):
        held = result.quantity[row - 1] * split[row]
        paid[row] = np.round(held * per_share[row], 2).sum()
    return paid


def largest_difference(nav: FloatArray, other: FloatArray) -> float:
    """Largest difference as a share of the engine's net asset value."""
    return float(np.abs(other / nav - 1.0).max())

"""Bootstrapped crisis paths: blocks of historical crisis sessions, by the stationary bootstrap.

A block takes all assets of its sessions together, so that their joint behaviour is kept. Input: bars of crises.
Output: moves. After Politis and Romano, The Stationary Bootstrap (1994).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading_lib.backtest.stress.scenarios import CrisisPathConfig
from trading_lib.backtest.stress.synthetic_sessions import SessionMoves, column_matrix, index_levels
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import Bars, BoolArray, DateArray, FloatArray


def moves_of(bars: Bars, universe: Universe, sessions: DateArray) -> SessionMoves:
    """Turn the bars of real sessions into moves.

    Dividends count as part of the close, and splits are undone; the first session, which has no close before it, brings
    no bars.
    """
    price = {name: column_matrix(bars, universe, sessions, name) for name in ("open", "high", "low", "close")}
    dividend = np.nan_to_num(column_matrix(bars, universe, sessions, "dividend"))
    split = np.nan_to_num(column_matrix(bars, universe, sessions, "split"), nan=1.0)
    before = np.full_like(price["close"], np.nan)
    before[1:] = _carried(price["close"])[:-1]
    ratio = {name: (values * split + (dividend if name == "close" else 0.0)) / before for name, values in price.items()}
    # With the dividend in it, a close may lie above the day's high.
    ratio["high"] = np.fmax(ratio["high"], ratio["close"])
    ratio["low"] = np.fmin(ratio["low"], ratio["close"])
    return SessionMoves(**ratio, volatility_index=index_levels(bars, sessions))


def _carried(values: FloatArray) -> FloatArray:
    """Carry the last value of every column forward."""
    rows = np.where(np.isfinite(values), np.arange(len(values))[:, None], 0)
    carried: FloatArray = np.take_along_axis(values, np.maximum.accumulate(rows, axis=0), axis=0)
    return carried


def draw_sessions(usable: BoolArray, config: CrisisPathConfig) -> NDArray[np.int64]:
    """Draw which session each session of each path repeats, shape (paths, sessions).

    Parameters
    ----------
    usable
        Shape (S,): sessions that belong to a crisis. A block that reaches one that doesn't ends there.
    """
    generator = np.random.default_rng(config.seed)
    choices = np.flatnonzero(usable)
    drawn = np.empty((config.paths, config.sessions), dtype=np.int64)
    for path in drawn:
        for step in range(config.sessions):
            after = path[step - 1] + 1 if step else len(usable)
            ends = step == 0 or generator.random() < 1.0 / config.mean_block
            goes_on = not ends and after < len(usable) and usable[after]
            path[step] = after if goes_on else generator.choice(choices)
    return drawn


def repeated(moves: SessionMoves, drawn: NDArray[np.int64]) -> SessionMoves:
    """Return the moves of the drawn sessions, one after another."""
    return SessionMoves(
        moves.open[drawn], moves.high[drawn], moves.low[drawn], moves.close[drawn], moves.volatility_index[drawn]
    )

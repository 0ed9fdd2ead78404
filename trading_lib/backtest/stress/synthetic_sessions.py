"""Synthetic sessions as moves from one close to the next, and price history continued by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trading_lib.domain.market.instruments import Instrument, TradingCalendar, Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, DateArray, FloatArray
from trading_lib.domain.market.sessions import (
    daily_bar_available_at,
    session_bar_available_at,
    volatility_index_available_at,
)

ONE_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class SessionMoves:
    """Moves of n assets over S sessions, as ratios to the close before; NaN where the asset brings no bar.

    Attributes
    ----------
    open, high, low, close
        Shape (S, n).
    volatility_index
        Shape (S,): the level of ^VIX, NaN where there is none.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volatility_index: FloatArray


def continue_bars(bars: Bars, universe: Universe, sessions: DateArray, moves: SessionMoves, source: str) -> Bars:
    """Cut ``bars`` off before the first of ``sessions`` and continue every asset that has a price by its moves.

    What trades every day moves on the dates of the sessions and rests on the days between. No dividends are paid and
    nothing is split.
    """
    before = bars.frame[bars.frame["date"] < pd.Timestamp(sessions[0])]
    pieces = [before.assign(source=source)]
    newest = before.dropna(subset=["close"]).drop_duplicates("symbol", keep="last").set_index("symbol").T
    for column, instrument in enumerate(universe):
        if instrument.symbol in newest.columns:
            last = newest[instrument.symbol]
            pieces.append(_continued(instrument, last, sessions, moves, column, source))
    pieces.append(_index_rows(sessions, moves.volatility_index, source))
    return Bars.from_frame(pd.concat([piece for piece in pieces if len(piece)], ignore_index=True))


def _continued(
    instrument: Instrument, last: pd.Series, sessions: DateArray, moves: SessionMoves, column: int, source: str
) -> pd.DataFrame:
    brought = np.isfinite(moves.close[:, column])
    ratios = np.where(brought, moves.close[:, column], 1.0)
    closes: FloatArray = (float(last["close"]) * np.cumprod(ratios)).astype(np.float64)
    before = closes / ratios
    prices: dict[str, FloatArray] = {
        name: before * np.where(brought, getattr(moves, name)[:, column], 1.0) for name in ("open", "high", "low")
    }
    prices["close"] = closes
    if instrument.calendar is TradingCalendar.ALWAYS:
        return _every_day(instrument, last, sessions, prices, source)
    return _rows(
        instrument.symbol,
        sessions[brought],
        session_bar_available_at(sessions[brought]),
        {name: values[brought] for name, values in prices.items()},
        float(last["volume"]),
        source,
    )


def _every_day(
    instrument: Instrument, last: pd.Series, sessions: DateArray, prices: dict[str, FloatArray], source: str
) -> pd.DataFrame:
    """One bar for every day after the last known one; on days between sessions the price rests."""
    first = np.datetime64(last["date"], "D") + ONE_DAY
    # One day more than the sessions: the order of the last decision fills at its opening.
    days = np.arange(first, sessions[-1] + 2 * ONE_DAY)
    at = np.searchsorted(sessions, days, side="right") - 1
    resting = np.where(at < 0, float(last["close"]), prices["close"][np.maximum(at, 0)])
    moving = (at >= 0) & (sessions[np.maximum(at, 0)] == days)
    values = {name: np.where(moving, series[np.maximum(at, 0)], resting) for name, series in prices.items()}
    volume = float(last["volume"])
    return _rows(instrument.symbol, days, daily_bar_available_at(days), values, volume, source)


def _index_rows(sessions: DateArray, levels: FloatArray, source: str) -> pd.DataFrame:
    finite = np.isfinite(levels)
    prices = dict.fromkeys(("open", "high", "low", "close"), levels[finite])
    days = sessions[finite]
    return _rows(VOLATILITY_INDEX, days, volatility_index_available_at(days), prices, 0.0, source)


def _rows(
    symbol: str, days: DateArray, history: DateArray, prices: dict[str, FloatArray], volume: float, source: str
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": symbol,
            "date": days.astype("datetime64[us]"),
            **prices,
            "adj_close": np.nan,
            "volume": volume,
            "dividend": 0.0,
            "split": 1.0,
            "source": source,
            "adjustment": "raw",
            "available_at": pd.DatetimeIndex(history.astype("datetime64[us]")).tz_localize("UTC"),
        }
    )


def column_matrix(bars: Bars, universe: Universe, sessions: DateArray, name: str) -> FloatArray:
    """One column of the bars on the dates of ``sessions``, shape (S, n), NaN where there is no bar."""
    matrix = np.full((len(sessions), len(universe)), np.nan)
    for symbol, days, values in _by_symbol(bars, name):
        column = universe.positions.get(symbol)
        if column is None:
            continue
        at = np.minimum(np.searchsorted(days, sessions), len(days) - 1)
        matches = days[at] == sessions
        matrix[matches, column] = values[at[matches]]
    return matrix


def index_levels(bars: Bars, sessions: DateArray) -> FloatArray:
    """Read the closes of ^VIX on the dates of ``sessions``, shape (S,), NaN where there is none."""
    levels = np.full(len(sessions), np.nan)
    for symbol, days, values in _by_symbol(bars, "close"):
        if symbol == VOLATILITY_INDEX:
            at = np.minimum(np.searchsorted(days, sessions), len(days) - 1)
            levels[:] = np.where(days[at] == sessions, values[at], np.nan)
    return levels


def _by_symbol(bars: Bars, name: str) -> Iterator[tuple[str, DateArray, FloatArray]]:
    for symbol, rows in bars.frame.groupby("symbol", sort=False):
        yield str(symbol), rows["date"].to_numpy().astype("datetime64[D]"), rows[name].to_numpy(np.float64)

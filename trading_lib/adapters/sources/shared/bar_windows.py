"""Windows of bars: stamp each bar with the instant it became available, and cut out the requested window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd

from trading_lib.domain.market.instruments import TradingCalendar, Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, DateArray
from trading_lib.domain.market.sessions import (
    daily_bar_available_at,
    session_bar_available_at,
    volatility_index_available_at,
)
from trading_lib.market_data.source import SourceAnswer


def bar_available_at(symbols: pd.Series, dates: DateArray, universe: Universe) -> DateArray:
    """When bars are known (UTC datetime64[us]), by the calendar of each row's symbol.

    Parameters
    ----------
    symbols, dates
        One row per bar, shape (n,); symbols of ``universe`` or ^VIX.
    """
    available = session_bar_available_at(dates)
    always = [i.symbol for i in universe if i.calendar is TradingCalendar.ALWAYS]
    every_day = symbols.isin(always).to_numpy(dtype=bool)
    available[every_day] = daily_bar_available_at(dates[every_day])
    index = (symbols == VOLATILITY_INDEX).to_numpy(dtype=bool)
    if index.any():
        available[index] = volatility_index_available_at(dates[index])
    return available


def stamp_bars(rows: pd.DataFrame, universe: Universe, source: str) -> Bars:
    """Add ``source`` and ``available_at`` to price rows and make them `Bars`."""
    available = bar_available_at(rows["symbol"], rows["date"].to_numpy(), universe)
    stamped = rows.assign(source=source, available_at=pd.Series(available, index=rows.index).dt.tz_localize("UTC"))
    return Bars.from_frame(stamped)


def answer_from_history(
    history: Bars,
    source: str,
    symbols: Sequence[str],
    first: date,
    last: date,
    as_of: datetime,
    notes: tuple[str, ...] = (),
) -> SourceAnswer:
    """Cut ``symbols``, dates and as-of out of a whole history; a symbol without a bar there becomes a failure."""
    frame = history.frame
    # A history is sorted by symbol, so each symbol is one slice; comparing 75,000 strings would take longer.
    names = frame["symbol"].to_numpy(dtype=object)
    pieces, failures = [], {}
    for symbol in sorted(dict.fromkeys(symbols)):
        start, stop = np.searchsorted(names, symbol, "left"), np.searchsorted(names, symbol, "right")
        rows = frame.iloc[start:stop]
        inside = (
            (rows["date"] >= pd.Timestamp(first))
            & (rows["date"] <= pd.Timestamp(last))
            & (rows["available_at"] <= pd.Timestamp(as_of))
        )
        if inside.any():
            pieces.append(rows[inside])
        elif rows.empty:
            failures[symbol] = f"{source} has no bars of {symbol}"
        else:
            failures[symbol] = (
                f"{source} has no bars of {symbol} from {first} to {last} known at {as_of:%Y-%m-%d %H:%M} UTC"
                f" (it has {rows['date'].iloc[0]:%Y-%m-%d} to {rows['date'].iloc[-1]:%Y-%m-%d})"
            )
    bars = Bars(pd.concat(pieces, ignore_index=True)) if pieces else Bars.empty()
    return SourceAnswer(bars=bars, failures=failures, notes=notes)

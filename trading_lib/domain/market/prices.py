"""Prices as values: `Bars` (long, as a source delivers them) and `PricePanel` (wide, as known at each decision)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntegerArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
DateArray = NDArray[np.datetime64]

VOLATILITY_INDEX = "^VIX"

BAR_COLUMNS: dict[str, str] = {
    "symbol": "str",
    "date": "datetime64[us]",
    "open": "float64",
    "high": "float64",
    "low": "float64",
    "close": "float64",
    "adj_close": "float64",
    "volume": "float64",
    "dividend": "float64",
    "split": "float64",
    "source": "str",
    "adjustment": "str",
    "available_at": "datetime64[us, UTC]",
}
MACRO_COLUMNS: dict[str, str] = {
    "series": "str",
    "date": "datetime64[us]",
    "value": "float64",
    "source": "str",
    "available_at": "datetime64[us, UTC]",
}


@dataclass(frozen=True, slots=True)
class Bars:
    """Daily bars in long form, one row per (symbol, date), sorted by both.

    Attributes
    ----------
    frame
        Columns of `BAR_COLUMNS`. ``open``..``close`` are raw prices in dollars (``adjustment`` says "raw",
        or "split" where the vendor has split-adjusted prices only; second opinions may be "total_return",
        adjusted for dividends as well); ``adj_close`` is the vendor's fully
        adjusted close or NaN; ``dividend`` is cash per share on its ex-date, 0 when there is none, NaN when
        the source does not say; ``split`` is new shares per old share, 1 when there is none; ``volume`` is in
        units of the instrument or NaN. ``date`` is the exchange date (UTC day for 24/7 instruments) and
        ``available_at`` the instant the bar could first be known.
    """

    frame: pd.DataFrame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Bars:
        """Select, order, type and sort the columns of `BAR_COLUMNS`; a missing column is a KeyError."""
        typed = frame[list(BAR_COLUMNS)].astype(BAR_COLUMNS)
        return cls(typed.sort_values(["symbol", "date"], kind="stable", ignore_index=True))

    @classmethod
    def empty(cls) -> Bars:
        """No bars."""
        return cls(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in BAR_COLUMNS.items()}))

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Distinct symbols in ascending order."""
        return tuple(sorted(self.frame["symbol"].unique()))


@dataclass(frozen=True, slots=True)
class MacroSeries:
    """Macro observations in long form: columns of `MACRO_COLUMNS`, values in the series' own unit.

    From a source that knows its vintages an observation comes once per revision, each with its own ``available_at``;
    from any other it comes once, with the instant at which such observations are usually known.
    """

    frame: pd.DataFrame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> MacroSeries:
        """Select, type and sort the columns of `MACRO_COLUMNS`; revisions of an observation in order of their time."""
        typed = frame[list(MACRO_COLUMNS)].astype(MACRO_COLUMNS)
        return cls(typed.sort_values(["series", "date", "available_at"], kind="stable", ignore_index=True))

    @classmethod
    def empty(cls) -> MacroSeries:
        """No observations."""
        return cls(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in MACRO_COLUMNS.items()}))


@dataclass(frozen=True, slots=True)
class NativeSeries:
    """Total-return prices of one symbol on its own trading days; the factors' input.

    Attributes
    ----------
    dates
        datetime64[D], shape (n_bars,): the symbol's own bars, no gaps filled in.
    close, high, low
        Total-return prices, shape (n_bars,): raw prices times a growth factor that starts at 1 and rises with
        every dividend and split. Forward adjustment never changes the past, so a value computed from
        history up to D is the same whatever comes after D.
    factor
        The growth factor, shape (n_bars,); ``close / factor`` is the raw close.
    last_known
        int64, shape (n_sessions,): index of the newest bar known at the decision time of each session of the
        panel, -1 before the first.
    periods_per_year
        252 for exchange sessions, 365 for instruments that trade every day.
    """

    dates: DateArray
    close: FloatArray
    high: FloatArray
    low: FloatArray
    factor: FloatArray
    last_known: NDArray[np.int64]
    periods_per_year: float


@dataclass(frozen=True, slots=True)
class DailyBars:
    """Raw bars of an instrument that trades every day, by UTC day; its fills on days without a session.

    Attributes
    ----------
    days
        datetime64[D], shape (n_bars,), ascending.
    open, low, high, close
        Dollars, shape (n_bars,); NaN where not known, as the close of a day that is not complete.
    """

    days: DateArray
    open: FloatArray
    low: FloatArray
    high: FloatArray
    close: FloatArray

    def opening(self, day: date) -> tuple[float, float, float]:
        """Open, low and high of the bar of ``day``; NaN where there is none."""
        at = int(np.searchsorted(self.days, np.datetime64(day)))
        if at == len(self.days) or self.days[at] != np.datetime64(day):
            return math.nan, math.nan, math.nan
        return float(self.open[at]), float(self.low[at]), float(self.high[at])

    def known_close(self, day: date) -> float:
        """Return the newest close that is complete on ``day``, which is an earlier day's; NaN before the first."""
        complete = np.flatnonzero(np.isfinite(self.close[: int(np.searchsorted(self.days, np.datetime64(day)))]))
        return float(self.close[complete[-1]]) if len(complete) else math.nan


@dataclass(frozen=True, slots=True)
class PricePanel:
    """Prices as known at the decision time of each session; row t holds nothing that became known later.

    The asset axis is the universe's order; n = number of assets, T = number of sessions.

    Attributes
    ----------
    symbols, sessions
        Asset axis, and datetime64[D] of shape (T,).
    close
        Raw price, shape (T, n): the newest known close (24/7 instruments: the last complete UTC day), carried
        forward over missing bars; NaN before the first bar.
    fresh
        Shape (T, n): whether the session brought a new bar. Without one there is no new risk in the asset.
    price_day, price_age
        Shape (T, n): day of the newest known bar as datetime64[D], NaT before the first, and its age in sessions (0:
        this session's), -1 before the first.
    fill_open
        Shape (T, n): raw opening price at which an order decided at session t - 1 fills (exchange: open of
        session t; 24/7: open of the UTC day after session t - 1). NaN where there is none.
    fill_low, fill_high
        Shape (T, n): range of the bar that ``fill_open`` opens, NaN where it is not known. No decision sees them; they
        distinguish an opening that was traded from one that was not. The bar of a 24/7 instrument may be complete only
        after decision t.
    fill_volume
        Shape (T, n): volume of that bar, for reports; NaN where it is not known.
    dividend, split
        Shape (T, n): cash per share and new shares per old share with ex-date in (session t - 1, session t].
    volume
        Shape (T, n): of the newest known bar.
    mark_return
        Shape (T, n): simple total return between the marks of sessions t - 1 and t; 0 where not fresh, NaN
        before inception.
    common_return
        Shape (T, n): total log return over common sessions for correlations. Column i of row t belongs to
        session t - common_lag[i]; NaN where a bar is missing on either end.
    common_lag
        int64, shape (n,): 0 for exchange assets, 1 for 24/7 ones, whose bar of session t is not complete at
        the decision.
    native
        Per symbol, the series on its own trading days.
    volatility_index, volatility_index_age
        Shape (T,): newest known ^VIX close and its age in sessions (0 = this session); NaN and -1 when none.
    cash_rate
        Shape (T,): annual cash rate as a fraction, NaN when unknown.
    month_end
        Shape (T,): whether the exchange's calendar has no later session in the month.
    source
        Where the bars come from, e.g. "simulated".
    daily
        Symbol -> bars of the instruments that trade every day, also of days without a session.
    """

    symbols: tuple[str, ...]
    sessions: DateArray
    close: FloatArray
    fresh: BoolArray
    price_day: DateArray
    price_age: IntegerArray
    fill_open: FloatArray
    fill_low: FloatArray
    fill_high: FloatArray
    fill_volume: FloatArray
    dividend: FloatArray
    split: FloatArray
    volume: FloatArray
    mark_return: FloatArray
    common_return: FloatArray
    common_lag: NDArray[np.int64]
    native: tuple[NativeSeries, ...]
    volatility_index: FloatArray
    volatility_index_age: NDArray[np.int64]
    cash_rate: FloatArray
    month_end: BoolArray
    source: str
    daily: Mapping[str, DailyBars] = field(default_factory=dict)

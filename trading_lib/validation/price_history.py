"""One symbol's prices as one vendor tells them, as arrays: the input of the history rules. Input: price rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trading_lib.domain.market.prices import BoolArray, DateArray, FloatArray

# A price that never moves has no scale of its own; half a percent is a quiet day of a liquid fund.
QUIET_SCALE = 0.005
FEWEST_MOVES = 5
INTRADAY_SPACING = 0.9
SEVERAL_DAYS_SPACING = 4.0


@dataclass(frozen=True, eq=False)
class PriceHistory:
    """Rows with a usable close, in order of time; arrays have shape (n,).

    Attributes
    ----------
    times
        datetime64[us]; midnight of the exchange date for daily bars.
    open, high, low, close, adj_close, volume
        As stated; all but ``close`` are NaN where unknown.
    dividend, split, capital_gain
        As the vendor states them, before any reasoning: cash per share, new shares per old one (1: none), cash.
        ``dividend`` is NaN where the vendor has no such column. What falls on a row without a price counts on the
        next row with one.
    """

    symbol: str
    times: DateArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    adj_close: FloatArray
    volume: FloatArray
    dividend: FloatArray
    split: FloatArray
    capital_gain: FloatArray

    def __len__(self) -> int:
        return len(self.times)

    def take(self, rows: NDArray[np.int64] | slice) -> PriceHistory:
        """Return the given rows as a history of their own."""
        return PriceHistory(
            symbol=self.symbol,
            times=self.times[rows],
            open=self.open[rows],
            high=self.high[rows],
            low=self.low[rows],
            close=self.close[rows],
            adj_close=self.adj_close[rows],
            volume=self.volume[rows],
            dividend=self.dividend[rows],
            split=self.split[rows],
            capital_gain=self.capital_gain[rows],
        )

    @cached_property
    def days(self) -> DateArray:
        """Dates, datetime64[D]."""
        return self.times.astype("datetime64[D]")

    @cached_property
    def spacing(self) -> float:
        """Median days between bars: 1 for daily, 7 for weekly, below 1 for intraday bars."""
        if len(self) < 2:
            return 1.0
        return float(np.median(np.diff(self.times) / np.timedelta64(1, "D")))

    @property
    def intraday(self) -> bool:
        """Whether bars are shorter than a day; rules about daily moves do not apply then."""
        return self.spacing < INTRADAY_SPACING

    @property
    def several_days(self) -> bool:
        """Whether one bar covers several days, so that an action may show in the bar after its own."""
        return self.spacing >= SEVERAL_DAYS_SPACING

    @cached_property
    def plain_return(self) -> FloatArray:
        """Log return of the close, NaN in the first row."""
        return log_return(self.close)

    @cached_property
    def split_visible(self) -> BoolArray:
        """Where the close itself falls with a stated split: undoing it leaves a smaller move than the close made."""
        change = np.nan_to_num(self.plain_return)
        visible: BoolArray = (self.split != 1) & (np.abs(change + np.log(self.split)) < np.abs(change))
        return visible

    @cached_property
    def factor(self) -> FloatArray:
        """Adjusted close over close, NaN where there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.adj_close > 0, self.adj_close / self.close, np.nan)

    @cached_property
    def total_return(self) -> FloatArray:
        """Log total return: of the adjusted close where there is one, else of the close with stated actions."""
        cash = np.nan_to_num(self.dividend)
        ratio = np.where(self.split_visible, self.split, 1.0)
        returns = np.full(len(self), np.nan)
        returns[1:] = np.log((self.close[1:] + cash[1:]) * ratio[1:] / self.close[:-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            vendor = log_return(np.where(self.adj_close > 0, self.adj_close, np.nan))
        return np.where(np.isfinite(vendor), vendor, returns)

    @cached_property
    def scale(self) -> float:
        """Robust standard deviation of the total log return."""
        return robust_scale(self.total_return)

    @cached_property
    def untraded(self) -> BoolArray:
        """Rows whose stated volume is zero: a quote at which nothing changed hands."""
        untraded: BoolArray = self.volume == 0
        return untraded


def log_return(values: FloatArray) -> FloatArray:
    """Log of the ratio to the row before; NaN in the first row."""
    result = np.full(len(values), np.nan)
    result[1:] = np.log(values[1:] / values[:-1])
    return result


def robust_scale(returns: FloatArray) -> float:
    """Median absolute deviation in units of a standard deviation (x 1.4826).

    Where more than half of the returns are zero (quotes that stand still) it is taken over the others, and
    `QUIET_SCALE` where there are too few of those: one leap must not become its own yardstick.
    """
    finite = returns[np.isfinite(returns)]
    if not len(finite):
        return QUIET_SCALE
    deviation = float(np.median(np.abs(finite - np.median(finite))))
    if deviation <= 0:
        moved = np.abs(finite[finite != 0])
        deviation = float(np.median(moved)) if len(moved) >= FEWEST_MOVES else 0.0
    return 1.4826 * deviation if deviation > 0 else QUIET_SCALE


def split_histories(frame: pd.DataFrame) -> Iterator[PriceHistory]:
    """One `PriceHistory` per symbol of a frame sorted by symbol and date.

    Columns symbol, date (a time of day is kept), close, adj_close, volume, dividend, split and optionally
    open, high, low and capital_gain. Rows whose close is missing, infinite or not positive, and repeated rows, are
    left out.
    """
    if frame.empty:
        return
    symbols = frame["symbol"].to_numpy(dtype=object)
    starts = np.flatnonzero(np.r_[True, symbols[1:] != symbols[:-1]])
    times = frame["date"].to_numpy().astype("datetime64[us]")
    names = ("open", "high", "low", "close", "adj_close", "volume", "dividend", "split", "capital_gain")
    numbers = {
        name: frame[name].to_numpy(dtype=np.float64) if name in frame else np.full(len(frame), np.nan) for name in names
    }
    for start, stop in zip(starts, np.r_[starts[1:], len(symbols)], strict=True):
        part = {name: values[start:stop] for name, values in numbers.items()}
        yield _history(str(symbols[start]), times[start:stop], part)


def _history(symbol: str, times: DateArray, columns: dict[str, FloatArray]) -> PriceHistory:
    # Of several rows of one instant the first counts; that there are several is another rule's finding.
    usable = np.isfinite(columns["close"]) & (columns["close"] > 0) & np.r_[True, times[1:] != times[:-1]]
    split = columns["split"]
    return PriceHistory(
        symbol=symbol,
        times=times[usable],
        open=columns["open"][usable],
        high=columns["high"][usable],
        low=columns["low"][usable],
        close=columns["close"][usable],
        adj_close=columns["adj_close"][usable],
        volume=columns["volume"][usable],
        dividend=_onto_usable(columns["dividend"], usable),
        # Vendors write 0 for "no split".
        split=np.where(np.isfinite(split) & (split > 0), split, 1.0)[usable],
        capital_gain=_onto_usable(np.nan_to_num(columns["capital_gain"]), usable),
    )


def _onto_usable(values: FloatArray, usable: BoolArray) -> FloatArray:
    kept = values[usable]
    lost = np.flatnonzero(~usable & (np.nan_to_num(values) > 0))
    if len(lost) and len(kept):
        target = np.searchsorted(np.flatnonzero(usable), lost)
        for row, value in zip(target, values[lost], strict=True):
            if row < len(kept):
                kept[row] = np.nan_to_num(kept[row]) + value
    return kept

"""`Bars` -> `PricePanel`: what was known at the decision time of every session.

Input: long bars, macro series, the universe, the exchange calendar. Output: the wide panel. A row uses only bars
whose publication time is not after that row's decision time, so cutting the input after session D changes no
row up to D.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.instruments import Instrument, TradingCalendar, Universe
from trading_lib.domain.market.prices import (
    VOLATILITY_INDEX,
    Bars,
    BoolArray,
    DailyBars,
    DateArray,
    FloatArray,
    IntegerArray,
    MacroSeries,
    NativeSeries,
    PricePanel,
)
from trading_lib.domain.market.sessions import (
    DECISION_DELAY,
    SessionCalendar,
    daily_bar_available_at,
    session_bar_available_at,
    volatility_index_available_at,
)

# The first of these that the macro data holds is the cash rate; all are annual percentages.
CASH_RATE_SERIES = ("DFF", "FEDFUNDS", "DGS3MO", "DTB3")
ONE_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class _Columns:
    """One symbol's bars as arrays; ``complete`` marks rows with a close."""

    dates: DateArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    dividend: FloatArray
    split: FloatArray


@dataclass(frozen=True, slots=True)
class _AssetColumns:
    """One asset's columns of the panel, each of shape (T,), and its native series."""

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
    native: NativeSeries


def assemble_panel(
    bars: Bars, macro: MacroSeries, universe: Universe, calendar: SessionCalendar, last: date | None = None
) -> PricePanel:
    """Build the panel from the first session with a bar to ``last`` (default: the newest session with a bar).

    Rows without a close (a 24/7 bar that has opened but is not complete) contribute to ``fill_open``, and to the range
    that it is checked against, and nothing else.

    Raises
    ------
    DataFileError
        When no instrument of the universe has a bar.
    """
    grouped = _by_symbol(bars.frame)
    series = [grouped[symbol] for symbol in universe.symbols if symbol in grouped]
    if not series:
        until, later = ("", "") if last is None else (f" up to {last}", "choose a later window, or ")
        raise DataFileError(
            f"there is no price of any instrument of the universe{until}",
            f"{later}load data for at least one of {', '.join(universe.symbols)}",
        )
    first_day = min(columns.dates[0] for columns in series)
    last_day = max(columns.dates[-1] for columns in series) if last is None else np.datetime64(last)
    sessions = calendar.between(first_day.item(), last_day.item())
    decisions = decision_times(calendar, sessions)
    assets = [_asset(i, grouped.get(i.symbol, _NO_ROWS), sessions, decisions) for i in universe]
    index, age = _volatility_index(grouped.get(VOLATILITY_INDEX, _NO_ROWS), sessions, decisions)
    always = np.array([i.calendar is TradingCalendar.ALWAYS for i in universe])
    return PricePanel(
        symbols=universe.symbols,
        sessions=sessions,
        close=_stack([a.close for a in assets]),
        fresh=np.column_stack([a.fresh for a in assets]),
        price_day=np.column_stack([a.price_day for a in assets]),
        price_age=np.column_stack([a.price_age for a in assets]),
        fill_open=_stack([a.fill_open for a in assets]),
        fill_low=_stack([a.fill_low for a in assets]),
        fill_high=_stack([a.fill_high for a in assets]),
        fill_volume=_stack([a.fill_volume for a in assets]),
        dividend=_stack([a.dividend for a in assets]),
        split=_stack([a.split for a in assets]),
        volume=_stack([a.volume for a in assets]),
        mark_return=_stack([a.mark_return for a in assets]),
        common_return=_stack([a.common_return for a in assets]),
        common_lag=always.astype(np.int64),
        native=tuple(a.native for a in assets),
        volatility_index=index,
        volatility_index_age=age,
        cash_rate=_cash_rate(macro.frame, decisions),
        month_end=calendar.month_ends(sessions),
        source=_source_name(bars.frame),
        daily={s: _daily(grouped.get(s, _NO_ROWS)) for s, daily in zip(universe.symbols, always, strict=True) if daily},
    )


_NO_ROWS = _Columns(np.empty(0, "datetime64[D]"), *(np.empty(0) for _ in range(7)))


def _by_symbol(frame: pd.DataFrame) -> dict[str, _Columns]:
    symbols = frame["symbol"].to_numpy(dtype=object)
    if not len(symbols):
        return {}
    # Bars are sorted by symbol, so each symbol is one slice.
    starts = np.flatnonzero(np.r_[True, symbols[1:] != symbols[:-1]])
    ends = np.r_[starts[1:], len(symbols)]
    dates = frame["date"].to_numpy().astype("datetime64[D]")
    numbers = {
        name: frame[name].to_numpy(dtype=np.float64)
        for name in ("open", "high", "low", "close", "volume", "dividend", "split")
    }
    return {
        str(symbols[a]): _Columns(dates[a:b], **{name: values[a:b] for name, values in numbers.items()})
        for a, b in zip(starts, ends, strict=True)
    }


def _daily(rows: _Columns) -> DailyBars:
    # Copied: views of a frame may not be written, and would keep the whole of it.
    return DailyBars(rows.dates.copy(), rows.open.copy(), rows.low.copy(), rows.high.copy(), rows.close.copy())


def decision_times(calendar: SessionCalendar, sessions: DateArray) -> DateArray:
    """Instants (UTC datetime64[us]) at which ``sessions`` are decided, same shape."""
    position = np.searchsorted(calendar.sessions, sessions)
    times: DateArray = calendar.closes[position] + np.timedelta64(DECISION_DELAY)
    return times


def _asset(instrument: Instrument, rows: _Columns, sessions: DateArray, decisions: DateArray) -> _AssetColumns:
    always = instrument.calendar is TradingCalendar.ALWAYS
    complete = np.isfinite(rows.close)
    native = _native(rows, complete, always, decisions)
    has, at = native.last_known >= 0, np.maximum(native.last_known, 0)
    price_day = _take_dates(native.dates, at)
    fresh = has & (price_day == (sessions - ONE_DAY if always else sessions))
    total = _take(native.close, at, has)
    previous = np.r_[np.nan, total[:-1]]
    fill_open, fill_low, fill_high, fill_volume = _fill_bars(rows, sessions, always)
    return _AssetColumns(
        close=_take(rows.close[complete], at, has),
        fresh=fresh,
        price_day=np.where(has, price_day, np.datetime64("NaT")),
        price_age=_age_in_sessions(fresh, has),
        fill_open=fill_open,
        fill_low=fill_low,
        fill_high=fill_high,
        fill_volume=fill_volume,
        dividend=_by_session(rows.dates, rows.dividend, sessions, empty=0.0),
        split=_by_session(rows.dates, rows.split, sessions, empty=1.0),
        volume=_take(rows.volume[complete], at, has),
        mark_return=total / previous - 1.0,
        common_return=_common_return(native, sessions, always),
        native=native,
    )


def _age_in_sessions(fresh: BoolArray, has: BoolArray) -> IntegerArray:
    rows = np.arange(len(fresh))
    newest = np.maximum.accumulate(np.where(fresh, rows, -1))
    return np.where(has, rows - newest, -1)


def _native(rows: _Columns, complete: BoolArray, always: bool, decisions: DateArray) -> NativeSeries:
    dates, close = rows.dates[complete], rows.close[complete]
    available = daily_bar_available_at(dates) if always else session_bar_available_at(dates)
    factor = growth_factor(close, rows.dividend[complete], rows.split[complete])
    return NativeSeries(
        dates=dates,
        close=close * factor,
        high=rows.high[complete] * factor,
        low=rows.low[complete] * factor,
        factor=factor,
        last_known=np.searchsorted(available, decisions, side="right").astype(np.int64) - 1,
        periods_per_year=365.0 if always else 252.0,
    )


def growth_factor(close: FloatArray, dividend: FloatArray, split: FloatArray) -> FloatArray:
    """Factor that turns raw closes into total-return prices; starts at 1 and depends on the past alone.

    On an ex-date it is multiplied by ``split / (1 - dividend / prior)`` with the prior close in new shares, the
    reciprocal of the usual backward adjustment. NaN dividends count as none. Shapes (n_bars,).
    """
    if not len(close):
        return np.empty(0)
    step: FloatArray = np.ones(len(close))
    paid = np.nan_to_num(dividend[1:], nan=0.0)
    ratio = np.where(np.isfinite(split[1:]) & (split[1:] > 0), split[1:], 1.0)
    prior = close[:-1] / ratio
    # A dividend of the whole price or more cannot be reinvested; validation reports it, the factor ignores it.
    sane = (paid > 0) & (paid < prior)
    step[1:] = ratio / np.where(sane, 1.0 - paid / np.where(prior > 0, prior, 1.0), 1.0)
    return np.multiply.accumulate(step)


def _fill_bars(rows: _Columns, sessions: DateArray, always: bool) -> list[FloatArray]:
    """Open, low, high and volume of the bar at whose opening each session's fills are made."""
    days = np.r_[sessions[:1] - ONE_DAY, sessions[:-1]] + ONE_DAY if always else sessions
    columns = (rows.open, rows.low, rows.high, rows.volume)
    if not len(rows.dates):
        return [np.full(len(sessions), np.nan) for _ in columns]
    position = np.searchsorted(rows.dates, days).clip(max=len(rows.dates) - 1)
    matches = rows.dates[position] == days
    return [np.where(matches, values[position], np.nan) for values in columns]


def _by_session(dates: DateArray, values: FloatArray, sessions: DateArray, empty: float) -> FloatArray:
    """Put actions on the first session on or after their ex-date."""
    result = np.full(len(sessions), empty)
    # Some sources write 0 for "no split"; a split by 0 or a negative dividend does not exist.
    effective = np.flatnonzero(np.isfinite(values) & (values > 0) & (values != empty))
    position = np.searchsorted(sessions, dates[effective])
    for row, value in zip(position, values[effective], strict=True):
        if row < len(sessions):
            result[row] = result[row] * value if empty else result[row] + value
    return result


def _common_return(native: NativeSeries, sessions: DateArray, always: bool) -> FloatArray:
    result = np.full(len(sessions), np.nan)
    if not len(native.dates):
        return result
    position = np.searchsorted(native.dates, sessions).clip(max=len(native.dates) - 1)
    on_session = np.where(native.dates[position] == sessions, native.close[position], np.nan)
    returns = np.log(on_session[1:] / on_session[:-1])
    if always:
        # The bar of session t is complete only after the decision; row t therefore holds session t - 1.
        result[2:] = returns[:-1]
    else:
        result[1:] = returns
    return result


def _volatility_index(
    rows: _Columns, sessions: DateArray, decisions: DateArray
) -> tuple[FloatArray, NDArray[np.int64]]:
    complete = np.isfinite(rows.close)
    dates, close = rows.dates[complete], rows.close[complete]
    last = np.searchsorted(volatility_index_available_at(dates), decisions, side="right") - 1
    has, at = last >= 0, np.maximum(last, 0)
    days = _take_dates(dates, at)
    session_of_reading = np.searchsorted(sessions, days, side="right") - 1
    age = np.where(has, np.arange(len(sessions)) - session_of_reading, -1)
    return _take(close, at, has), age.astype(np.int64)


def _cash_rate(frame: pd.DataFrame, decisions: DateArray) -> FloatArray:
    for series in CASH_RATE_SERIES:
        rows = frame[(frame["series"] == series) & frame["value"].notna()]
        if len(rows):
            rows = rows.sort_values(["available_at", "date"], kind="stable")
            # An old observation that is revised late does not become the newest one.
            rows = rows[rows["date"] == rows["date"].cummax()]
            available = rows["available_at"].dt.tz_convert(None).to_numpy().astype("datetime64[us]")
            last = np.searchsorted(available, decisions, side="right") - 1
            return _take(rows["value"].to_numpy(np.float64) / 100.0, np.maximum(last, 0), last >= 0)
    return np.full(len(decisions), np.nan)


def _source_name(frame: pd.DataFrame) -> str:
    names = frame["source"].unique()
    return str(names[0]) if len(names) == 1 else ", ".join(sorted(str(name) for name in names))


def _take(values: FloatArray, at: NDArray[np.int64], has: BoolArray) -> FloatArray:
    if not len(values):
        return np.full(len(at), np.nan)
    return np.where(has, values[at], np.nan)


def _take_dates(dates: DateArray, at: NDArray[np.int64]) -> DateArray:
    if not len(dates):
        return np.full(len(at), np.datetime64("NaT"), "datetime64[D]")
    return dates[at]


def _stack(columns: list[FloatArray]) -> FloatArray:
    return np.ascontiguousarray(np.column_stack(columns))

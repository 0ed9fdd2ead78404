"""Bars and macro values as the stores hold them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from trading_lib.domain.market.prices import BAR_COLUMNS, Bars, MacroSeries

SOURCE = "files:test"
DAY = date(2024, 3, 4)
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


def known_at(day: date) -> datetime:
    """The next 00:00 UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def bar(symbol: str = "SPY", day: date = DAY, **changes: object) -> dict[str, object]:
    """One bar as a row; ``changes`` override any column."""
    row: dict[str, object] = {
        "symbol": symbol,
        "date": pd.Timestamp(day),
        "open": 100.0,
        "high": 103.5,
        "low": 99.25,
        "close": 101.1,
        "adj_close": 98.7,
        "volume": 1_234_567.0,
        "dividend": 0.0,
        "split": 1.0,
        "source": SOURCE,
        "adjustment": "raw",
        "available_at": known_at(day),
    }
    return row | changes


def bars(*rows: dict[str, object]) -> Bars:
    """Bars from rows."""
    return Bars.from_frame(pd.DataFrame(list(rows), columns=list(BAR_COLUMNS))) if rows else Bars.empty()


def random_bars(symbols: list[str], days: int, seed: int = 7) -> Bars:
    """Bars with random 64-bit patterns in the prices, a quarter of them missing."""
    random = np.random.default_rng(seed)
    dates = np.datetime64("2020-01-01") + np.arange(days)
    rows = len(symbols) * days
    numbers = {name: random.lognormal(size=rows) for name in ("open", "high", "low", "close", "adj_close", "volume")}
    for values in numbers.values():
        values[random.random(rows) < 0.25] = np.nan
    frame = pd.DataFrame(
        {
            "symbol": np.repeat(symbols, days),
            "date": np.tile(dates, len(symbols)),
            **numbers,
            "dividend": np.where(random.random(rows) < 0.5, np.nan, 0.0),
            "split": 1.0,
            "source": SOURCE,
            "adjustment": np.repeat([("raw", "split")[i % 2] for i in range(len(symbols))], days),
            "available_at": pd.DatetimeIndex(np.tile(dates + np.timedelta64(1, "D"), len(symbols))).tz_localize("UTC"),
        }
    )
    return Bars.from_frame(frame)


def macro(*rows: tuple[str, date, float, datetime], source: str = SOURCE) -> MacroSeries:
    """Macro observations from (series, date, value, available_at)."""
    frame = pd.DataFrame(list(rows), columns=["series", "date", "value", "available_at"])
    return MacroSeries.from_frame(frame.assign(source=source))

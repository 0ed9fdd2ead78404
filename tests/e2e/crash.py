"""A paper book that meets a crash: prices that rise for a year and fall by a third within one session."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from tests.builders.prices import universe
from trading_lib.domain.market.instruments import TradingCalendar
from trading_lib.domain.market.sessions import exchange_sessions

BOOK = "paper-crash"
FIRST, LAST = date(2020, 1, 2), date(2021, 3, 31)
BEFORE = (date(2021, 3, 1), date(2021, 3, 2), date(2021, 3, 3), date(2021, 3, 4))
CRASH, AFTER = date(2021, 3, 5), date(2021, 3, 8)
FALL = 0.65


def write_crash_folder(folder: Path) -> Path:
    """Write the universe's bars and ^VIX; each asset moves on its own, but for the crash."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(11)
    sessions = exchange_sessions().between(FIRST, LAST)
    every_day = np.arange(np.datetime64(FIRST), np.datetime64(LAST) + np.timedelta64(1, "D"))
    frames = []
    for instrument in universe():
        days = every_day if instrument.calendar is TradingCalendar.ALWAYS else sessions
        close = 80 * np.exp(np.cumsum(0.0012 + generator.normal(0, 0.006, len(days))))
        opening = np.r_[close[0], close[:-1]]
        # The coin's bar of the day before is the newest one known at the decision.
        first_low = CRASH if instrument.calendar is TradingCalendar.XNYS else date(2021, 3, 4)
        close[days >= np.datetime64(first_low)] *= FALL
        opening[days > np.datetime64(first_low)] *= FALL
        frames.append(
            pd.DataFrame(
                {
                    "symbol": instrument.symbol,
                    "date": days.astype("datetime64[us]"),
                    "open": opening.round(4),
                    "high": np.maximum(opening, close).round(4),
                    "low": np.minimum(opening, close).round(4),
                    "close": close.round(4),
                    "volume": 2e6,
                }
            )
        )
    quiet = {"symbol": "^VIX", "open": 15.0, "high": 15.0, "low": 15.0, "close": 15.0, "volume": 0.0}
    frames.append(pd.DataFrame({"date": sessions.astype("datetime64[us]"), **quiet}))
    pd.concat(frames, ignore_index=True).to_parquet(folder / "prices.parquet", index=False)
    return folder

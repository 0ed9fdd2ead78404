"""A folder of made-up but consistent prices, written as a user would keep them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from tests.builders.prices import universe
from trading_lib.domain.market.instruments import TradingCalendar
from trading_lib.domain.market.sessions import exchange_sessions


def write_price_folder(folder: Path, first: date, last: date, seed: int = 7) -> Path:
    """Write one Parquet file of the universe's bars and one CSV of ^VIX; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    sessions = exchange_sessions().between(first, last)
    every_day = np.arange(np.datetime64(first), np.datetime64(last) + np.timedelta64(1, "D"))
    frames = []
    market = generator.standard_t(4, len(every_day)) * 0.006
    for instrument in universe():
        days = every_day if instrument.calendar is TradingCalendar.ALWAYS else sessions
        shared = market[np.searchsorted(every_day, days)]
        own = generator.standard_t(5, len(days)) * 0.006
        close = 80 * np.exp(np.cumsum(0.0004 + shared * generator.uniform(-0.5, 1.5) + own))
        opening = np.r_[close[0], close[:-1]] * np.exp(generator.normal(0, 0.003, len(days)))
        reach = np.abs(generator.normal(0, 0.004, (2, len(days))))
        dividend = np.zeros(len(days))
        if instrument.symbol in ("SPY", "TLT", "XLE"):
            # The price falls by what is paid out.
            paid = np.cumprod(np.where(np.arange(len(days)) % 63 == 30, 1 - 0.004, 1.0))
            before = close[29:-1:63] * paid[29:-1:63]
            dividend[30::63] = np.round(before * 0.004, 2)
            close, opening = close * paid, opening * paid
        frames.append(
            pd.DataFrame(
                {
                    "symbol": instrument.symbol,
                    "date": days.astype("datetime64[us]"),
                    "open": opening.round(4),
                    "high": (np.maximum(opening, close) * (1 + reach[0])).round(4),
                    "low": (np.minimum(opening, close) * (1 - reach[1])).round(4),
                    "close": close.round(4),
                    "volume": generator.integers(1_000_000, 5_000_000, len(days)).astype(float),
                    "dividend": dividend,
                }
            )
        )
    pd.concat(frames, ignore_index=True).to_parquet(folder / "prices.parquet", index=False)
    index = 16 + 6 * np.abs(np.sin(np.arange(len(sessions)) / 40)) + generator.gamma(1, 1, len(sessions))
    level = index.round(2)
    volatility = pd.DataFrame({"symbol": "^VIX", "date": sessions.astype(str), "open": level, "high": level + 1})
    volatility.assign(low=level - 1, close=level, volume=0).to_csv(folder / "volatility.csv", index=False)
    return folder

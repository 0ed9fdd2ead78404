"""Price histories: a seeded random walk with whatever defect a test plants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.validation.price_history import PriceHistory, split_histories

FIRST, LAST = date(2021, 1, 4), date(2022, 6, 30)
DAYS = exchange_sessions().between(FIRST, LAST)
SCALE = 0.01


def walk(seed: int = 1, scale: float = SCALE, days: np.ndarray = DAYS) -> np.ndarray:
    """Closes that start at 100 and move by normal returns of ``scale`` a day."""
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, scale, len(days))))


def price_frame(symbol: str = "SPY", close: np.ndarray | None = None, days: np.ndarray = DAYS) -> pd.DataFrame:
    """Sound rows as a vendor writes them: no actions, the adjusted close equal to the close."""
    prices = walk(days=days) if close is None else close
    return pd.DataFrame(
        {
            "symbol": symbol,
            "date": days.astype("datetime64[us]"),
            "open": prices,
            "high": prices * 1.01,
            "low": prices * 0.99,
            "close": prices,
            "adj_close": prices,
            "volume": 1e6,
            "dividend": 0.0,
            "split": 1.0,
            "adjustment": "split",
        }
    )


def with_dividends(frame: pd.DataFrame, shares: Mapping[int, float]) -> pd.DataFrame:
    """Pay ``shares`` (row -> share of the price before it): the price falls, the adjusted close does not."""
    paid = frame.copy()
    for row, share in sorted(shares.items()):
        for column in ("open", "high", "low", "close"):
            paid.loc[row:, column] *= 1 - share
        paid.loc[row, "dividend"] = share * paid.loc[row - 1, "close"]
    factor = np.ones(len(paid))
    for row, share in shares.items():
        factor[:row] *= 1 - share
    return paid.assign(adj_close=paid["close"] * factor)


def scaled(frame: pd.DataFrame, rows: slice, ratio: float) -> pd.DataFrame:
    """Multiply every price of ``rows`` by ``ratio``."""
    changed = frame.copy()
    for column in ("open", "high", "low", "close", "adj_close"):
        position = changed.columns.get_loc(column)
        changed.iloc[rows, position] = changed.iloc[rows, position] * ratio
    return changed


def history(frame: pd.DataFrame) -> PriceHistory:
    """The frame's only history."""
    (only,) = split_histories(frame)
    return only

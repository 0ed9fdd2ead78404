"""The days of the simulated market and its random streams. Input: seed. Output: arrays over UTC days."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from trading_lib.domain.market.prices import BoolArray, DateArray, FloatArray
from trading_lib.domain.market.sessions import LAST_SESSION_YEAR, exchange_sessions

FIRST_DAY = date(2004, 1, 2)
LAST_DAY = date(LAST_SESSION_YEAR, 12, 31)


@dataclass(frozen=True, slots=True)
class MarketAxis:
    """Every UTC day of the simulation and which of them are exchange sessions.

    Attributes
    ----------
    days
        datetime64[D], shape (n_days,).
    is_session
        Shape (n_days,).
    """

    days: DateArray
    is_session: BoolArray

    def __len__(self) -> int:
        return len(self.days)

    def position(self, day: date) -> int:
        """Index of ``day``."""
        return int((np.datetime64(day) - self.days[0]).astype(int))


@cache
def market_axis() -> MarketAxis:
    """All UTC days from `FIRST_DAY` to `LAST_DAY`."""
    days = np.arange(np.datetime64(FIRST_DAY), np.datetime64(LAST_DAY) + np.timedelta64(1, "D"))
    return MarketAxis(days, np.isin(days, exchange_sessions().sessions))


def stream(seed: int, name: str) -> np.random.Generator:
    """Return a random stream of its own for each purpose: adding an asset never changes another asset's prices."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


def heavy_tailed(generator: np.random.Generator, shape: tuple[int, ...], degrees: float) -> FloatArray:
    """Student t draws scaled to unit variance, clipped at 7: rarer would be a broken feed, not a market."""
    draws = generator.standard_t(degrees, shape) * np.sqrt((degrees - 2) / degrees)
    clipped: FloatArray = np.clip(draws, -7.0, 7.0)
    return clipped

"""Which daily bars are due by when. Input: a symbol, dates, an instant. Output: dates and instants.

A bar is due from the instant it can first be known; whether a source has it by then is not asked here.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np

from trading_lib.domain.market.instruments import TradingCalendar, Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, DateArray
from trading_lib.domain.market.sessions import (
    daily_bar_available_at,
    exchange_sessions,
    require_aware,
    session_bar_available_at,
    volatility_index_available_at,
)

ONE_DAY = timedelta(days=1)


def due_dates(symbol: str, universe: Universe, first: date, last: date, as_of: datetime) -> DateArray:
    """Dates in ``first`` .. ``last`` whose bars of ``symbol`` are due at ``as_of``, ascending, datetime64[D].

    Exchange sessions for exchange symbols and ^VIX, every day for 24/7 instruments; none before the instrument's
    inception.
    """
    moment = np.datetime64(require_aware(as_of, "as_of").replace(tzinfo=None), "us")
    start = max(first, inception_of(symbol, universe) or first)
    if start > last:
        return np.empty(0, "datetime64[D]")
    if _always_open(symbol, universe):
        days = np.arange(np.datetime64(start, "D"), np.datetime64(last, "D") + 1)
        return days[daily_bar_available_at(days) <= moment]
    days = exchange_sessions().between(start, last)
    available = volatility_index_available_at(days) if symbol == VOLATILITY_INDEX else session_bar_available_at(days)
    return days[available <= moment]


def newest_due(symbol: str, universe: Universe, first: date, last: date, as_of: datetime) -> date | None:
    """Return the last of `due_dates`, None when there is none."""
    days = due_dates(symbol, universe, first, last, as_of)
    newest: date | None = days[-1].item() if len(days) else None
    return newest


def settled_by(last: date) -> datetime:
    """Instant by which every bar of ``last`` and before is due, whatever the instrument: the next 00:00 UTC."""
    return datetime(last.year, last.month, last.day, tzinfo=UTC) + ONE_DAY


def inception_of(symbol: str, universe: Universe) -> date | None:
    """First day with a price of an instrument of the universe; None when none is stated, and for ^VIX."""
    return None if symbol == VOLATILITY_INDEX else universe[symbol].inception


def _always_open(symbol: str, universe: Universe) -> bool:
    return symbol != VOLATILITY_INDEX and universe[symbol].calendar is TradingCalendar.ALWAYS

"""12-1 momentum: a worked example by hand, and its count in exchange sessions."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tests.builders.markets import CALENDAR, at, market_of
from tests.builders.prices import bars_of, price_rows
from trading_lib.factors.calculator import MOMENTUM_12_1
from trading_lib.workflows.data.market import Market

FIRST, LAST = date(2021, 1, 4), date(2022, 6, 30)
SESSIONS = CALENDAR.between(FIRST, LAST)


def values_of(market: Market, symbol: str) -> np.ndarray:
    factors = market.factors
    return factors.values[factors.names.index(MOMENTUM_12_1), :, at(symbol)]


def flat_but(prices: dict[int, float]) -> np.ndarray:
    close = np.full(len(SESSIONS), 100.0)
    for row, price in prices.items():
        close[row] = price
    return close


def test_it_compares_the_price_a_month_ago_with_that_of_a_year_ago() -> None:
    # At row 300 the year began at row 48 and the month at row 279: 132 / 110 - 1 = 20 %. Nothing else matters.
    close = flat_but({48: 110.0, 279: 132.0, 49: 7.0, 280: 900.0, 300: 3.0, 299: 55.0})
    market = market_of(
        bars_of(price_rows("SPY", SESSIONS.astype(object), open=close, high=close, low=close, close=close))
    )
    assert values_of(market, "SPY")[300] == pytest.approx(0.20)


def test_it_is_missing_until_252_sessions_have_passed() -> None:
    market = market_of(bars_of(price_rows("SPY", SESSIONS.astype(object))))
    found = values_of(market, "SPY")
    assert np.isnan(found[:252]).all()
    assert (found[252:] == 0.0).all()
    short = market_of(bars_of(price_rows("SPY", SESSIONS[:30].astype(object))))
    assert np.isnan(values_of(short, "SPY")).all()


def test_bitcoin_is_counted_in_the_same_sessions() -> None:
    days = np.arange(np.datetime64(FIRST), np.datetime64(LAST) + np.timedelta64(1, "D"))
    rise = 1.001 ** np.arange(len(days))
    crypto = price_rows("BTC-USD", days.astype(object), open=rise, high=rise, low=rise, close=rise)
    market = market_of(bars_of(price_rows("SPY", SESSIONS.astype(object)), crypto))
    row = 300
    apart = (SESSIONS[row - 21] - SESSIONS[row - 252]) / np.timedelta64(1, "D")
    assert apart > 330  # calendar days between the two sessions, not 231
    assert values_of(market, "BTC-USD")[row] == pytest.approx(1.001**apart - 1)

"""Factor kernels against independent answers: pandas-ta-classic, numpy, and Wilder's method as published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pandas_ta_classic as ta
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_lib.domain.kernels import python_version
from trading_lib.domain.market.prices import FloatArray
from trading_lib.factors import kernels

# StockCharts ChartSchool, "Relative Strength Index (RSI)", worked example cs-rsi.xls: 33 closes of QQQQ from
# 2009-12-14 on and the 14-day RSI the sheet shows for the last 19 of them.
PUBLISHED_CLOSES = (
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931,
    46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521,
    45.7137, 46.4515, 45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
)  # fmt: skip
PUBLISHED_RSI = (
    70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99, 41.46, 41.87,
    45.46, 37.30, 33.08, 37.77,
)  # fmt: skip


def random_prices(seed: int, rows: int = 700) -> tuple[FloatArray, FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(generator.standard_t(4, rows) * 0.01))
    reach = np.abs(generator.normal(0, 0.008, (2, rows)))
    return close * (1 + reach[0]), close * (1 - reach[1]), close


@pytest.mark.parametrize("seed", range(5))
def test_factors_equal_pandas_ta_classic(seed: int) -> None:
    assert_equal_to_pandas_ta(*random_prices(seed))


@pytest.mark.parametrize("symbol", ["SPY", "TLT", "XLE"])
def test_factors_equal_pandas_ta_classic_on_real_prices(shared_market_data: Any, symbol: str) -> None:
    prices = pd.read_parquet(shared_market_data / "etf_daily.parquet")
    rows = prices[prices["symbol"] == symbol].sort_values("date")
    scale = rows["adj_close"] / rows["close"]
    columns = [(rows[name] * scale).to_numpy(np.float64) for name in ("high", "low", "close")]
    assert len(columns[0]) > 4000
    assert_equal_to_pandas_ta(*columns)


def assert_equal_to_pandas_ta(high: FloatArray, low: FloatArray, close: FloatArray) -> None:
    prices, highs, lows = pd.Series(close), pd.Series(high), pd.Series(low)
    returns = np.log(prices).diff()
    for periods in (60, 120):
        assert_same(kernels.momentum(close, periods), prices.pct_change(periods))
    for periods in (20, 50, 200):
        assert_same(kernels.simple_moving_average(close, periods), ta.sma(prices, length=periods, talib=False))
    for periods in (20, 60):
        expected = ta.stdev(returns, length=periods, ddof=1, talib=False) * np.sqrt(252)
        assert_same(kernels.volatility(close, periods, 252.0), expected)
    assert_same(kernels.relative_strength_index(close, 14), ta.rsi(prices, length=14, talib=False))
    assert_same(kernels.average_true_range(high, low, close, 14), ta.atr(highs, lows, prices, length=14, talib=False))


def assert_same(found: FloatArray, expected: pd.Series) -> None:
    np.testing.assert_allclose(found, expected.to_numpy(np.float64), rtol=1e-10, atol=1e-10, equal_nan=True)


def test_rsi_equals_the_published_worked_example() -> None:
    found = kernels.relative_strength_index(np.array(PUBLISHED_CLOSES), 14)
    assert np.isnan(found[:14]).all()
    np.testing.assert_allclose(found[14:], PUBLISHED_RSI, atol=0.0051)


def test_rsi_at_its_bounds() -> None:
    rising = np.arange(1.0, 40.0)
    assert kernels.relative_strength_index(rising, 14)[-1] == 100.0
    assert kernels.relative_strength_index(rising[::-1].copy(), 14)[-1] == 0.0
    assert kernels.relative_strength_index(np.full(40, 5.0), 14)[-1] == 50.0


def test_the_true_range_counts_gaps() -> None:
    high, low, close = np.full(4, 11.0), np.full(4, 9.0), np.array([10.0, 10.0, 20.0, 10.0])
    # Ranges after the first row: 2, 2 (high - low), then |9 - 20| = 11.
    assert kernels.average_true_range(high, low, close, 3)[3] == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("factor", "first"),
    [
        (lambda c: kernels.momentum(c, 60), 60),
        (lambda c: kernels.volatility(c, 20, 252.0), 20),
        (lambda c: kernels.simple_moving_average(c, 50), 49),
        (lambda c: kernels.relative_strength_index(c, 14), 14),
        (lambda c: kernels.average_true_range(c, c, c, 14), 14),
    ],
)
def test_a_factor_is_missing_until_its_lookback_is_complete(
    factor: Callable[[FloatArray], FloatArray], first: int
) -> None:
    found = factor(random_prices(3, 100)[2])
    assert np.isnan(found[:first]).all()
    assert np.isfinite(found[first:]).all()
    assert np.isnan(factor(random_prices(3, first)[2])).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(0, 90), flat=st.booleans())
def test_compiled_and_uncompiled_agree(seed: int, rows: int, flat: bool) -> None:
    high, low, close = random_prices(seed, rows)
    if flat:
        high = low = close = np.full(rows, 7.0)
    calls: list[tuple[Any, tuple[Any, ...]]] = [
        (kernels.momentum, (close, 10)),
        (kernels.simple_moving_average, (close, 20)),
        (kernels.volatility, (close, 20, 252.0)),
        (kernels.relative_strength_index, (close, 14)),
        (kernels.average_true_range, (high, low, close, 14)),
    ]
    for kernel, arguments in calls:
        np.testing.assert_allclose(kernel(*arguments), python_version(kernel)(*arguments), rtol=1e-12, atol=1e-12)


@given(seed=st.integers(0, 1000), cut=st.integers(1, 299))
@settings(max_examples=40, deadline=None)
def test_what_comes_later_changes_no_factor(seed: int, cut: int) -> None:
    high, low, close = random_prices(seed, 300)
    for kernel in (
        lambda h, lo, c: kernels.volatility(c, 20, 252.0),
        lambda h, lo, c: kernels.simple_moving_average(c, 50),
        lambda h, lo, c: kernels.relative_strength_index(c, 14),
        lambda h, lo, c: kernels.average_true_range(h, lo, c, 14),
    ):
        assert kernel(high[:cut], low[:cut], close[:cut]).tobytes() == kernel(high, low, close)[:cut].tobytes()

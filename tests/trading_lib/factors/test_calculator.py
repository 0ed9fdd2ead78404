"""Factors of a whole panel: on each asset's own days, read off at each decision."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tests.builders.markets import ASSETS, CALENDAR, at, market_of, random_bars
from tests.builders.prices import bars_of, price_rows
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.factors import kernels
from trading_lib.factors.calculator import FACTOR_NAMES, PRICE_LIKE, calculate_factors, in_dollars


@pytest.fixture(scope="module")
def market():  # type: ignore[no-untyped-def]
    return market_of(random_bars(date(2021, 1, 4), date(2022, 12, 30), seed=5))


def test_every_factor_has_its_place(market) -> None:  # type: ignore[no-untyped-def]
    assert len(set(FACTOR_NAMES)) == 10
    assert market.factors.values.shape == (10, len(market.panel.sessions), ASSETS)


def test_an_asset_without_a_fresh_bar_has_no_factor(market) -> None:  # type: ignore[no-untyped-def]
    stale = ~market.panel.fresh
    assert stale.any()
    assert np.isnan(market.factors.values[:, stale]).all()
    assert np.isnan(market.factors.total_return_close[stale]).all()


def test_factors_are_those_of_the_assets_own_series(market) -> None:  # type: ignore[no-untyped-def]
    panel, btc = market.panel, at("BTC-USD")
    row = len(panel.sessions) - 1
    while not panel.fresh[row, btc]:
        row -= 1
    series = panel.native[btc]
    newest = series.last_known[row]
    assert series.dates[newest] == panel.sessions[row] - np.timedelta64(1, "D")
    names = {name: position for position, name in enumerate(FACTOR_NAMES)}
    # Sixty of Bitcoin's own days, weekends included, annualised with 365.
    assert market.factors.values[names["Momentum_60"], row, btc] == pytest.approx(
        series.close[newest] / series.close[newest - 60] - 1
    )
    own = np.diff(np.log(series.close[newest - 20 : newest + 1])).std(ddof=1) * np.sqrt(365)
    assert market.factors.values[names["Volatility_20"], row, btc] == pytest.approx(own, rel=1e-9)


def test_price_like_factors_read_in_raw_dollars(market) -> None:  # type: ignore[no-untyped-def]
    panel, xle = market.panel, at("XLE")
    row = int(np.flatnonzero(panel.fresh[:, xle])[-1])
    dollars = in_dollars(market.factors, row)
    series, newest = panel.native[xle], panel.native[xle].last_known[row]
    factor = series.factor[newest]
    assert factor > 1.9  # the split doubled it
    average = kernels.simple_moving_average(series.close, 20)[newest]
    assert dollars[FACTOR_NAMES.index("SMA_20"), xle] == pytest.approx(average / factor)
    assert dollars[FACTOR_NAMES.index("RSI_14"), xle] == market.factors.values[FACTOR_NAMES.index("RSI_14"), row, xle]
    assert set(FACTOR_NAMES) > PRICE_LIKE


def test_a_split_moves_no_factor_that_is_not_a_price() -> None:
    days = CALENDAR.between(date(2021, 6, 1), date(2022, 12, 30)).astype(object)
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, len(days))))
    split = np.ones(len(days))
    split[220] = 4.0
    raw = close / np.cumprod(split)
    whole = market_of(bars_of(price_rows("SPY", days, open=close, high=close, low=close, close=close)))
    halved = market_of(bars_of(price_rows("SPY", days, open=raw, high=raw, low=raw, close=raw, split=split)))
    np.testing.assert_allclose(halved.factors.values[:, :, 1], whole.factors.values[:, :, 1], rtol=1e-9)
    assert np.isfinite(halved.factors.values[:, -1, 1]).all()
    last = in_dollars(halved.factors, len(days) - 1)[FACTOR_NAMES.index("SMA_20"), 1]
    assert last == pytest.approx(close[-20:].mean() / 4)


def test_assets_without_any_bar_stay_empty() -> None:
    days = CALENDAR.between(date(2022, 1, 3), date(2022, 3, 30)).astype(object)
    panel = market_of(bars_of(price_rows("SPY", days), price_rows(VOLATILITY_INDEX, days))).panel
    assert np.isnan(calculate_factors(panel).values[:, :, at("GLD")]).all()

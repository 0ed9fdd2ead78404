"""The trend sleeve: what a buy gets, what HOLD keeps, and the sleeve's volatility target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.decisions import make_signals
from tests.builders.markets import ASSETS, UNIVERSE, at, make_view, vector
from trading_lib.domain.kernels import python_version
from trading_lib.strategies.config import TrendConfig
from trading_lib.strategies.trend import trend
from trading_lib.strategies.trend.trend import trend_weights

CONFIG = TrendConfig()
NOTHING = np.zeros(ASSETS)


def test_a_buy_gets_its_cap_times_volatility_scale_times_confidence() -> None:
    view = make_view({"Volatility_60": vector(0.30, GLD=0.22, SPY=0.05)})
    bought = make_signals(vector(0, GLD=1, SPY=1, BTC_USD=1).astype(np.int8), 0.6)
    found = trend_weights(view, bought, NOTHING, 0.2, CONFIG)
    assert found[at("GLD")] == pytest.approx(0.50 * 0.11 / 0.22 * 0.6)
    assert found[at("SPY")] == pytest.approx(0.40 * 0.6)  # calmer than its target: no more than the cap
    assert found[at("BTC-USD")] == pytest.approx(0.15 * 0.225 / 0.30 * 0.6)


def test_hold_keeps_sell_leaves_and_a_weak_buy_counts_as_hold() -> None:
    held = vector(0.0, GLD=0.2, SPY=0.3, QQQ=0.1, TLT=0.05)
    signals = make_signals(vector(0, SPY=-1, QQQ=1, TLT=-2, XLK=2).astype(np.int8), vector(0.5, QQQ=0.19, XLK=0.19))
    found = trend_weights(make_view(), signals, held, 0.2, CONFIG)
    np.testing.assert_array_equal(found, vector(0.0, GLD=0.2, QQQ=0.1))


def test_confidence_at_the_minimum_is_enough() -> None:
    found = trend_weights(make_view(), make_signals(1, 0.2), NOTHING, 0.2, CONFIG)
    assert (found > 0).all()


def test_a_short_position_is_not_kept() -> None:
    assert trend_weights(make_view(), make_signals(0), vector(-0.1), 0.2, CONFIG).max() == 0.0


def test_the_whole_sleeve_is_scaled_to_its_volatility_target() -> None:
    returns = np.random.default_rng(1).normal(0, 0.02, (80, 1)) * np.ones(ASSETS)
    view = make_view(mark_returns=returns)
    held = vector(0.05)
    found = trend_weights(view, make_signals(0), held, 0.2, CONFIG)
    unscaled = (returns[-60:] @ held).std(ddof=1) * np.sqrt(252)
    assert unscaled > 0.15
    np.testing.assert_allclose(found, held * 0.15 / unscaled)
    # Below the target nothing is scaled up.
    calm = make_view(mark_returns=returns / 10)
    np.testing.assert_array_equal(trend_weights(calm, make_signals(0), held, 0.2, CONFIG), held)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_compiled_and_uncompiled_agree_and_weights_stay_within_the_caps(seed: int) -> None:
    generator = np.random.default_rng(seed)
    codes = generator.integers(-2, 3, ASSETS).astype(np.int8)
    universe = make_view().universe
    arguments = (
        codes,
        generator.random(ASSETS),
        generator.uniform(0, 0.6, ASSETS),
        generator.uniform(0, 0.1, ASSETS),
        universe.max_weights,
        universe.volatility_targets,
        0.2,
    )
    found = trend._size(*arguments)
    np.testing.assert_array_equal(found, python_version(trend._size)(*arguments))
    assert (found >= 0).all()
    assert (found <= universe.max_weights).all()
    assert (found[codes < 0] == 0).all()


def test_many_buys_share_the_sleeves_capital() -> None:
    """Fifteen sure buys want 3.05 times the capital; each gets the same part of what it wanted."""
    quiet = make_view({"Volatility_60": np.full(ASSETS, 0.01)})
    found = trend_weights(quiet, make_signals(2, 1.0), NOTHING, 0.2, CONFIG)
    np.testing.assert_allclose(found, UNIVERSE.max_weights / UNIVERSE.max_weights.sum())

"""The returns and the covariance behind a month's weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.markets import ASSETS, at, make_view
from trading_lib.domain.kernels import python_version
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.weighting import return_sample
from trading_lib.strategies.weighting.return_sample import sample_returns

WINDOW = 60


def log_returns(seed: int = 3, rows: int = 130) -> FloatArray:
    generator = np.random.default_rng(seed)
    return generator.normal(0, 0.01, (rows, ASSETS)) + generator.normal(0, 0.01, (rows, 1))


def columns_of(*symbols: str) -> np.ndarray:
    return np.array([at(symbol) for symbol in symbols])


def test_covariance_is_the_sample_covariance_of_simple_returns_over_the_newest_sessions() -> None:
    returns = log_returns()
    columns = columns_of("GLD", "SPY", "TLT")
    found = sample_returns(make_view(common_returns=returns), columns, WINDOW, 0.8)
    expected = np.expm1(returns[-WINDOW:, columns])
    np.testing.assert_allclose(found.covariance, np.cov(expected.T), rtol=1e-12)
    np.testing.assert_allclose(found.returns, expected, rtol=1e-12)
    assert found.left_out == {}
    single = sample_returns(make_view(common_returns=returns), columns_of("SPY"), WINDOW, 0.8)
    assert single.covariance.shape == (1, 1)


def test_bitcoin_is_matched_with_the_sessions_its_returns_belong_to() -> None:
    # Row t of a 24/7 asset belongs to session t - 1 (`PricePanel.common_return`).
    returns = log_returns()
    bitcoin, gold = at("BTC-USD"), at("GLD")
    returns[1:, bitcoin] = 2.0 * returns[:-1, gold]
    found = sample_returns(make_view(common_returns=returns), columns_of("GLD", "BTC-USD"), WINDOW, 0.8)
    deviation = np.sqrt(np.diag(found.covariance))
    assert found.covariance[0, 1] / deviation.prod() == pytest.approx(1.0, abs=1e-3)


def test_a_gap_keeps_the_assets_own_variance_and_the_matrix_positive() -> None:
    returns = log_returns()
    gaps = [-1, -7, -30]
    returns[gaps, at("SPY")] = np.nan
    columns = columns_of("GLD", "SPY", "QQQ")
    found = sample_returns(make_view(common_returns=returns), columns, WINDOW, 0.8)
    own = np.expm1(returns[-WINDOW:, at("SPY")])
    assert found.covariance[1, 1] == pytest.approx(np.nanvar(own, ddof=1))
    assert np.linalg.eigvalsh(found.covariance).min() > 0
    assert np.isfinite(found.returns).all()
    assert found.returns[gaps, 1] == pytest.approx(np.nanmean(own))


def test_assets_without_enough_returns_or_without_variance_are_left_out_by_name() -> None:
    returns = log_returns()
    returns[-30:, at("SPY")] = np.nan
    returns[:, at("TIP")] = 0.0
    returns[-12:, at("QQQ")] = np.nan  # 48 of 60 are exactly enough
    found = sample_returns(make_view(common_returns=returns), columns_of("GLD", "SPY", "TIP", "QQQ"), WINDOW, 0.8)
    assert found.columns.tolist() == [at("GLD"), at("QQQ")]
    assert found.left_out == {
        at("SPY"): "only 30 of the 48 returns its risk needs",
        at("TIP"): "no variance in 60 sessions, so no risk to share",
    }


def test_a_history_shorter_than_the_window_counts_what_there_is() -> None:
    found = sample_returns(make_view(common_returns=log_returns(rows=20)), columns_of("GLD", "SPY"), WINDOW, 0.8)
    assert len(found.columns) == 0
    assert set(found.left_out.values()) == {"only 20 of the 48 returns its risk needs"}
    nothing = sample_returns(make_view(common_returns=np.empty((0, ASSETS))), columns_of("GLD"), WINDOW, 0.8)
    assert len(nothing.columns) == 0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.3), st.integers(1, ASSETS))
def test_the_covariance_is_positive_and_older_or_other_returns_do_not_matter(
    seed: int, missing: float, assets: int
) -> None:
    generator = np.random.default_rng(seed)
    returns = log_returns(seed)
    returns[generator.random(returns.shape) < missing] = np.nan
    columns = np.sort(generator.permutation(ASSETS)[:assets])
    view = make_view(common_returns=returns)
    found = sample_returns(view, columns, WINDOW, 0.5)
    assert np.isfinite(found.covariance).all()
    if len(found.columns):
        assert np.linalg.eigvalsh(found.covariance).min() > -1e-15
    changed = returns.copy()
    changed[: -WINDOW - 2] = 0.5
    changed[:, np.setdiff1d(np.arange(ASSETS), columns)] = np.nan
    again = sample_returns(replace(view, common_returns=changed), columns, WINDOW, 0.5)
    np.testing.assert_array_equal(again.covariance, found.covariance)


def test_compiled_and_uncompiled_agree() -> None:
    view: MarketView = make_view(common_returns=log_returns())
    arguments = (view.common_returns, view.common_lag, columns_of("GLD", "BTC-USD"), WINDOW)
    np.testing.assert_array_equal(return_sample._align(*arguments), python_version(return_sample._align)(*arguments))

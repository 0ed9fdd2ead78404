"""Correlation and volatility kernels against numpy, and compiled against uncompiled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_lib.domain.kernels import python_version
from trading_lib.domain.market.correlation import pair_correlations, summarise_correlations
from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.market.volatility import portfolio_volatility

NO_LAG = np.zeros(3, dtype=np.int64)


def random_returns(rows: int, assets: int, seed: int = 1) -> FloatArray:
    generator = np.random.default_rng(seed)
    return generator.normal(0, 0.01, (rows, assets)) + generator.normal(0, 0.01, (rows, 1))


def test_pairs_equal_numpy_on_the_last_sixty_rows() -> None:
    returns = random_returns(100, 3)
    found = pair_correlations(returns, NO_LAG, 60)
    np.testing.assert_allclose(found, np.corrcoef(returns[-60:].T), atol=1e-12)


def test_a_lagged_asset_is_matched_with_the_session_it_belongs_to() -> None:
    returns = random_returns(80, 2)
    returns[1:, 1] = returns[:-1, 0]  # column 1 shows the other's return one row later
    lagged = pair_correlations(returns, np.array([0, 1]), 60)
    unlagged = pair_correlations(returns, np.array([0, 0]), 60)
    assert lagged[0, 1] == pytest.approx(1.0)
    assert abs(unlagged[0, 1]) < 0.5


def test_two_lagged_assets_use_the_same_rows() -> None:
    returns = random_returns(80, 2)
    found = pair_correlations(returns, np.array([1, 1]), 60)
    assert found[0, 1] == pytest.approx(np.corrcoef(returns[-60:].T)[0, 1])


def test_missing_sessions_are_replaced_by_older_common_ones() -> None:
    returns = random_returns(100, 3)
    returns[-10, 0] = np.nan
    found = pair_correlations(returns, NO_LAG, 60)
    both = returns[np.isfinite(returns[:, 0])][-60:]
    assert found[0, 1] == pytest.approx(np.corrcoef(both[:, 0], both[:, 1])[0, 1])
    assert found[1, 2] == pytest.approx(np.corrcoef(returns[-60:, 1], returns[-60:, 2])[0, 1])


def test_too_few_common_sessions_and_flat_series_have_no_correlation() -> None:
    short = pair_correlations(random_returns(59, 3), NO_LAG, 60)
    assert np.isnan(short[0, 1])
    assert (np.diag(short) == 1.0).all()
    flat = random_returns(100, 3)
    flat[:, 2] = 0.001
    found = pair_correlations(flat, NO_LAG, 60)
    assert np.isnan(found[0, 2])
    assert np.isfinite(found[0, 1])


def test_the_search_for_common_sessions_ends_at_twice_the_window() -> None:
    returns = random_returns(200, 2)
    returns[-100:, 0] = np.nan  # sixty sessions can't be found within the newest 120
    assert np.isnan(pair_correlations(returns, np.array([0, 0]), 60)[0, 1])


def test_summary_over_known_pairs() -> None:
    matrix = np.array([[1.0, 0.2, np.nan], [0.2, 1.0, 0.8], [np.nan, 0.8, 1.0]])
    average, largest, smallest = summarise_correlations(matrix)
    assert (average, largest, smallest) == (pytest.approx(0.5), 0.8, 0.2)
    assert np.isnan(summarise_correlations(np.full((2, 2), np.nan))).all()


def test_portfolio_volatility_is_the_sample_deviation_of_the_weighted_sum() -> None:
    returns, weights = random_returns(90, 3), np.array([0.2, 0.0, 0.5])
    returns[-5, 0] = np.nan  # did not trade: no return
    expected = (np.nan_to_num(returns[-20:]) @ weights).std(ddof=1) * np.sqrt(252)
    assert portfolio_volatility(returns, weights, 20) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(portfolio_volatility(returns[:19], weights, 20))
    assert portfolio_volatility(returns, np.zeros(3), 20) == 0.0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), holes=st.floats(0, 0.6), rows=st.integers(0, 140))
def test_compiled_and_uncompiled_agree(seed: int, holes: float, rows: int) -> None:
    generator = np.random.default_rng(seed)
    returns, lag = random_returns(rows, 3, seed), np.array([0, 1, 0])
    returns[generator.random(returns.shape) < holes] = np.nan
    compiled = pair_correlations(returns, lag, 30)
    np.testing.assert_allclose(compiled, python_version(pair_correlations)(returns, lag, 30), rtol=1e-12)
    summary = python_version(summarise_correlations)(compiled)
    np.testing.assert_allclose(summarise_correlations(compiled), summary, rtol=1e-12)
    weights = generator.random(3)
    np.testing.assert_allclose(
        portfolio_volatility(returns, weights, 20),
        python_version(portfolio_volatility)(returns, weights, 20),
        rtol=1e-12,
    )

"""Equal risk contributions: closed forms, behaviour at the edges, and riskfolio-lib as an independent answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_lib.domain.errors import OptimisationError
from trading_lib.domain.kernels import python_version
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.weighting import risk_parity
from trading_lib.strategies.weighting.risk_parity import (
    equal_risk_contributions,
    inverse_volatility,
    risk_contributions,
)


def covariance_of(volatilities: list[float], correlation: float | FloatArray) -> FloatArray:
    """A covariance with the same correlation for every pair, or with the given matrix."""
    deviation = np.array(volatilities)
    matrix = np.array(correlation) if np.ndim(correlation) else np.full((len(deviation),) * 2, correlation)
    np.fill_diagonal(matrix, 1.0)
    return matrix * np.outer(deviation, deviation)


def factor_covariance(seed: int, assets: int, noise: float) -> FloatArray:
    """One common factor with loadings of either sign: the less noise, the more the assets hedge one another."""
    generator = np.random.default_rng(seed)
    loading = generator.normal(0, 1, (assets, 1))
    scale = 10.0 ** generator.uniform(-4, 0, assets)
    return (loading @ loading.T + noise * np.eye(assets)) * np.outer(scale, scale)


@pytest.mark.parametrize("correlation", [-0.9, -0.3, 0.0, 0.5, 0.99])
def test_two_assets_share_by_inverse_volatility_whatever_their_correlation(correlation: float) -> None:
    # w1 / w2 = s2 / s1 (Maillard, Roncalli, Teiletche, The Properties of Equally Weighted Risk Contribution
    # Portfolios, 2010).
    found = equal_risk_contributions(covariance_of([0.10, 0.30], correlation))
    np.testing.assert_allclose(found, [0.75, 0.25], rtol=1e-9)


def test_equal_correlations_share_by_inverse_volatility() -> None:
    found = equal_risk_contributions(covariance_of([0.1, 0.2, 0.4, 0.05], 0.6))
    inverse = 1 / np.array([0.1, 0.2, 0.4, 0.05])
    np.testing.assert_allclose(found, inverse / inverse.sum(), rtol=1e-9)
    np.testing.assert_allclose(inverse_volatility(covariance_of([0.1, 0.2, 0.4, 0.05], 0.6)), found, rtol=1e-9)


def test_four_assets_with_unequal_correlations() -> None:
    # The numerical example of Maillard, Roncalli, Teiletche (2010).
    correlation = np.array([[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]])
    found = equal_risk_contributions(covariance_of([0.1, 0.2, 0.3, 0.4], correlation))
    np.testing.assert_allclose(found, [0.384, 0.192, 0.243, 0.182], atol=6e-4)


def test_budgets_without_correlation_follow_their_square_roots() -> None:
    # Independent assets: w_i is proportional to sqrt(b_i) / s_i.
    found = equal_risk_contributions(covariance_of([0.1, 0.2], 0.0), np.array([8.0, 2.0]))
    np.testing.assert_allclose(found, np.array([2 / 0.1, 1 / 0.2]) / 25, rtol=1e-9)


def test_one_asset_gets_everything() -> None:
    assert equal_risk_contributions(np.array([[0.04]])).tolist() == [1.0]


def test_an_asset_without_variance_gets_nothing() -> None:
    found = equal_risk_contributions(covariance_of([0.1, 0.0, 0.3], 0.2))
    np.testing.assert_allclose(found, [0.75, 0.0, 0.25], rtol=1e-9)
    np.testing.assert_allclose(inverse_volatility(covariance_of([0.1, 0.0, 0.3], 0.2)), [0.75, 0.0, 0.25])


def test_a_perfectly_correlated_pair_has_a_solution() -> None:
    covariance = covariance_of([0.1, 0.2, 0.2], np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    assert np.linalg.matrix_rank(covariance) == 2
    found = equal_risk_contributions(covariance)
    np.testing.assert_allclose(risk_contributions(covariance, found), 1 / 3, atol=1e-9)
    assert found[0] == pytest.approx(2 * found[1])


def test_assets_that_hedge_one_another_completely_have_none() -> None:
    with pytest.raises(OptimisationError, match="2 assets was not found: they hedge one another"):
        equal_risk_contributions(covariance_of([0.1, 0.2], -1.0))


def test_newton_goes_on_where_descent_is_slow() -> None:
    covariance = factor_covariance(7, 15, 1e-4)
    deviation = np.sqrt(np.diag(covariance))
    equal = np.full(15, 1 / 15)
    correlation = covariance / np.outer(deviation, deviation)
    assert not risk_parity._descend(correlation, equal, risk_parity.MAX_SWEEPS, risk_parity.TOLERANCE)[1]
    found = equal_risk_contributions(covariance)
    np.testing.assert_allclose(risk_contributions(covariance, found), equal, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_assets_need_no_newton(seed: int) -> None:
    generator = np.random.default_rng(seed)
    returns = generator.normal(0, 0.01, (126, 15)) + generator.normal(0, 0.01, (126, 1)) * generator.uniform(
        -0.3, 1.5, 15
    )
    budgets = generator.dirichlet(np.full(15, 5.0))
    correlation = np.corrcoef(returns.T)
    scaled, found = risk_parity._descend(correlation, budgets, risk_parity.MAX_SWEEPS, risk_parity.TOLERANCE)
    assert found
    np.testing.assert_allclose(risk_contributions(correlation, scaled), budgets, rtol=1e-8)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_covariance_that_is_no_number_is_an_error(bad: float) -> None:
    covariance = covariance_of([0.1, 0.2, 0.3], 0.2)
    covariance[0, 1] = covariance[1, 0] = bad
    with pytest.raises(OptimisationError, match="not a finite number"):
        equal_risk_contributions(covariance)


def test_no_variance_at_all_is_an_error() -> None:
    for function in (equal_risk_contributions, inverse_volatility):
        with pytest.raises(OptimisationError, match="no asset"):
            function(np.zeros((3, 3)))
        with pytest.raises(OptimisationError, match="no asset"):
            function(np.empty((0, 0)))
    assert np.isnan(risk_contributions(np.zeros((2, 2)), np.array([0.5, 0.5]))).all()


@pytest.mark.parametrize("budgets", [[0.5, 0.0], [0.5, -0.1], [1.0, np.nan], [1.0]])
def test_budgets_that_make_no_sense_are_an_error(budgets: list[float]) -> None:
    with pytest.raises(ValueError, match="budget"):
        equal_risk_contributions(covariance_of([0.1, 0.2], 0.0), np.array(budgets))


@settings(max_examples=500, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    assets=st.integers(1, 30),
    noise=st.sampled_from([1e-4, 1e-2, 0.3, 3.0]),
    even=st.booleans(),
)
def test_contributions_meet_the_budgets_in_any_order_and_at_any_scale(
    seed: int, assets: int, noise: float, even: bool
) -> None:
    covariance = factor_covariance(seed, assets, noise)
    generator = np.random.default_rng(seed)
    budgets = np.ones(assets) if even else generator.uniform(0.2, 5.0, assets)
    found = equal_risk_contributions(covariance, None if even else budgets)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert (found > 0).all()
    np.testing.assert_allclose(risk_contributions(covariance, found), budgets / budgets.sum(), atol=1e-7)
    order = generator.permutation(assets)
    again = equal_risk_contributions(covariance[np.ix_(order, order)] * 37.0, budgets[order])
    np.testing.assert_allclose(again, found[order], rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), assets=st.integers(2, 8))
def test_compiled_and_uncompiled_agree(seed: int, assets: int) -> None:
    covariance = factor_covariance(seed, assets, 0.5)
    deviation = np.sqrt(np.diag(covariance))
    arguments = (covariance / np.outer(deviation, deviation), np.full(assets, 1 / assets), 50, 1e-6)
    compiled, plain = risk_parity._descend(*arguments), python_version(risk_parity._descend)(*arguments)
    assert compiled[1] == plain[1]
    np.testing.assert_allclose(compiled[0], plain[0], rtol=1e-9)


@pytest.mark.parametrize("assets", [2, 3, 5, 15])
@pytest.mark.parametrize("seed", [1, 2])
def test_weights_equal_those_of_riskfolio(assets: int, seed: int) -> None:
    import riskfolio

    generator = np.random.default_rng(seed)
    common = generator.normal(0, 0.008, (126, 1)) * generator.uniform(-0.4, 1.5, assets)
    returns = pd.DataFrame(common + generator.normal(0, 0.01, (126, assets)) * generator.uniform(0.3, 3, assets))
    portfolio = riskfolio.Portfolio(returns=returns)
    portfolio.mu, portfolio.cov = returns.mean().to_frame().T, returns.cov()
    expected = portfolio.rp_optimization(model="Classic", rm="MV", hist=True)["weights"].to_numpy()
    found = equal_risk_contributions(returns.cov().to_numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)

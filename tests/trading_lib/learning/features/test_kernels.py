"""Kernels of features against pandas and numpy, compiled and as plain Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trading_lib.domain.kernels import python_version
from trading_lib.domain.market.correlation import pair_correlations
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.features import kernels


@pytest.fixture(scope="module")
def values() -> FloatArray:
    generator = np.random.default_rng(9)
    drawn = generator.normal(1, 1, (90, 5)).round(2)
    drawn[generator.random(drawn.shape) < 0.1] = np.nan
    return drawn


def both(kernel: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return kernel, python_version(kernel)


def test_trailing_means_are_those_of_pandas(values: FloatArray) -> None:
    expected = pd.DataFrame(values).rolling(20, min_periods=10).mean().to_numpy()
    # pandas counts rows before the first as missing, and so do we.
    for kernel in both(kernels.trailing_mean):
        np.testing.assert_allclose(kernel(values, 20, 10), expected, rtol=1e-9)


def test_trailing_maxima_are_those_of_pandas(values: FloatArray) -> None:
    expected = pd.DataFrame(values).rolling(7).max().to_numpy()
    for kernel in both(kernels.trailing_maximum):
        np.testing.assert_array_equal(kernel(values, 7), expected)


def test_a_trailing_percentile_counts_half_of_the_equal_ones(values: FloatArray) -> None:
    column = values[:, 0]
    for kernel in both(kernels.trailing_percentile):
        found = kernel(column, 30, 15)
        for row in (40, 60, 89):
            window = column[row - 29 : row + 1]
            known = window[np.isfinite(window)]
            expected = ((known < column[row]).sum() + (known == column[row]).sum() / 2) / len(known)
            np.testing.assert_equal(found[row], expected if np.isfinite(column[row]) else np.nan)
        assert np.isnan(found[:14]).all()


def test_standard_scores_are_within_the_row(values: FloatArray) -> None:
    mean, spread = np.nanmean(values, axis=1, keepdims=True), np.nanstd(values, axis=1, ddof=1, keepdims=True)
    enough = np.isfinite(values).sum(axis=1, keepdims=True) >= 4
    for kernel in both(kernels.standardise):
        expected = np.where(enough, (values - mean) / spread, np.nan)
        np.testing.assert_allclose(kernel(values, 4), expected, rtol=1e-9, atol=1e-12)
    assert np.isnan(kernels.standardise(np.ones((1, 5)), 3)).all()


def test_the_mean_correlation_is_over_all_other_assets(values: FloatArray) -> None:
    returns, lag = values[:, :4].copy(), np.array([0, 0, 1, 0])
    for kernel in both(kernels.mean_correlation):
        found = kernel(returns, lag, 20)
        for row in (60, 89):
            pairs = pair_correlations(returns[: row + 1], lag, 20)
            np.fill_diagonal(pairs, np.nan)
            np.testing.assert_allclose(found[row], np.nanmean(pairs, axis=1), rtol=1e-9)


def test_an_asset_that_does_not_vary_has_no_beta(values: FloatArray) -> None:
    returns = np.nan_to_num(values)
    returns[:, 3] = 0.01
    for kernel in both(kernels.against_market):
        beta, correlation = kernel(returns, np.zeros(5, dtype=np.int64), 0, 20)
        assert np.isnan(beta[:, 3]).all()
        assert np.isnan(correlation[:, 3]).all()
        np.testing.assert_allclose(beta[50:, 0], 1.0)
        expected = np.corrcoef(returns[41:61, 1], returns[41:61, 0])[0, 1]
        assert correlation[60, 1] == pytest.approx(expected)

"""Information coefficients against scipy, their errors against statsmodels, and the size of the tests on noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from trading_lib.domain.kernels import python_version
from trading_lib.learning.evidence.information import (
    _coefficients,
    expected_error,
    information_coefficients,
    mean_over_paths,
    minimum_detectable_ic,
    newey_west_error,
    newey_west_t,
    non_overlapping_error,
    non_overlapping_t,
    path_coefficients,
)

HORIZON = 21


def overlapping(sessions: int, seed: int, horizon: int = HORIZON) -> np.ndarray:
    """Coefficients of no skill whose neighbours share all but one session of their horizon."""
    noise = np.random.default_rng(seed).normal(size=sessions + horizon - 1)
    return 0.25 * np.convolve(noise, np.ones(horizon), "valid") / math.sqrt(horizon)


@pytest.mark.parametrize("rounded", [False, True])
def test_coefficients_are_those_of_scipy_also_with_ties(rounded: bool) -> None:
    generator = np.random.default_rng(1)
    scores, ranks = generator.normal(size=(40, 9)), generator.normal(size=(40, 9))
    if rounded:
        scores, ranks = scores.round(), ranks.round()
    scores[3, 2], ranks[5, 4], scores[7, :3] = np.nan, np.nan, np.nan
    for found, one, other in zip(information_coefficients(scores, ranks), scores, ranks, strict=True):
        both = np.isfinite(one) & np.isfinite(other)
        assert found == pytest.approx(stats.spearmanr(one[both], other[both]).statistic, abs=1e-12)


def test_the_kernel_is_its_python_version() -> None:
    generator = np.random.default_rng(2)
    scores, ranks = generator.normal(size=(9, 5)).round(), generator.normal(size=(9, 5))
    scores[2, 1:4] = np.nan
    plain = python_version(_coefficients)(scores, ranks, 3)
    assert information_coefficients(scores, ranks, 3) == pytest.approx(plain, nan_ok=True)


def test_a_model_that_tells_no_asset_from_another_has_a_coefficient_of_nothing() -> None:
    ranks = np.linspace(-0.5, 0.5, 8)[None, :]
    assert information_coefficients(np.full((1, 8), 3.0), ranks)[0] == 0.0


def test_a_session_in_which_there_was_nothing_to_order_has_none() -> None:
    scores = np.arange(8.0)[None, :]
    assert np.isnan(information_coefficients(scores, np.zeros((1, 8)))[0])
    few = np.where(np.arange(8) < 5, scores, np.nan)
    assert np.isnan(information_coefficients(few, scores, 6)[0])
    assert information_coefficients(few, scores, 5)[0] == pytest.approx(1.0)


def test_paths_are_averaged_session_by_session() -> None:
    ranks = np.tile(np.arange(4.0), (3, 1))
    paths = np.stack([ranks, -ranks])
    paths[1, 2] = np.nan
    assert mean_over_paths(path_coefficients(paths, ranks)) == pytest.approx([0.0, 0.0, 1.0])
    assert np.isnan(mean_over_paths(np.full((2, 1), np.nan))[0])


@pytest.mark.parametrize("lags", [1, 5, 42])
def test_the_error_is_that_of_statsmodels(lags: int) -> None:
    from statsmodels.api import OLS

    ics = 0.05 + overlapping(400, 3)
    theirs = OLS(ics, np.ones(400)).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False})
    assert newey_west_error(ics, lags) == pytest.approx(float(theirs.bse[0]), rel=1e-9)
    assert newey_west_t(ics, lags) == pytest.approx(float(theirs.tvalues[0]), rel=1e-9)


def test_sessions_without_a_coefficient_are_left_out() -> None:
    ics = overlapping(200, 4)
    holes = np.insert(ics, [10, 50, 50], np.nan)
    assert newey_west_t(holes, 10) == pytest.approx(newey_west_t(ics, 10))
    assert np.isnan(newey_west_t(np.array([0.1, np.nan, 0.2]), 5))
    assert np.isnan(newey_west_t(np.zeros(50), 5))


def test_non_overlapping_series_are_averaged_over_where_they_begin() -> None:
    ics = np.array([0.1, 0.3, 0.2, 0.1, 0.3, 0.5, np.nan, 0.4])
    own = [stats.ttest_1samp(series, 0.0).statistic for series in ([0.1, 0.2, 0.3], [0.3, 0.1, 0.5, 0.4])]
    assert non_overlapping_t(ics, 2) == pytest.approx(np.mean(own))
    assert np.isnan(non_overlapping_t(np.array([0.1, 0.2]), 21))


def test_the_error_of_few_sessions_is_as_wide_as_their_means_spread() -> None:
    """Of three years Newey and West see too narrow an error, sessions a horizon apart hardly do."""
    series = [overlapping(500, 1000 + seed) for seed in range(300)]
    true = np.std([ics.mean() for ics in series])
    apart = np.sqrt(np.mean([non_overlapping_error(ics, HORIZON) ** 2 for ics in series]))
    assert apart == pytest.approx(true, rel=0.1)
    assert np.sqrt(np.mean([newey_west_error(ics, 2 * HORIZON) ** 2 for ics in series])) < 0.96 * apart
    assert non_overlapping_error(np.array([0.1, 0.5, 0.3, 0.5, 0.2, 0.5]), 2) == pytest.approx(
        np.std([0.1, 0.3, 0.2], ddof=1) / np.sqrt(6)
    )
    assert np.isnan(non_overlapping_error(np.zeros(2), 1))


def test_the_usual_t_calls_noise_a_discovery_and_these_do_not() -> None:
    """Hansen and Hodrick 1980: overlapping observations are not as many as there are of them."""
    series = [overlapping(2000, seed) for seed in range(200)]
    naive = np.array([stats.ttest_1samp(ics, 0.0).statistic for ics in series])
    dependent = np.array([newey_west_t(ics, 2 * HORIZON) for ics in series])
    apart = np.array([non_overlapping_t(ics, HORIZON) for ics in series])
    assert (np.abs(naive) > 1.96).mean() > 0.5
    assert (np.abs(dependent) > 1.96).mean() < 0.13
    assert (np.abs(apart) > 1.96).mean() < 0.1


def test_what_can_be_detected_is_what_a_test_of_that_power_finds() -> None:
    detectable = minimum_detectable_ic(0.028)
    drawn = np.random.default_rng(5).normal(detectable, 0.028, 40_000)
    assert (drawn / 0.028 > stats.norm.ppf(0.95)).mean() == pytest.approx(0.8, abs=0.01)
    # Sixteen years and three, of fifteen funds of which about half are independent.
    assert minimum_detectable_ic(expected_error(4000, HORIZON, 7.5)) == pytest.approx(0.07, abs=0.005)
    assert minimum_detectable_ic(expected_error(756, HORIZON, 7.5)) == pytest.approx(0.16, abs=0.01)


def test_the_expected_error_is_that_of_labels_that_overlap() -> None:
    """Independent assets, scores that last: the mean coefficient's spread over many worlds is as expected."""
    generator = np.random.default_rng(6)
    sessions, horizon, assets = 160, 8, 10
    means = []
    for _ in range(300):
        daily = np.vstack([np.zeros((1, assets)), generator.normal(size=(sessions + horizon, assets)).cumsum(axis=0)])
        labels = daily[horizon:-1] - daily[: -horizon - 1]
        scores = np.tile(generator.normal(size=assets), (sessions, 1))
        means.append(float(information_coefficients(scores, labels).mean()))
    assert float(np.std(means)) == pytest.approx(expected_error(sessions, horizon, assets), rel=0.15)

"""The paired block bootstrap: against arch, against formulas, and its size on noise that overlaps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading_lib.domain.errors import InputError
from trading_lib.domain.kernels import python_version
from trading_lib.learning.evidence.bootstrap import HORIZONS_PER_BLOCK, mean_difference_p, resample_means

HORIZON = 21


def overlapping(sessions: int, seed: int) -> np.ndarray:
    """Differences of no mean whose neighbours share all but one session of their horizon."""
    noise = np.random.default_rng(seed).normal(size=sessions + HORIZON - 1)
    return 0.25 * np.convolve(noise, np.ones(HORIZON), "valid") / math.sqrt(HORIZON)


def test_the_kernel_is_its_python_version() -> None:
    values = overlapping(60, 1)
    compiled, plain = (
        run(values, 7.0, 6, np.random.default_rng(1)) for run in (resample_means, python_version(resample_means))
    )
    assert compiled == pytest.approx(plain, rel=1e-9)


def test_means_spread_as_those_of_another_program() -> None:
    from arch.bootstrap import StationaryBootstrap

    values = overlapping(500, 2)
    theirs = StationaryBootstrap(30, values, seed=3).apply(np.mean, 2000)[:, 0]
    own = resample_means(values, 30.0, 2000, np.random.default_rng(4))
    assert own.mean() == pytest.approx(theirs.mean(), abs=0.004)
    assert own.std() == pytest.approx(theirs.std(), rel=0.08)


def test_blocks_longer_than_any_path_leave_the_mean_as_it_is() -> None:
    values = overlapping(80, 5)
    assert resample_means(values, 1e12, 5, np.random.default_rng(6)) == pytest.approx(np.full(5, values.mean()))


@pytest.mark.parametrize("samples", [100, 2000])
def test_the_p_value_is_never_0_however_large_the_difference(samples: int) -> None:
    noise = overlapping(1000, 6)
    assert mean_difference_p(noise + 100.0, np.zeros(1000), HORIZON, samples).p_value == 1.0 / (samples + 1.0)


def test_what_both_series_share_cancels() -> None:
    shared, generator = overlapping(1000, 7), np.random.default_rng(8)
    better = shared + 0.01 + generator.normal(0.0, 0.05, 1000)
    found = mean_difference_p(better, shared, HORIZON)
    assert found.p_value < 0.01
    # The same mean by itself is nothing among what overlapping labels do.
    assert mean_difference_p(shared + 0.01, np.zeros(1000), HORIZON).p_value > 0.1


def test_a_higher_mean_is_sure_and_a_lower_one_is_not() -> None:
    generator = np.random.default_rng(9)
    high, low = generator.normal(0.2, 1.0, 800), generator.normal(0.0, 1.0, 800)
    assert mean_difference_p(high, low, 1).p_value < 0.005
    assert mean_difference_p(low, high, 1).p_value > 0.995


def test_series_that_are_the_same_are_no_better_than_each_other() -> None:
    values = overlapping(200, 10)
    found = mean_difference_p(values, values, HORIZON)
    assert (found.value, found.p_value) == (0.0, 1.0)
    nothing = mean_difference_p(np.full(5, np.nan), np.zeros(5), HORIZON)
    assert (nothing.p_value, nothing.sessions) == (1.0, 0)


def test_blocks_are_at_least_two_horizons_of_labels_that_overlap() -> None:
    white = np.random.default_rng(11).normal(size=600)
    assert mean_difference_p(white, np.zeros(600), HORIZON).block_length == HORIZONS_PER_BLOCK * HORIZON
    assert mean_difference_p(white, np.zeros(600), 1).block_length < 10


def test_sessions_that_one_series_lacks_are_left_out() -> None:
    high, low = overlapping(300, 12) + 0.1, overlapping(300, 13)
    holed = np.insert(high, [5, 200], np.nan)
    found, expected = mean_difference_p(holed, np.insert(low, [5, 200], 9.0), 5), mean_difference_p(high, low, 5)
    assert found == expected
    assert found.value == pytest.approx((high - low).mean())


def test_series_of_other_sessions_are_refused() -> None:
    with pytest.raises(InputError, match="3 and 4 sessions"):
        mean_difference_p(np.zeros(3), np.zeros(4), HORIZON)


def test_noise_that_overlaps_is_called_better_about_as_often_as_stated() -> None:
    series = [overlapping(2000, 100 + seed) for seed in range(200)]
    found = np.array([mean_difference_p(one, np.zeros(2000), HORIZON, samples=300).p_value for one in series])
    assert (found < 0.05).mean() < 0.11
    assert found.mean() == pytest.approx(0.5, abs=0.08)
    # Resampled session by session, noise is called better in a third of cases or more.
    naive = np.array([resample_means(one - one.mean(), 1.0, 300, np.random.default_rng(0)).std() for one in series])
    assert (np.array([one.mean() for one in series]) > 1.645 * naive).mean() > 0.3

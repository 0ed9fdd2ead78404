"""Probabilistic and deflated Sharpe ratio against the papers' own worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading_lib.performance.significance.deflated_sharpe import (
    ASSUMED,
    OBSERVED,
    expected_maximum_sharpe,
    judge_sharpe,
    probabilistic_sharpe,
)

# Bailey and Lopez de Prado 2014, "A Numerical Example": 100 trials whose annual Sharpe ratios have variance 1/2, the
# best has 2.5 over 1,250 daily returns (250 a year) with skewness -3 and kurtosis 10.
VARIANCE = 0.5 / 250
BEST = 2.5 / math.sqrt(250)


def test_the_papers_example_of_a_deflated_sharpe_ratio() -> None:
    threshold = expected_maximum_sharpe(100, VARIANCE)
    assert threshold == pytest.approx(0.1132, abs=5e-5)
    assert probabilistic_sharpe(BEST, threshold, 1250, -3, 10) == pytest.approx(0.9004, abs=5e-5)


def test_the_papers_numbers_of_trials_that_would_have_been_acceptable() -> None:
    after_46 = probabilistic_sharpe(BEST, expected_maximum_sharpe(46, VARIANCE), 1250, -3, 10)
    assert after_46 == pytest.approx(0.9505, abs=5e-5)
    # Had the returns been normal, 88 trials would have been as many.
    after_88 = probabilistic_sharpe(BEST, expected_maximum_sharpe(88, VARIANCE), 1250, 0, 3)
    assert after_88 == pytest.approx(0.9505, abs=5e-5)


def test_the_earlier_papers_example_of_a_probabilistic_sharpe_ratio() -> None:
    """Bailey and Lopez de Prado 2012: 24 months, Sharpe ratio 0.458, skewness -2.448, kurtosis 10.164."""
    assert probabilistic_sharpe(0.458, 0.0, 24, -2.448, 10.164) == pytest.approx(0.913, abs=5e-4)
    assert probabilistic_sharpe(0.458, 0.0, 24, 0.0, 3.0) == pytest.approx(0.982, abs=5e-4)


def test_the_expected_maximum_is_that_of_simulated_trials() -> None:
    draws = np.random.default_rng(1).normal(0, 0.05, (20_000, 50)).max(axis=1)
    assert expected_maximum_sharpe(50, 0.05**2) == pytest.approx(draws.mean(), rel=0.02)


def test_from_a_single_trial_nothing_was_chosen() -> None:
    assert expected_maximum_sharpe(1, 0.01) == 0.0
    with pytest.raises(ValueError, match="0 trials"):
        expected_maximum_sharpe(0, 0.01)


def test_more_trials_deflate_more() -> None:
    returns = np.random.default_rng(4).normal(0.0007, 0.01, 1000)
    found = [judge_sharpe(returns, trials) for trials in (1, 2, 10, 1000)]
    deflated = [evidence.deflated for evidence in found if evidence]
    assert deflated == sorted(deflated, reverse=True)
    assert len(set(deflated)) == 4
    assert found[0]
    assert found[0].deflated == found[0].probabilistic


def test_the_figures_rest_on_raw_moments_per_period() -> None:
    from scipy import stats

    returns = np.random.default_rng(4).standard_t(4, 800) * 0.01
    found = judge_sharpe(returns)
    assert found
    assert found.returns == 800
    assert found.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert found.skewness == pytest.approx(stats.skew(returns))
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))


def test_the_variance_is_that_of_comparable_trials_or_said_to_be_assumed() -> None:
    returns = np.random.default_rng(4).normal(0.0007, 0.01, 1000)
    alone = judge_sharpe(returns, 10, (0.05,))
    assert alone
    assert alone.variance_source == ASSUMED
    assert alone.trial_variance == pytest.approx(1 / 999)
    among = judge_sharpe(returns, 10, (0.05, 0.01, 0.03))
    assert among
    assert among.variance_source == OBSERVED
    assert among.trial_variance == pytest.approx(0.0004)


@pytest.mark.parametrize("returns", [[], [0.01, 0.02], [0.01] * 50])
def test_without_variation_there_is_nothing_to_judge(returns: list[float]) -> None:
    assert judge_sharpe(np.array(returns)) is None

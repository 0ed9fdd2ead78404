"""Differences of Sharpe ratios: against a formula, and where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading_lib.domain.kernels import python_version
from trading_lib.performance.config import IntervalConfig
from trading_lib.performance.metrics.formulas import sharpe_ratio
from trading_lib.performance.significance.intervals import MINIMUM_RETURNS
from trading_lib.performance.significance.sharpe_difference import compare_sharpes, resample_sharpes

CONFIG = IntervalConfig(samples=400)


def alike(count: int, curves: int, seed: int, own: float = 0.003) -> np.ndarray:
    """Curves that share most of what moves them."""
    generator = np.random.default_rng(seed)
    return generator.normal(0.0004, 0.01, (count, 1)) + generator.normal(0.0, own, (count, curves))


def test_the_kernel_is_its_python_version() -> None:
    excess = alike(70, 3, 1)
    compiled, plain = (
        run(excess, 3.0, 4, np.random.default_rng(1)) for run in (resample_sharpes, python_version(resample_sharpes))
    )
    assert compiled == pytest.approx(plain, rel=1e-9)


def test_all_curves_draw_the_same_sessions() -> None:
    """With blocks longer than any path, a path is the run itself from a random session on: Sharpe ratios stay."""
    excess = alike(80, 3, 2)
    expected = [sharpe_ratio(excess[:, k], np.zeros(80)) for k in range(3)]
    for found in resample_sharpes(excess, 1e12, 3, np.random.default_rng(0)):
        assert found == pytest.approx(expected, rel=1e-9)
    # With blocks of one, curves that are the same remain the same only where they draw the same sessions.
    twice = resample_sharpes(np.column_stack([excess[:, 0], 2.0 * excess[:, 0]]), 1.0, 20, np.random.default_rng(0))
    assert twice[:, 0] == pytest.approx(twice[:, 1], rel=1e-9)
    assert twice[:, 0].std() > 0.1


def test_the_difference_is_that_of_the_metrics() -> None:
    excess = alike(500, 4, 3)
    found = compare_sharpes(excess, 2, CONFIG)
    assert found
    sharpes = [sharpe_ratio(excess[:, k], np.zeros(500)) for k in range(4)]
    assert [one.value for one in found] == pytest.approx([s - sharpes[2] for s in sharpes])
    assert all(one.low < one.value < one.high for k, one in enumerate(found) if k != 2)
    own = found[2]
    assert (own.value, own.low, own.high, own.p_value, own.adjusted_p_value) == (0.0, 0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("own", [0.002, 0.01])
def test_the_interval_is_as_wide_as_memmels_formula_says(own: float) -> None:
    """Memmel 2003, "Performance Hypothesis Testing with the Sharpe Ratio": variance for independent normal returns."""
    excess = alike(3000, 2, 4, own)
    found = compare_sharpes(excess, 0, IntervalConfig(samples=2000))
    assert found
    first, second = excess.mean(axis=0) / excess.std(axis=0, ddof=1)
    correlation = np.corrcoef(excess.T)[0, 1]
    spread = 2 - 2 * correlation + (first**2 + second**2 - 2 * first * second * correlation**2) / 2
    error = math.sqrt(spread / 3000 * 252)
    assert found[1].high - found[1].low == pytest.approx(2 * 1.645 * error, rel=0.12)


def test_a_true_difference_is_found_and_the_other_way_round_is_none() -> None:
    excess = alike(1500, 2, 5)
    excess[:, 1] += 0.0008
    better = compare_sharpes(excess, 0, CONFIG)
    worse = compare_sharpes(excess, 1, CONFIG)
    assert better
    assert worse
    assert better[1].low > 0
    assert better[1].p_value < 0.01
    assert worse[0].p_value > 0.99
    assert worse[0].high == pytest.approx(-better[1].low, rel=0.2)


def test_a_comparison_alone_needs_no_adjustment() -> None:
    found = compare_sharpes(alike(400, 2, 6), 0, CONFIG)
    assert found
    assert found[1].p_value == found[1].adjusted_p_value


def test_the_best_of_many_worthless_curves_is_told_from_a_good_one() -> None:
    """Of 30 families of 12 worthless curves, the best of most looks good by itself and of few after the adjustment."""
    alone, adjusted = 0, 0
    for seed in range(30):
        generator = np.random.default_rng(100 + seed)
        common = generator.normal(0.0004, 0.01, (300, 1))
        worthless = common + generator.normal(0.0, 0.003, (300, 12))
        found = compare_sharpes(np.hstack([common, worthless]), 0, IntervalConfig(samples=200))
        assert found
        assert all(one.p_value <= one.adjusted_p_value for one in found)
        alone += min(one.p_value for one in found) < 0.10
        adjusted += min(one.adjusted_p_value for one in found) < 0.10
    # Expected are 1 - 0.9**12, i.e. 22, and 3.
    assert alone >= 17
    assert adjusted <= 7


def test_a_curve_that_is_the_default_under_another_name_is_no_success() -> None:
    excess = alike(300, 2, 7)
    found = compare_sharpes(np.column_stack([excess, excess[:, 0]]), 0, CONFIG)
    assert found
    assert (found[2].value, found[2].p_value, found[2].adjusted_p_value) == (0.0, 1.0, 1.0)
    assert found[1].p_value < 1.0


def test_a_curve_that_does_not_vary_has_no_difference_and_spoils_no_other() -> None:
    excess = alike(300, 3, 8)
    flat = np.column_stack([np.full(300, 0.0001), excess])
    found = compare_sharpes(flat, 2, CONFIG)
    assert found
    assert found[0] is None
    assert found[1:] == compare_sharpes(excess, 1, CONFIG)
    assert compare_sharpes(flat, 0, CONFIG) is None


def test_too_few_returns_have_no_comparison() -> None:
    excess = alike(MINIMUM_RETURNS, 2, 8)
    assert compare_sharpes(excess, 0, CONFIG)
    assert compare_sharpes(excess[1:], 0, CONFIG) is None

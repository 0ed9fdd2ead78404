"""Block length against another program, the kernel against plain Python, intervals against what is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading_lib.domain.kernels import python_version
from trading_lib.performance.config import IntervalConfig
from trading_lib.performance.metrics.formulas import max_drawdown, sharpe_ratio
from trading_lib.performance.significance.intervals import (
    MINIMUM_RETURNS,
    confidence_intervals,
    optimal_block_length,
    resample,
)

CONFIG = IntervalConfig(samples=400)


def autoregressive(phi: float, count: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.01, count)
    values = np.zeros(count)
    for t in range(1, count):
        values[t] = phi * values[t - 1] + noise[t]
    return values


@pytest.mark.parametrize(("phi", "seed"), [(p, s) for s, p in enumerate((0.0, 0.1, 0.3, 0.6, 0.9, -0.4, 0.2, 0.5))])
@pytest.mark.parametrize("count", [300, 1500])
def test_block_length_is_that_of_another_program(phi: float, seed: int, count: int) -> None:
    from arch import bootstrap as arch

    values = autoregressive(phi, count, seed)
    theirs = float(arch.optimal_block_length(values).iloc[0, 0])
    # A block shorter than one session does not exist; arch returns the formula's value.
    assert optimal_block_length(values) == pytest.approx(max(1.0, theirs), rel=1e-9)


def test_memory_makes_blocks_longer_up_to_a_bound() -> None:
    lengths = [optimal_block_length(autoregressive(phi, 2000, 4)) for phi in (0.0, 0.4, 0.9)]
    assert lengths == sorted(lengths)
    assert lengths[-1] > 5 * lengths[0]
    assert optimal_block_length(np.linspace(0, 1, 400)) <= math.ceil(min(3 * math.sqrt(400), 400 / 3))


def test_a_series_that_does_not_vary_has_blocks_of_one() -> None:
    assert optimal_block_length(np.full(100, 0.01)) == 1.0
    assert optimal_block_length(np.array([0.3])) == 1.0


def test_the_kernel_is_its_python_version() -> None:
    returns = np.random.default_rng(3).normal(0.0003, 0.01, 90)
    excess = returns - 0.0001
    compiled, plain = (
        run(returns, excess, 4.0, 5, np.random.default_rng(1)) for run in (resample, python_version(resample))
    )
    assert compiled == pytest.approx(plain, rel=1e-9)


def test_figures_of_a_path_are_the_metrics_of_that_path() -> None:
    """With blocks longer than any path, a path is the run itself from a random session on, wrapped around."""
    returns = np.random.default_rng(5).normal(0.0003, 0.01, 80)
    figures = resample(returns, returns - 0.0001, 1e12, 3, np.random.default_rng(2))
    draws = np.random.default_rng(2)
    for found in figures:
        start = int(draws.random() * 80)
        draws.random(79)
        path = np.roll(returns, -start)
        nav = np.r_[1.0, np.cumprod(1 + path)]
        expected = (
            nav[-1] ** (252 / 80) - 1,
            path.std(ddof=1) * math.sqrt(252),
            sharpe_ratio(path, np.full(80, 0.0252)),
            max_drawdown(nav),
        )
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("block", [1.0, 3.0, 12.0])
def test_blocks_have_the_asked_average_length(block: float) -> None:
    """Gains and losses in turn cancel within a block, so the spread of the mean tells how often blocks break.

    A restart with probability p leaves autocorrelations (p - 1)^k, which sum to p / (2 - p).
    """
    count, restart = 600, 1 / block
    returns = np.tile([0.01, -0.01], count // 2)
    ratio = resample(returns, returns, block, 4000, np.random.default_rng(6))[:, 2] / math.sqrt(252)
    assert (ratio**2).mean() * count == pytest.approx(restart / (2 - restart), rel=0.08)


def test_the_same_seed_gives_the_same_intervals_and_another_seed_others() -> None:
    returns = np.random.default_rng(7).normal(0.0004, 0.01, 600)
    rate = np.zeros(600)
    one = confidence_intervals(returns, rate, CONFIG)
    assert one == confidence_intervals(returns, rate, CONFIG)
    assert one != confidence_intervals(returns, rate, CONFIG.model_copy(update={"seed": 1}))


def test_intervals_of_independent_returns_have_the_width_theory_says() -> None:
    returns = np.random.default_rng(11).normal(0.0005, 0.01, 2520)
    found = confidence_intervals(returns, np.zeros(2520), CONFIG)
    assert found
    assert found.sharpe
    years = 10
    # Lo 2002: the standard error of an annual Sharpe ratio over ten years is about 1 / sqrt(10); 90 % is 3.29 of them.
    assert found.sharpe.high - found.sharpe.low == pytest.approx(3.29 / math.sqrt(years), rel=0.15)
    volatility = returns.std(ddof=1) * math.sqrt(252)
    assert found.annual_volatility.low < volatility < found.annual_volatility.high
    width = found.annual_volatility.high - found.annual_volatility.low
    assert width == pytest.approx(3.29 * volatility / math.sqrt(2 * 2520), rel=0.15)
    assert found.annual_return.low < (1 + returns).prod() ** (1 / years) - 1 < found.annual_return.high
    assert 0 < found.max_drawdown.low < found.max_drawdown.high < 1


def test_about_nine_in_ten_intervals_hold_the_truth() -> None:
    truth = 0.0005 / 0.01 * math.sqrt(252)
    held = 0
    for seed in range(100):
        returns = np.random.default_rng(seed).normal(0.0005, 0.01, 500)
        found = confidence_intervals(returns, np.zeros(500), CONFIG)
        assert found
        assert found.sharpe
        held += found.sharpe.low <= truth <= found.sharpe.high
    assert 80 <= held <= 97


def test_a_higher_confidence_is_a_wider_interval() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 300)
    narrow, wide = (
        confidence_intervals(returns, np.zeros(300), CONFIG.model_copy(update={"confidence": share}))
        for share in (0.5, 0.99)
    )
    assert narrow
    assert wide
    assert wide.annual_return.low < narrow.annual_return.low < narrow.annual_return.high < wide.annual_return.high


def test_the_cash_rate_lowers_the_sharpe_ratio_and_nothing_else() -> None:
    returns = np.random.default_rng(1).normal(0.0004, 0.01, 300)
    without, over = (confidence_intervals(returns, np.full(300, rate), CONFIG) for rate in (0.0, 0.05))
    assert without
    assert over
    assert without.annual_return == over.annual_return
    assert without.sharpe
    assert over.sharpe
    assert over.sharpe.high < without.sharpe.high


def test_too_short_and_too_calm_runs_have_no_interval() -> None:
    short = np.random.default_rng(1).normal(0, 0.01, MINIMUM_RETURNS - 1)
    assert confidence_intervals(short, np.zeros(len(short)), CONFIG) is None
    flat = confidence_intervals(np.full(100, 0.0), np.zeros(100), CONFIG)
    assert flat
    assert flat.sharpe is None
    assert (flat.annual_volatility.low, flat.max_drawdown.high) == (0.0, 0.0)

"""Single figures against published examples, and against the same figure computed in another way."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pandas as pd
import pytest

from trading_lib.performance.metrics.formulas import (
    beta_and_correlation,
    expected_shortfall,
    jensen_alpha,
    month_returns,
    sharpe_ratio,
    skewness,
    sortino_ratio,
    value_at_risk,
)

# Rollinger and Hoffman, "Sortino: A 'Sharper' Ratio" (Red Rock Capital 2013): eight annual returns, target 0.
RED_ROCK = np.array([0.17, 0.15, 0.23, -0.05, 0.12, 0.09, 0.13, -0.04])
# Microsoft, Excel's documentation of SKEW.
EXCEL = np.array([3.0, 4.0, 5.0, 2.0, 3.0, 4.0, 5.0, 6.0, 4.0, 7.0])
# Wikipedia, "Expected shortfall", example 2: of 100 outcomes 10 lose 100, 30 lose 20, 40 nothing, 20 win 50.
OUTCOMES = np.repeat([-100.0, -20.0, 0.0, 50.0], [10, 30, 40, 20])


def random_returns(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(4, count) * 0.01 + 0.0003


def test_sortino_is_that_of_red_rock_capital() -> None:
    # Annual there; the figure here is multiplied by the root of 252.
    found = sortino_ratio(RED_ROCK, np.zeros(8))
    assert found is not None
    assert found / math.sqrt(252) == pytest.approx(4.417, abs=5e-4)


def test_the_downside_is_what_falls_short_of_the_cash_rate() -> None:
    returns, rate = random_returns(1, 500), np.full(500, 0.0504)
    short = [min(r - 0.0002, 0.0) ** 2 for r in returns]
    expected = (statistics.fmean(returns) - 0.0002) / math.sqrt(sum(short) / 500) * math.sqrt(252)
    assert sortino_ratio(returns, rate) == pytest.approx(expected)
    assert sortino_ratio(np.full(9, 0.001), np.zeros(9)) is None
    assert sortino_ratio(np.empty(0), np.empty(0)) is None


@pytest.mark.parametrize("seed", range(5))
def test_value_at_risk_is_that_of_another_library(seed: int) -> None:
    import empyrical

    returns = random_returns(seed, 997)
    assert value_at_risk(returns, 0.05) == pytest.approx(-empyrical.value_at_risk(returns))


def test_expected_shortfall_is_that_of_the_published_example() -> None:
    for tail, expected in ((0.05, 100.0), (0.10, 100.0), (0.20, 60.0), (0.40, 40.0), (0.60, 80.0 / 3), (1.0, 6.0)):
        assert expected_shortfall(OUTCOMES, tail) == pytest.approx(expected), tail


@pytest.mark.parametrize("count", [20, 25, 39, 100, 997, 1000])
def test_expected_shortfall_is_the_mean_of_the_tail_and_never_below_the_value_at_risk(count: int) -> None:
    returns = random_returns(count, count)
    worst = np.sort(returns)
    whole, part = divmod(5 * count, 100)
    expected = -(worst[:whole].sum() + part / 100 * worst[whole]) / (0.05 * count)
    assert expected_shortfall(returns, 0.05) == pytest.approx(expected)
    assert expected_shortfall(returns, 0.05) >= value_at_risk(returns, 0.05)


def test_expected_shortfall_of_a_whole_tail_is_that_of_another_library() -> None:
    import empyrical

    returns = random_returns(3, 1000)
    assert expected_shortfall(returns, 0.05) == pytest.approx(-empyrical.conditional_value_at_risk(returns))


def test_value_at_risk_lies_between_two_returns() -> None:
    # 21 returns of 0 to 20 %: the 5 % quantile is the second of them; of 11 it lies halfway to it.
    assert value_at_risk(np.arange(21) / 100 - 0.10, 0.05) == pytest.approx(0.09)
    assert value_at_risk(np.arange(11) / 100 - 0.10, 0.05) == pytest.approx(0.095)


def test_skewness_is_that_of_spreadsheets_and_of_pandas() -> None:
    assert skewness(EXCEL) == pytest.approx(0.359543, abs=5e-7)
    values = random_returns(8, 60)
    assert skewness(values) == pytest.approx(pd.Series(values).skew())
    assert skewness(EXCEL[:2]) is None
    assert skewness(np.full(9, 0.1)) is None


def test_months_compound_to_the_whole_and_begin_and_end_where_the_run_does() -> None:
    days = pd.bdate_range("2021-01-20", "2021-05-04")
    nav = np.r_[1.0, np.cumprod(1.0 + random_returns(5, len(days) - 1))]
    months, returns = month_returns(days.to_numpy().astype("datetime64[D]"), nav)
    assert months.astype(str).tolist() == ["2021-01", "2021-02", "2021-03", "2021-04", "2021-05"]
    series = pd.Series(nav, days)
    expected = series.resample("ME").last().pct_change().to_numpy(copy=True)
    expected[0] = series["2021-01"].iloc[-1] - 1.0
    assert returns == pytest.approx(expected)
    assert np.prod(1.0 + returns) == pytest.approx(nav[-1])


def test_alpha_and_beta_are_intercept_and_slope_of_the_regression() -> None:
    benchmark = random_returns(6, 750)
    returns = 0.0002 + 0.6 * benchmark + np.random.default_rng(7).normal(0, 0.004, 750)
    rate = np.full(750, 0.03)
    # With a constant cash rate both are those of ordinary least squares on the excess returns.
    design = np.column_stack([np.ones(750), benchmark - 0.03 / 252])
    (intercept, slope), *_ = np.linalg.lstsq(design, returns - 0.03 / 252, rcond=None)
    relation = beta_and_correlation(returns, benchmark)
    assert relation is not None
    assert relation[0] == pytest.approx(slope)
    assert relation[1] == pytest.approx(statistics.correlation(returns.tolist(), benchmark.tolist()))
    assert jensen_alpha(returns, benchmark, rate) == pytest.approx(252 * intercept)


def test_beta_is_that_of_another_library() -> None:
    import empyrical

    benchmark = random_returns(6, 750)
    returns = 0.6 * benchmark + random_returns(9, 750)
    relation = beta_and_correlation(returns, benchmark)
    assert relation is not None
    assert relation[0] == pytest.approx(empyrical.beta(returns, benchmark))
    # Theirs is compounded to a year, ours is not.
    alpha = jensen_alpha(returns, benchmark, np.zeros(750))
    assert alpha is not None
    assert (1.0 + alpha / 252) ** 252 - 1.0 == pytest.approx(empyrical.alpha(returns, benchmark))


def test_a_benchmark_that_leads_by_a_constant_leaves_minus_that_as_alpha() -> None:
    returns = random_returns(2, 300)
    relation = beta_and_correlation(returns, returns + 0.0001)
    assert relation == pytest.approx((1.0, 1.0))
    assert jensen_alpha(returns, returns + 0.0001, np.zeros(300)) == pytest.approx(-0.0252)


@pytest.mark.parametrize(
    ("run", "benchmark"),
    [([0.01], [0.01]), ([0.01, 0.01, 0.01], [0.0, 0.1, 0.2]), ([0.0, 0.1, 0.2], [0.01, 0.01, 0.01])],
)
def test_without_variation_there_is_neither(run: list[float], benchmark: list[float]) -> None:
    assert beta_and_correlation(np.array(run), np.array(benchmark)) is None
    assert jensen_alpha(np.array(run), np.array(benchmark), np.zeros(len(run))) is None


def test_money_that_is_never_invested_has_no_ratio() -> None:
    """The cash rate that it misses varies; without the rule a Sharpe ratio of minus thousands came of that."""
    idle, rate = np.zeros(40), np.linspace(0.010, 0.012, 40)
    assert sharpe_ratio(idle, rate) is None
    assert sortino_ratio(idle, rate) is None
    moved = idle.copy()
    moved[7] = 0.001
    assert sharpe_ratio(moved, rate) is not None
    assert sortino_ratio(moved, rate) is not None

"""Metrics against figures worked out by hand and formulas written a second time."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tests.builders.orders import fill
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.performance.metrics.formulas import max_drawdown, sharpe_ratio
from trading_lib.performance.metrics.measure import measure, metric_input

NAV = np.array([100.0, 110.0, 99.0, 104.5, 121.0])
NO_RATE = np.zeros(5)
RETURNS = [0.10, -0.10, 104.5 / 99 - 1, 121 / 104.5 - 1]


def test_figures_by_hand() -> None:
    found = measure(NAV, [], NO_RATE)
    assert found["sessions"] == 5
    assert found["final_nav"] == 121.0
    assert found["annual_return"] == pytest.approx(1.21 ** (252 / 4) - 1)
    assert found["annual_volatility"] == pytest.approx(statistics.stdev(RETURNS) * math.sqrt(252))
    assert found["max_drawdown"] == pytest.approx(0.10)
    assert found["calmar"] == pytest.approx(found["annual_return"] / 0.10)  # type: ignore[operator]
    assert found["sharpe"] == pytest.approx(statistics.mean(RETURNS) / statistics.stdev(RETURNS) * math.sqrt(252))
    assert found["cash_rate"] == 0.0


def test_one_year_of_doubling_is_a_return_of_100_percent() -> None:
    nav = 100.0 * 2 ** (np.arange(253) / 252)
    assert measure(nav, [], np.zeros(253))["annual_return"] == pytest.approx(1.0)


def test_sharpe_is_over_the_cash_rate_known_at_the_start_of_each_return() -> None:
    rates = np.array([0.0252, 0.0504, np.nan, 0.0, 9.9])
    excess = [r - c for r, c in zip(RETURNS, (0.0001, 0.0002, 0.0, 0.0), strict=True)]
    found = measure(NAV, [], rates)
    assert found["sharpe"] == pytest.approx(statistics.mean(excess) / statistics.stdev(excess) * math.sqrt(252))
    assert found["cash_rate"] == pytest.approx((0.0252 + 0.0504 + 9.9) / 5)


def test_on_a_long_random_series() -> None:
    generator = np.random.default_rng(3)
    nav = 1e5 * np.cumprod(1 + generator.normal(0.0004, 0.01, 1500))
    found = measure(nav, [], np.full(1500, 0.02))
    returns = np.diff(nav) / nav[:-1]
    peak, worst = nav[0], 0.0
    for value in nav:
        peak = max(peak, value)
        worst = max(worst, (peak - value) / peak)
    assert found["max_drawdown"] == pytest.approx(worst, rel=1e-12)
    assert found["annual_return"] == pytest.approx(np.exp(np.log(nav[-1] / nav[0]) * 252 / 1499) - 1)
    excess = returns - 0.02 / 252
    assert found["sharpe"] == pytest.approx(np.mean(excess) / np.sqrt(np.var(excess, ddof=1)) * np.sqrt(252))


def test_what_cannot_be_computed_is_missing_not_zero() -> None:
    one = measure(np.array([100.0]), [], np.array([0.0]))
    for name in [
        "annual_return",
        "annual_volatility",
        "sharpe",
        "calmar",
        "win_rate",
        "profit_factor",
        "monthly_turnover",
        "annual_cost_drag",
    ]:
        assert one[name] is None, name
    assert (one["sessions"], one["max_drawdown"], one["round_trips"], one["trades"]) == (1, 0.0, 0, 0)
    two = measure(np.array([100.0, 101.0]), [], np.zeros(2))
    assert two["annual_return"] is not None
    assert two["sharpe"] is None
    assert two["annual_volatility"] is None
    assert two["calmar"] is None  # never fell


def test_a_flat_book_has_no_sharpe() -> None:
    flat = measure(np.full(50, 100.0), [], np.full(50, 0.02))
    assert flat["sharpe"] is None
    assert flat["annual_volatility"] == 0.0
    assert sharpe_ratio(np.full(50, 0.001), np.zeros(50)) is None


def test_drawdown_is_measured_from_the_running_peak() -> None:
    assert max_drawdown(np.array([100.0, 50.0, 200.0, 120.0])) == pytest.approx(0.5)
    assert max_drawdown(np.array([1.0, 2.0, 3.0])) == 0.0


TRADES = [
    fill(Side.BUY, "SPY", "10", "100", "1"),
    fill(Side.BUY, "GLD", "5", "200", "1"),
    fill(Side.SELL, "SPY", "4", "120", "1"),
    fill(Side.SELL, "GLD", "5", "190", "1"),  # -50 - 2
    fill(Side.SELL, "SPY", "6", "110", "1"),  # 480 + 660 - 1000 - 3
    fill(Side.BUY, "SPY", "2", "100", "1"),
    fill(Side.SELL, "SPY", "2", "101", "1"),  # a profit before commissions, none after: 2 - 2
    fill(Side.BUY, "TLT", "9", "90", "1"),  # still open
]


def profits_of(fills: list[Fill]) -> list[float]:
    return metric_input(NAV, fills, NO_RATE).profits


def test_round_trips_run_from_flat_to_flat_after_commissions() -> None:
    assert profits_of(TRADES) == [-52.0, 137.0, 0.0]


def test_win_rate_and_profit_factor() -> None:
    found = measure(NAV, TRADES, NO_RATE)
    assert found["win_rate"] == pytest.approx(1 / 3)
    assert found["profit_factor"] == pytest.approx(137 / 52)
    assert (found["round_trips"], found["trades"]) == (3, 8)
    assert measure(NAV, TRADES[4:7], NO_RATE)["profit_factor"] is None


def test_turnover_and_cost_drag() -> None:
    trades = [fill(Side.BUY, "SPY", "1", "50.5", "0.10", reference="50"), fill(Side.SELL, "SPY", "1", "49.5", "0.10")]
    found = measure(np.full(22, 100.0), trades, np.zeros(22))
    assert found["monthly_turnover"] == pytest.approx((50.5 + 49.5) / 2 / 100)
    assert found["annual_cost_drag"] == pytest.approx((0.5 + 0.2) / 100 * 12)


def test_quantities_are_counted_exactly() -> None:
    tenths = [fill(Side.BUY, "BTC-USD", "0.1", "1")] * 3 + [fill(Side.SELL, "BTC-USD", "0.3", "1")]
    assert profits_of(tenths) == [0.0]
    assert profits_of([replace(tenths[0], quantity=Decimal("0.2")), tenths[0]]) == []


@pytest.mark.parametrize("seed", range(10))
def test_where_definitions_agree_the_figures_are_those_of_another_library(seed: int) -> None:
    import empyrical

    generator = np.random.default_rng(seed)
    count = int(generator.integers(60, 2500))
    returns = generator.standard_t(4, count) * generator.uniform(0.003, 0.02) + generator.normal(0, 0.0005)
    returns = np.maximum(returns, -0.5)
    rate = generator.uniform(0, 0.06, count + 1)
    found = measure(1e5 * np.r_[1.0, np.cumprod(1 + returns)], [], rate)
    close = {"rel": 1e-9, "abs": 1e-9}
    assert found["annual_return"] == pytest.approx(empyrical.annual_return(returns), **close)
    assert found["annual_volatility"] == pytest.approx(empyrical.annual_volatility(returns), **close)
    # Theirs takes the rate of a period, ours the annual one known at its start.
    assert found["sharpe"] == pytest.approx(empyrical.sharpe_ratio(returns, risk_free=rate[:-1] / 252), **close)
    assert found["max_drawdown"] == pytest.approx(-empyrical.max_drawdown(returns), **close)
    assert found["calmar"] == pytest.approx(empyrical.calmar_ratio(returns), **close)


def test_where_definitions_differ() -> None:
    """docs/research/metrics.md names these differences."""
    import empyrical

    returns = np.array(RETURNS)
    # A drawdown is a positive fraction here and a negative one there.
    assert empyrical.max_drawdown(returns) == pytest.approx(-measure(NAV, [], NO_RATE)["max_drawdown"])
    # What cannot be computed is None here, and NaN or 0 there.
    rising = measure(np.array([100.0, 101.0, 102.0]), [], np.zeros(3))
    assert rising["calmar"] is None
    assert math.isnan(empyrical.calmar_ratio(np.array([0.01, 0.01])))
    assert measure(np.array([100.0]), [], np.zeros(1))["annual_return"] is None
    assert math.isnan(empyrical.annual_return(np.array([])))
    # A missing return is skipped there; a run has none, and one would spoil every figure here.
    assert not math.isnan(empyrical.annual_volatility(np.r_[returns, np.nan]))
    spoiled = measure(np.r_[NAV, np.nan], [], np.zeros(6))
    assert spoiled["annual_volatility"] is spoiled["sharpe"] is spoiled["max_drawdown"] is None
    assert spoiled.missing["annual_volatility"] == "it came to no finite number"


def test_win_rate_and_profit_factor_are_of_round_trips_not_of_days() -> None:
    """Tear sheets of other packages count winning days; here they are of trades."""
    found = measure(NAV, TRADES, NO_RATE)
    days = np.array(RETURNS)
    assert found["win_rate"] == pytest.approx(1 / 3)
    assert (days > 0).mean() == 0.75
    assert found["profit_factor"] == pytest.approx(137 / 52)
    assert days[days > 0].sum() / -days[days < 0].sum() != pytest.approx(137 / 52)

"""Benchmarks by hand, and what no benchmark may do."""

from __future__ import annotations

import numpy as np
import pytest

from tests.builders.markets import ASSETS, UNIVERSE, at
from tests.builders.runs import finished_run
from trading_lib.domain.kernels import python_version
from trading_lib.performance.benchmarks import BENCHMARKS, Benchmark, benchmark_values, hold

NEVER = np.zeros(4, dtype=np.bool_)
COST = UNIVERSE.cost_rates[at("SPY")]
SPY = Benchmark("SPY", {"SPY": 1.0}, rebalanced=False)


def prices(**columns: list[float]) -> np.ndarray:
    """Returns of four sessions, zero for assets that are not named."""
    found = np.zeros((4, ASSETS))
    for symbol, values in columns.items():
        found[:, at(symbol)] = values
    return found


def values_of(benchmark: Benchmark, returns: np.ndarray, month_end: np.ndarray = NEVER) -> np.ndarray:
    found = benchmark_values(benchmark, UNIVERSE, returns, np.full((4, ASSETS), 100.0), month_end, 1000.0)
    assert found is not None
    return found


def test_the_benchmarks_are_those_of_the_design() -> None:
    assert [(b.name, dict(b.weights), b.rebalanced) for b in BENCHMARKS] == [
        ("60/40 SPY/TLT", {"SPY": 0.6, "TLT": 0.4}, True),
        ("equal weight", {}, True),
        ("SPY", {"SPY": 1.0}, False),
    ]


def test_buy_and_hold_pays_once_and_then_earns_the_total_return() -> None:
    found = values_of(SPY, prices(SPY=[9.9, 0.10, -0.05, 0.02]))
    bought = 1000 / (1 + COST)
    assert found[0] == 1000.0  # what happened before the purchase does not count
    assert found[1:] == pytest.approx(bought * np.cumprod([1.10, 0.95, 1.02]), rel=1e-6)


def test_sixty_forty_returns_to_its_weights_at_the_end_of_the_month() -> None:
    returns = prices(SPY=[0, 0.5, 0.5, 0.5], TLT=[0, 0, 0, 0])
    month_end = np.array([False, True, False, False])
    found = values_of(BENCHMARKS[0], returns, month_end)
    start = 1000 / (1 + COST)
    drifted = start * (0.6 * 1.5 + 0.4)
    assert found[1] == pytest.approx(drifted, rel=1e-6)
    # Stocks are 0.9 / 1.3 of the whole and go back to 0.6; the difference is traded twice.
    moved = 2 * (0.9 / 1.3 - 0.6) * drifted
    assert found[2] == pytest.approx((drifted - moved * COST) * (0.6 * 1.5 + 0.4), rel=1e-5)
    held = values_of(BENCHMARKS[0], returns)
    assert held[2] == pytest.approx(start * (0.6 * 1.5**2 + 0.4), rel=1e-6)


def test_equal_weight_shares_among_what_exists() -> None:
    close = np.full((4, ASSETS), np.nan)
    close[:, [at("SPY"), at("GLD")]] = 100.0
    close[2:, at("TLT")] = 100.0
    returns = prices(SPY=[0, 0.2, 0, 0], GLD=[0, 0, 0, 0], TLT=[0, 7.0, 7.0, 0.3])
    month_end = np.array([False, False, True, False])
    found = benchmark_values(BENCHMARKS[1], UNIVERSE, returns, close, month_end, 1000.0)
    assert found is not None
    assert found[1] == pytest.approx(1000 / (1 + COST) * 1.1, rel=1e-6)
    assert found[3] / found[2] == pytest.approx(1 + 0.3 / 3, rel=2e-3)


def test_an_asset_without_a_price_makes_no_benchmark() -> None:
    close = np.full((4, ASSETS), 100.0)
    close[0, at("TLT")] = np.nan
    returns = np.zeros((4, ASSETS))
    assert benchmark_values(BENCHMARKS[0], UNIVERSE, returns, close, NEVER, 1000.0) is None
    assert benchmark_values(BENCHMARKS[2], UNIVERSE, returns, close, NEVER, 1000.0) is not None
    nothing = np.full((4, ASSETS), np.nan)
    assert benchmark_values(BENCHMARKS[1], UNIVERSE, returns, nothing, NEVER, 1000.0) is None
    stranger = Benchmark("other", {"ACME": 1.0}, rebalanced=False)
    assert benchmark_values(stranger, UNIVERSE, returns, close, NEVER, 1000.0) is None


def test_the_kernel_is_its_python_version() -> None:
    _, record = finished_run()
    targets = np.random.default_rng(1).dirichlet(np.ones(ASSETS), len(record.nav))
    arguments = (np.nan_to_num(record.mark_return), targets, record.month_end, UNIVERSE.cost_rates, 1e5)
    assert hold(*arguments) == pytest.approx(python_version(hold)(*arguments), rel=1e-12)


def test_without_costs_and_moves_nothing_is_lost_and_costs_only_cost() -> None:
    generator = np.random.default_rng(2)
    targets = generator.dirichlet(np.ones(ASSETS), 50)
    every = np.ones(50, dtype=np.bool_)
    still = np.zeros((50, ASSETS))
    assert hold(still, targets, every, np.zeros(ASSETS), 1000.0) == pytest.approx(np.full(50, 1000.0))
    paid = hold(still, targets, every, UNIVERSE.cost_rates, 1000.0)
    assert (np.diff(paid) < 0).all()


def test_what_is_bought_once_stays_as_it_is() -> None:
    twice = Benchmark("two", {"SPY": 0.5, "TLT": 0.5}, rebalanced=False)
    found = values_of(twice, prices(SPY=[0, 0.5, 0.5, 0.5]), np.ones(4, dtype=np.bool_))
    assert found[3] == pytest.approx(1000 / (1 + COST) * (0.5 * 1.5**3 + 0.5), rel=1e-6)

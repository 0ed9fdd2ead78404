"""A month's move toward its target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_lib.strategies.rotation.turnover_bound import bound_rebalance

RATES = np.array([0.0015, 0.0015, 0.0025])


def test_within_both_bounds_it_arrives() -> None:
    present, wanted = np.array([0.5, 0.3, 0.0]), np.array([0.2, 0.5, 0.1])
    move = bound_rebalance(present, wanted, RATES, 0.4, 0.002)
    assert move.weights.tolist() == wanted.tolist()
    assert move.turnover == pytest.approx(0.3)  # 30 % sold, 30 % bought, half of 60 %
    assert move.cost == pytest.approx(0.5 * 0.0015 + 0.1 * 0.0025)
    assert (move.share, move.bound) == (1.0, "")


def test_turnover_stops_it() -> None:
    move = bound_rebalance(np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), RATES, 0.4, 1.0)
    np.testing.assert_allclose(move.weights, [0.6, 0.4, 0.0])
    assert move.bound == "turnover 100.0% > 40.0% a month"


def test_cost_stops_it_earlier() -> None:
    move = bound_rebalance(np.zeros(3), np.array([0, 0, 0.5]), RATES, 0.4, 0.001)
    np.testing.assert_allclose(move.weights, [0, 0, 0.4])
    assert move.bound == "estimated cost 0.12% > 0.10% a month"
    assert move.share == pytest.approx(0.8)


def test_the_first_allocation_from_cash_is_bounded_too() -> None:
    move = bound_rebalance(np.zeros(3), np.array([0.5, 0.5, 0.0]), RATES, 0.4, 1.0)
    # Half of the traded 100 % is 50 %: four fifths of the way.
    np.testing.assert_allclose(move.weights, [0.4, 0.4, 0.0])


def test_nothing_to_do() -> None:
    move = bound_rebalance(np.zeros(3), np.zeros(3), RATES, 0.4, 0.002)
    assert (move.share, move.turnover, move.cost, move.bound) == (1.0, 0.0, 0.0, "")


@settings(max_examples=500, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    assets=st.integers(1, 20),
    turnover=st.floats(1e-3, 1.0),
    cost=st.floats(1e-5, 0.01),
)
def test_no_bound_is_ever_exceeded_and_the_move_goes_straight(
    seed: int, assets: int, turnover: float, cost: float
) -> None:
    generator = np.random.default_rng(seed)
    present, wanted = (generator.dirichlet(np.ones(assets)) * generator.choice([0.0, 0.5, 1.0]) for _ in range(2))
    rates = generator.uniform(0, 0.01, assets)
    move = bound_rebalance(present, wanted, rates, turnover, cost)
    moved = move.weights - present
    assert np.abs(moved).sum() / 2 <= turnover + 1e-12
    assert np.abs(moved) @ rates <= cost + 1e-12
    np.testing.assert_allclose(moved, move.share * (wanted - present), atol=1e-12)
    assert (move.weights >= 0).all()
    assert move.weights.sum() <= 1 + 1e-12
    # As far as possible: one of the bounds is reached, or the target is.
    if move.bound:
        assert np.isclose(np.abs(moved).sum() / 2, turnover) or np.isclose(np.abs(moved) @ rates, cost)
    else:
        assert (move.weights == wanted).all()

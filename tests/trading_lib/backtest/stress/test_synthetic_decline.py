"""The synthetic decline keeps its promises exactly, whatever the seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_lib.backtest.stress.scenarios import SyntheticDecline
from trading_lib.backtest.stress.synthetic_decline import decline_moves

GENERATOR = np.random.default_rng(5)
RETURNS = GENERATOR.normal(0.0003, [0.004, 0.01, 0.02, 0.04], (90, 4))


def scenario(**fields: object) -> SyntheticDecline:
    return SyntheticDecline.model_validate({"name": "fall", "kind": "decline", "limit": 0.22, **fields})


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.05, 0.6), st.floats(0.0, 0.95), st.floats(0.5, 5.0))
def test_fall_correlation_and_volatility_are_what_was_asked_for(
    seed: int, decline: float, correlation: float, factor: float
) -> None:
    asked = scenario(seed=seed, decline=decline, correlation=correlation, volatility_factor=factor)
    moves = decline_moves(RETURNS, 20.0, asked)
    np.testing.assert_allclose(moves.close.prod(axis=0), 1.0 - decline, rtol=1e-9)
    logs = np.log(moves.close)
    np.testing.assert_allclose(np.corrcoef(logs.T)[np.triu_indices(4, 1)], correlation, atol=1e-9)
    before = np.log1p(RETURNS[-60:]).std(axis=0, ddof=1)
    np.testing.assert_allclose(logs.std(axis=0, ddof=1), factor * before, rtol=1e-9)


def test_defaults_are_those_of_the_specification() -> None:
    moves = decline_moves(RETURNS, 20.0, scenario())
    assert moves.close.shape == (20, 4)
    np.testing.assert_allclose(moves.close.prod(axis=0), 0.80)
    np.testing.assert_allclose(np.corrcoef(np.log(moves.close).T)[0, 1], 0.90)
    assert moves.volatility_index[-1] == pytest.approx(60.0)
    assert (np.diff(moves.volatility_index) > 0).all()


def test_the_seed_decides_the_path() -> None:
    same = [decline_moves(RETURNS, 20.0, scenario(seed=seed)).close for seed in (1, 1, 2)]
    np.testing.assert_array_equal(same[0], same[1])
    assert not np.allclose(same[0], same[2])


def test_highs_and_lows_enclose_the_session() -> None:
    moves = decline_moves(RETURNS, 20.0, scenario())
    for prices in (moves.open, moves.close, np.ones_like(moves.close)):
        assert (moves.low <= prices).all()
        assert (moves.high >= prices).all()


def test_an_asset_without_history_stays_absent_and_one_that_never_moved_falls_in_a_straight_line() -> None:
    returns = RETURNS.copy()
    returns[:, 0], returns[:, 1] = np.nan, 0.0
    moves = decline_moves(returns, np.nan, scenario())
    assert np.isnan(moves.close[:, 0]).all()
    np.testing.assert_allclose(moves.close[:, 1], 0.8 ** (1 / 20))
    np.testing.assert_allclose(moves.close[:, 2:].prod(axis=0), 0.80)
    assert np.isnan(moves.volatility_index).all()


def test_more_assets_than_sessions_still_fall_by_the_same_share() -> None:
    many = np.tile(RETURNS, (1, 8)) + np.random.default_rng(1).normal(0, 1e-3, (90, 32))
    moves = decline_moves(many, 20.0, scenario())
    np.testing.assert_allclose(moves.close.prod(axis=0), 0.80)
    assert np.corrcoef(np.log(moves.close).T)[np.triu_indices(32, 1)].mean() > 0.75

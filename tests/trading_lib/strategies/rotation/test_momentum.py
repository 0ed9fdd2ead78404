"""Who leads, who trails, and when leaders fall."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders.markets import ASSETS, UNIVERSE, make_view, vector
from trading_lib.domain.kernels import python_version
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.config import MomentumConfig, RotationConfig
from trading_lib.strategies.rotation.momentum import MomentumGroups, cross_sectional_rank, rank_by_momentum

CONFIG = MomentumConfig()
# The last asset of the universe leads, the first trails.
RISING = np.linspace(-0.10, 0.30, ASSETS)


def groups_of(
    momentum: FloatArray, averages: FloatArray | float = 90.0, config: MomentumConfig = CONFIG
) -> MomentumGroups:
    """The groups where every asset's price is 100."""
    average = np.broadcast_to(np.asarray(averages, dtype=float), ASSETS)
    return rank_by_momentum(make_view({"Momentum_12_1": momentum, "SMA_200": average}), config)


def named(members: np.ndarray) -> set[str]:
    return {UNIVERSE.symbols[i] for i in np.flatnonzero(members)}


def test_of_fifteen_assets_five_lead_and_four_trail() -> None:
    # Ranks 11/15 to 15/15 are above 0.7, ranks 1/15 to 4/15 below 0.3.
    found = groups_of(RISING)
    assert named(found.top) == set(UNIVERSE.symbols[-5:]) == named(found.selected)
    assert named(found.bottom) == set(UNIVERSE.symbols[:4])
    assert named(found.kept) == set(UNIVERSE.symbols[4:-5])
    assert not found.defensive


def test_a_rank_on_the_bound_is_in_the_middle() -> None:
    # Of ten ranked assets 7/10 is not above 0.7, and 3/10 not below 0.3.
    momentum = np.where(np.arange(ASSETS) < 10, RISING, np.nan)
    found = groups_of(momentum)
    assert named(found.top) == set(UNIVERSE.symbols[7:10])
    assert named(found.bottom) == set(UNIVERSE.symbols[:2])


def test_what_has_no_rank_is_in_no_group_and_keeps_its_weight() -> None:
    found = groups_of(np.where(np.arange(ASSETS) < 10, RISING, np.nan))
    unranked = np.arange(ASSETS) >= 10
    assert not (found.top | found.bottom | found.selected)[unranked].any()
    assert found.kept[unranked].all()
    nothing = groups_of(np.full(ASSETS, np.nan))
    assert nothing.kept.all()
    assert not nothing.defensive


def test_one_asset_leads_and_equal_ones_do_not() -> None:
    alone = groups_of(vector(np.nan, GLD=-0.2))
    assert named(alone.selected) == {"GLD"}
    equal = groups_of(np.zeros(ASSETS))
    assert equal.kept.all()
    assert not equal.defensive


def test_a_leader_must_be_above_its_average() -> None:
    average = np.full(ASSETS, 90.0)
    average[-1], average[-2], average[-3] = 100.1, 100.0, np.nan
    found = groups_of(RISING, average)
    assert named(found.selected) == set(UNIVERSE.symbols[-5:-3])
    assert named(found.falling) == {UNIVERSE.symbols[-1]}  # at its average or without one it is neither


@pytest.mark.parametrize(("falling", "defensive"), [(0, False), (2, False), (3, True), (5, True)])
def test_defence_needs_more_than_half_of_the_leaders_below(falling: int, defensive: bool) -> None:
    average = np.full(ASSETS, 90.0)
    average[ASSETS - falling :] = 110.0
    assert groups_of(RISING, average).defensive is defensive


def test_exactly_half_is_not_more_than_half_and_unknown_averages_abstain() -> None:
    momentum = np.where(np.arange(ASSETS) < 10, np.linspace(0, 1, ASSETS), np.nan)  # three lead
    average = np.full(ASSETS, 90.0)
    average[7], average[8], average[9] = 110.0, 90.0, np.nan
    assert not groups_of(momentum, average).defensive  # one of two known
    average[8] = np.nan
    assert groups_of(momentum, average).defensive  # one of one


def test_falling_trailers_do_not_call_for_defence() -> None:
    average = np.full(ASSETS, 110.0)
    average[-5:] = 90.0
    assert not groups_of(RISING, average).defensive


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), missing=st.floats(0, 1), share=st.floats(0.05, 0.5))
def test_the_groups_follow_from_the_ranks_alone(seed: int, missing: float, share: float) -> None:
    generator = np.random.default_rng(seed)
    momentum = generator.normal(0, 0.2, ASSETS).round(1)
    momentum[generator.random(ASSETS) < missing] = np.nan
    average = generator.choice([90.0, 100.0, 110.0, np.nan], ASSETS)
    found = groups_of(momentum, average, MomentumConfig(top_share=share, bottom_share=share))
    assert not (found.top & found.bottom).any()
    assert (found.selected <= found.top).all()
    assert not (found.selected & found.falling).any()
    # Tied leaders share an average rank, so more than the share may lead, though never twice as many.
    assert found.top.sum() < 2 * share * np.isfinite(momentum).sum() + 1
    for leader in np.flatnonzero(found.top):
        assert (momentum[~found.top & np.isfinite(momentum)] < momentum[leader]).all()
    below, known = (found.top & (average > 100)).sum(), (found.top & np.isfinite(average)).sum()
    assert found.defensive == (2 * below > known)
    # A steeper scale changes no rank.
    assert (groups_of(np.exp(3 * momentum), average, MomentumConfig(top_share=share)).top == found.top).all()


def test_a_configuration_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValidationError, match="top_share and bottom_share overlap"):
        MomentumConfig(top_share=0.6, bottom_share=0.5)
    with pytest.raises(ValidationError, match="names an asset twice: GLD, GLD"):
        RotationConfig(defence_symbols=("GLD", "GLD"))
    with pytest.raises(ValidationError, match="risk_measure"):
        RotationConfig.model_validate({"risk_measure": "VaR"})


NUMBERS = st.lists(st.one_of(st.floats(-5, 5).map(lambda x: round(x, 1)), st.just(float("nan"))), max_size=30)


def test_ranks_average_ties_and_leave_missing_out() -> None:
    found = cross_sectional_rank(np.array([0.3, np.nan, 0.1, 0.3, 0.2]))
    np.testing.assert_allclose(found, [0.875, np.nan, 0.25, 0.875, 0.5])
    assert np.isnan(cross_sectional_rank(np.full(3, np.nan))).all()
    assert cross_sectional_rank(np.array([np.inf, 1.0])).tolist()[1] == 1.0


@settings(max_examples=500, deadline=None)
@given(NUMBERS)
def test_ranks_equal_pandas(values: list[float]) -> None:
    expected = pd.Series(values, dtype=float).rank(pct=True).to_numpy()
    np.testing.assert_allclose(cross_sectional_rank(np.array(values, dtype=float)), expected)


@settings(max_examples=50, deadline=None)
@given(NUMBERS)
def test_compiled_and_uncompiled_agree(values: list[float]) -> None:
    array = np.array(values, dtype=float)
    np.testing.assert_array_equal(cross_sectional_rank(array), python_version(cross_sectional_rank)(array))

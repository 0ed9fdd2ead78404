"""Which changes of weight become orders, in which order, and why the others do not: compiled and plain agree."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trading_lib.domain.kernels import python_version
from trading_lib.orders import generate, rebalancing

CHANGES = arrays.arrays(
    np.float64, 6, elements=st.sampled_from([-0.3, -0.1, -0.02, -0.01, 0.0, 1e-12, 0.01, 0.02, 0.1, 0.2])
)
PRICES = arrays.arrays(np.float64, 6, elements=st.sampled_from([100.0, 50.0, np.nan]))
ALLOWED = arrays.arrays(np.bool_, 6)


@settings(deadline=None)
@given(change=CHANGES, close=PRICES, allowed=ALLOWED)
def test_sells_come_before_buys_and_larger_changes_before_smaller(
    change: np.ndarray, close: np.ndarray, allowed: np.ndarray
) -> None:
    found = rebalancing.in_turn(change, close, allowed, 0.02)
    possible = np.flatnonzero((np.abs(change) >= 0.02) & np.isfinite(close) & ((change < 0) | allowed))
    expected = possible[np.lexsort((-np.abs(change[possible]), change[possible] > 0))]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(python_version(rebalancing.in_turn)(change, close, allowed, 0.02), expected)
    for one in change:
        for other in change:
            assert python_version(rebalancing._before)(one, other) == rebalancing._before(one, other)


@settings(deadline=None)
@given(change=CHANGES, close=PRICES, allowed=ALLOWED)
def test_every_change_is_in_turn_or_has_a_cause(change: np.ndarray, close: np.ndarray, allowed: np.ndarray) -> None:
    causes = generate._causes(change, close, allowed, 0.02)
    np.testing.assert_array_equal(python_version(generate._causes)(change, close, allowed, 0.02), causes)
    in_turn = np.isin(np.arange(6), rebalancing.in_turn(change, close, allowed, 0.02))
    moved = np.abs(change) > generate.DUST
    np.testing.assert_array_equal(in_turn | (causes > 0), moved)
    assert not (in_turn & (causes > 0)).any()
    small = moved & (np.abs(change) < 0.02)
    np.testing.assert_array_equal(causes == 1, small)
    np.testing.assert_array_equal(causes == 2, moved & ~small & np.isnan(close))

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.learning.config import LifecycleConfig
from trading_lib.learning.lifecycle.statistics import design_fires, false_alarms, rolling_mean, run_below, shortfall

VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=60).map(np.array)


def test_a_run_grows_below_the_level_ends_at_it_and_passes_over_the_unknown() -> None:
    values = np.array([-0.1, -0.2, np.nan, -0.1, 0.0, -0.3])
    assert run_below(values, 0.0).tolist() == [1, 2, 2, 3, 0, 1]


@given(st.lists(st.sampled_from([-0.5, 0.0, 0.5, np.nan]), max_size=40).map(np.array))
def test_any_run_is_what_counting_gives(values: np.ndarray) -> None:
    lengths, length = [], 0
    for value in values.tolist():
        length = 0 if value >= 0.0 else length + (value < 0.0)
        lengths.append(length)
    assert run_below(values, 0.0).tolist() == lengths


def test_a_mean_waits_for_its_window_of_known_values() -> None:
    means = rolling_mean(np.array([1.0, np.nan, 3.0, 5.0]), 2)
    np.testing.assert_array_equal(means, [np.nan, np.nan, 2.0, 4.0])


@given(VALUES, st.floats(-0.5, 0.5))
def test_a_shortfall_is_page_s_recursion(values: np.ndarray, level: float) -> None:
    sums, now = [], 0.0
    for value in values.tolist():
        now = max(0.0, now + level - value)
        sums.append(now)
    np.testing.assert_allclose(shortfall(values, level), sums, atol=1e-12)


@given(VALUES)
def test_a_shortfall_does_not_see_what_is_unknown(values: np.ndarray) -> None:
    gaps = np.insert(values, 0, np.nan)
    np.testing.assert_allclose(shortfall(gaps, 0.0)[1:], shortfall(values, 0.0), atol=1e-12)


def test_a_condition_acts_where_it_begins_or_again_after_every_spacing() -> None:
    fires = np.array([True, True, False, True, True, True, True, False])
    assert false_alarms(fires) == 2 * 2520 / 8
    assert false_alarms(fires, spacing=3) == 3 * 2520 / 8
    assert false_alarms(np.ones(10, dtype=np.bool_), spacing=5) == 2 * 252
    assert false_alarms(np.ones(10, dtype=np.bool_)) == 252
    assert np.isnan(false_alarms(np.zeros(0, dtype=np.bool_)))


def test_the_design_s_triggers_hold_after_their_runs() -> None:
    config = LifecycleConfig(ic_window=2, ic_warning=0.05, ic_warning_sessions=2, ic_retire_sessions=3)
    fires = design_fires(np.array([0.1, 0.1, -0.1, -0.1, -0.1, 0.4]), config)
    assert fires["ic"].tolist() == [False, False, False, True, True, False]
    assert fires["ic_retire"].tolist() == [False, False, False, False, True, False]

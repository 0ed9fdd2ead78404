from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, rankdata

from trading_lib.learning.config import LifecycleConfig, Thresholds
from trading_lib.learning.lifecycle.drift import distance, drift_readings, measure

CONFIG = LifecycleConfig()
FEW = st.lists(st.integers(-5, 5), min_size=1, max_size=30).map(lambda values: np.array(values, dtype=np.float64))


@given(FEW, FEW)
def test_the_distance_is_scipy_s_ties_included(sample: np.ndarray, reference: np.ndarray) -> None:
    expected = ks_2samp(sample, reference, method="asymp").statistic
    np.testing.assert_allclose(distance(sample, np.sort(reference)), expected, atol=1e-12)


def test_an_empty_side_has_no_distance() -> None:
    assert np.isnan(distance(np.empty(0), np.ones(3)))
    assert np.isnan(distance(np.ones(3), np.empty(0)))


def ranks(sessions: int, order: np.ndarray, noise: float, generator: np.random.Generator) -> np.ndarray:
    values = order + noise * generator.standard_normal((sessions, len(order)))
    return (rankdata(values, axis=1) - 1) / (len(order) - 1) - 0.5


def test_pooled_ranks_are_blind_and_ranks_per_asset_see_an_order_turned_around() -> None:
    generator = np.random.default_rng(0)
    order = np.arange(15.0)
    training, recent = ranks(1000, order, 3.0, generator), ranks(20, -order, 3.0, generator)
    pooled = measure(("momentum",), ("price",), training[None], recent[None], CONFIG)
    each = measure(("momentum",), ("cross_section",), training[None], recent[None], CONFIG)
    assert pooled.distance[0] < 1e-12
    assert each.distance[0] > 0.6
    assert each.worst > each.worst_usual


def test_a_slow_feature_is_far_by_the_design_though_nothing_changed_and_not_by_its_own_past() -> None:
    generator = np.random.default_rng(1)
    level = np.zeros(3040)
    for session in range(1, len(level)):
        level[session] = 0.99 * level[session - 1] + generator.standard_normal()
    slow = np.repeat(level[:, None], 10, axis=1)[None]
    drift = measure(("vix",), ("macro",), slow[:, :3000], slow[:, -20:], CONFIG)
    readings = {(r.name, r.thresholds): r for r in drift_readings(drift, CONFIG)}
    assert readings["ks", Thresholds.DESIGN].fired
    assert not readings["ks", Thresholds.DESIGN].acts
    assert readings["ks", Thresholds.DESIGN].false_alarms > 0
    assert not readings["ks", Thresholds.CALIBRATED].fired
    moved = measure(("vix",), ("macro",), slow[:, :3000], slow[:, -20:] + 100.0, CONFIG)
    assert next(r for r in drift_readings(moved, CONFIG) if r.acts).fired


def test_macro_values_count_once_a_session_and_missing_ones_not_at_all() -> None:
    generator = np.random.default_rng(2)
    values = generator.standard_normal(1020)
    panel = np.repeat(values[:, None], 4, axis=1)
    panel[::7] = np.nan
    drift = measure(("rate", "gone"), ("macro", "price"), np.stack([panel[:1000], panel[:1000] * np.nan]),
                    np.stack([panel[1000:], panel[1000:]]), CONFIG)  # fmt: skip
    training, recent = panel[:1000, 0], panel[1000:, 0]
    expected = ks_2samp(recent[np.isfinite(recent)], training[np.isfinite(training)], method="asymp").statistic
    np.testing.assert_allclose(drift.distance[0], expected)
    assert np.isnan(drift.distance[1])
    assert drift.largest == ("rate", drift.distance[0])


def test_a_training_too_short_to_say_what_is_usual_lets_nothing_calibrated_act() -> None:
    generator = np.random.default_rng(3)
    drift = measure(("a",), ("price",), generator.random((1, 200, 3)), 5 + generator.random((1, 20, 3)), CONFIG)
    assert drift.distance[0] == 1.0
    assert not any(reading.fired and reading.acts for reading in drift_readings(drift, CONFIG))

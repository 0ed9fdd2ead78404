from __future__ import annotations

import numpy as np

from tests.builders.learning import daily_ics
from trading_lib.learning.config import LifecycleConfig
from trading_lib.learning.lifecycle.calibration import FEWEST, calibrate, resampled
from trading_lib.learning.lifecycle.statistics import shortfall

CONFIG = LifecycleConfig()


def test_the_same_past_gives_the_same_thresholds() -> None:
    past = daily_ics(np.full(1000, 0.1), 15, 21, seed=3)
    assert calibrate(past, 21, CONFIG, seed=7) == calibrate(past, 21, CONFIG, seed=7)


def test_too_short_a_past_calibrates_nothing() -> None:
    past = np.full(FEWEST, 0.1)
    past[0] = np.nan
    assert calibrate(past, 21, CONFIG, seed=7) is None


def test_the_expected_rate_of_false_retirements_is_the_configured_one() -> None:
    past = daily_ics(np.full(4000, 0.1), 15, 21, seed=3)
    for expected in (0.1, 0.5):
        found = calibrate(past, 21, CONFIG.model_copy(update={"false_retirements": expected}), seed=7)
        assert found is not None
        assert abs(found.retire_false_alarms - expected) < 0.02
        fresh = shortfall(resampled(past, found.block_length, 400, np.random.default_rng(1)), 0.0).max(axis=1)
        assert abs(float((fresh >= found.largest_shortfall).mean()) - (1 - np.exp(-expected))) < 0.08


def test_more_is_tolerated_where_a_healthy_model_wanders_more() -> None:
    calm, wild = (calibrate(daily_ics(np.full(2000, 0.1), 15, span, seed=3), 21, CONFIG, 7) for span in (1, 21))
    assert calm is not None
    assert wild is not None
    assert wild.largest_shortfall > 2 * calm.largest_shortfall
    assert wild.lowest_mean < calm.lowest_mean


def test_the_design_s_rates_are_measured_beside() -> None:
    found = calibrate(daily_ics(np.full(4000, 0.1), 15, 21, seed=3), 21, CONFIG, seed=7)
    assert found is not None
    assert found.design_false_alarms["ic_retire"] > 2 * found.retire_false_alarms
    assert found.design_false_alarms["ic"] > found.retrain_false_alarms


def test_every_path_is_used_and_blocks_keep_neighbours() -> None:
    values = np.arange(500.0)
    drawn = resampled(values, 50.0, 3, np.random.default_rng(0))
    steps = np.diff(drawn, axis=1) % 500
    assert drawn.shape == (3, 2520)
    assert (steps == 1).mean() > 0.95
    found = calibrate(np.stack([daily_ics(np.full(600, 0.1), 15, 5, seed) for seed in (1, 2)]), 5, CONFIG, 7)
    assert found is not None
    assert found.sessions == 600

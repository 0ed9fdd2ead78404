from __future__ import annotations

import numpy as np
import pytest

from tests.builders.learning import daily_ics
from trading_lib.learning.config import LifecycleConfig, Thresholds
from trading_lib.learning.lifecycle.calibration import Calibration
from trading_lib.learning.lifecycle.statistics import design_fires, false_alarms
from trading_lib.learning.lifecycle.triggers import Action, Reading, decide, ic_readings, month_end_reading

CONFIG = LifecycleConfig()
CALIBRATION = Calibration(1000, 42.0, -0.2, 5.0, 3.0, 0.25, {"ic": 50.0, "ic_retire": 6.0})


def named(readings: tuple[Reading, ...], name: str, thresholds: Thresholds) -> Reading:
    return next(reading for reading in readings if (reading.name, reading.thresholds) == (name, thresholds))


@pytest.mark.parametrize("acting", list(Thresholds))
def test_both_thresholds_are_reported_and_only_the_configured_ones_act(acting: Thresholds) -> None:
    config = CONFIG.model_copy(update={"thresholds": acting})
    readings = ic_readings(np.full(60, -0.3), config, CALIBRATION)
    assert {reading.thresholds for reading in readings} == set(Thresholds)
    assert all(reading.fired for reading in readings)
    assert {reading.thresholds for reading in readings if reading.acts} == {acting}
    assert named(readings, "ic_retire", Thresholds.DESIGN).false_alarms == 6.0


def test_a_model_in_good_health_fires_nothing() -> None:
    decision = decide(ic_readings(np.full(60, 0.2), CONFIG, CALIBRATION), None, CONFIG)
    assert not decision.retrain
    assert not decision.retire
    assert decision.reasons == ()


def test_without_a_prediction_that_is_known_nothing_fires() -> None:
    assert not any(reading.fired for reading in ic_readings(np.empty(0), CONFIG, CALIBRATION))
    assert not any(reading.fired for reading in ic_readings(np.full(40, np.nan), CONFIG, CALIBRATION))


def test_without_a_calibration_only_the_design_is_read() -> None:
    readings = ic_readings(np.full(60, -0.3), CONFIG, None)
    assert {reading.thresholds for reading in readings} == {Thresholds.DESIGN}
    assert not decide(readings, None, CONFIG).retire


def test_the_design_retires_after_thirty_sessions_below_zero_and_not_after_twenty_nine() -> None:
    design = CONFIG.model_copy(update={"thresholds": Thresholds.DESIGN})
    ics = np.concatenate((np.full(10, 0.2), np.full(30, -0.01)))
    assert not decide(ic_readings(ics[:-1], design, None), None, design).retire
    assert decide(ic_readings(ics, design, None), None, design).retire


def test_retraining_waits_for_its_spacing_and_says_so() -> None:
    wanted = (month_end_reading(True, CONFIG),)
    waiting, due = (decide(wanted, since, CONFIG) for since in (4, 5))
    assert not waiting.retrain
    assert "retraining waits" in waiting.reasons[-1]
    assert due.retrain
    assert due.reasons == ("month end: retrain",)
    assert not decide((month_end_reading(False, CONFIG),), None, CONFIG).retrain


def test_a_warning_asks_for_nothing() -> None:
    warning = Reading("ks_warning", Action.WARN, Thresholds.CALIBRATED, 0.2, 0.1, True, True, "distance")
    decision = decide((warning,), None, CONFIG)
    assert not decision.retrain
    assert not decision.retire
    assert decision.reasons[0].startswith("warn: distance")


def test_the_design_s_warning_holds_on_many_sessions_of_a_healthy_model() -> None:
    fires = design_fires(daily_ics(np.full(2520, 0.1), assets=15, horizon=21, seed=1), CONFIG)
    assert fires["ic"].mean() > 0.1
    assert false_alarms(fires["ic"]) > 20

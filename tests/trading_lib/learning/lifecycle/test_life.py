"""Whole lives of models, session by session: what the triggers ask for, what becomes of the models, and its record."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tests.builders.learning import daily_ics
from trading_lib.learning.config import LifecycleConfig
from trading_lib.learning.lifecycle.calibration import Calibration, calibrate
from trading_lib.learning.lifecycle.states import Event, Status, after
from trading_lib.learning.lifecycle.statistics import DECADE, shortfall
from trading_lib.learning.lifecycle.triggers import decide, ic_readings, month_end_reading

CONFIG = LifecycleConfig()
HORIZON = 21


def calibrated(assets: int, horizon: int, seed: int) -> Calibration:
    past = daily_ics(np.full(4000, 0.1), assets, horizon, 1000 + seed)
    found = calibrate(past, horizon, CONFIG, seed=7)
    assert found is not None
    return found


def retirements_of_the_healthy(horizon: int) -> list[int]:
    retired = []
    for seed in range(20):
        limit = calibrated(15, horizon, seed).largest_shortfall
        ics, count, begin = daily_ics(np.full(DECADE, 0.1), 15, horizon, seed), 0, 0
        # A retired model is followed by another one, which nothing is held against.
        while (fired := np.flatnonzero(shortfall(ics[begin:], CONFIG.ic_retire) >= limit)).size:
            count, begin = count + 1, begin + int(fired[0]) + 1
        retired.append(count)
    return retired


def test_ten_stationary_years_retire_at_most_one_healthy_model() -> None:
    retired = retirements_of_the_healthy(horizon=1)
    assert max(retired) <= 1
    assert sum(retired) <= 2 * 20 * CONFIG.false_retirements


def test_overlapping_labels_retire_less_than_one_healthy_model_in_two_such_decades() -> None:
    assert sum(retirements_of_the_healthy(HORIZON)) < 10


def test_a_decayed_model_leaves_office_within_ninety_sessions() -> None:
    for seed in range(20):
        calibration = calibrated(15, 1, seed)
        ics = daily_ics(np.concatenate((np.full(300, 0.1), np.full(100, -0.1))), 15, 1, 500 + seed)
        fallen = shortfall(ics, CONFIG.ic_retire)
        fired = np.flatnonzero(fallen[300:] >= calibration.largest_shortfall)
        # An information coefficient is known a horizon after its session.
        assert fired[0] + HORIZON <= 90


@dataclass
class Life:
    """Models by number, the champion's information coefficients, and what happened."""

    calibration: Calibration
    statuses: dict[int, Status] = field(default_factory=dict)
    record: list[tuple[int, str]] = field(default_factory=list)

    def happens(self, session: int, model: int, event: Event) -> None:
        self.statuses[model] = after(self.statuses[model], event)
        self.record.append((session, f"{model} {event}"))

    @property
    def champion(self) -> int | None:
        return next((number for number, status in self.statuses.items() if status is Status.CHAMPION), None)


def test_decay_retraining_and_rollback_stand_in_the_record_with_their_spacing() -> None:
    life = Life(calibrated(15, 1, 0))
    life.statuses = {1: Status.RETIRED, 2: Status.CHAMPION}
    ics = daily_ics(np.concatenate((np.full(200, 0.1), np.full(100, -0.1))), 15, 1, 500)
    trained = 0
    for session in range(300):
        if life.champion == 2:
            readings = ic_readings(ics[: session + 1], CONFIG, life.calibration)
        else:
            readings = ic_readings(np.empty(0), CONFIG, life.calibration)
        # Two month ends in a row, as no calendar has them, so that the spacing is asked for.
        decision = decide((*readings, month_end_reading(session % 21 in (19, 20), CONFIG)), session - trained, CONFIG)
        if decision.retrain:
            trained = session
            number = max(life.statuses) + 1
            life.statuses[number] = Status.CANDIDATE
            life.happens(session, number, Event.FAILED)
        if decision.retire and (champion := life.champion) is not None:
            life.happens(session, champion, Event.DECAYED)
            life.happens(session, 1, Event.REINSTATED)
    trainings = [session for session, event in life.record if event.endswith(Event.FAILED)]
    assert trainings
    assert min(np.diff(trainings)) >= CONFIG.spacing
    assert all(session % 21 != 20 for session in trainings if session < 200)
    (decayed,) = [session for session, event in life.record if event == f"2 {Event.DECAYED}"]
    assert 200 < decayed <= 200 + 90 - HORIZON
    assert (decayed, f"1 {Event.REINSTATED}") in life.record
    assert life.champion == 1
    assert life.statuses[2] is Status.RETIRED

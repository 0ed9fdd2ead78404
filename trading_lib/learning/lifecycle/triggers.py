"""When a model is retrained or retired: statistics of its daily figures -> `Reading` of every trigger.

The design's numbers are read and reported beside the calibrated ones (`calibration`); the configuration says which act.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.config import LifecycleConfig, Thresholds
from trading_lib.learning.lifecycle.calibration import Calibration
from trading_lib.learning.lifecycle.statistics import rolling_mean, run_below, shortfall


class Action(StrEnum):
    """What a trigger asks for."""

    WARN = "warn"
    RETRAIN = "retrain"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class Reading:
    """A trigger at one session.

    Attributes
    ----------
    name
        "month_end", "ic", "ic_retire", "ks" or "ks_warning".
    thresholds
        Whose threshold it is.
    value, threshold
        The statistic and where it fires; NaN where it is not known.
    acts
        Whether the configuration lets it act; the others are reported only.
    about
        What the statistic is, in words.
    false_alarms
        How often it fires in ten years on a healthy model; NaN where that was not measured.
    """

    name: str
    action: Action
    thresholds: Thresholds
    value: float
    threshold: float
    fired: bool
    acts: bool
    about: str
    false_alarms: float = float("nan")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the lifecycle wants at a session.

    Attributes
    ----------
    retrain, retire
        What is to be done; a retraining that has to wait for its spacing is not.
    reasons
        Why, or why not yet.
    readings
        Every trigger, acting or reported.
    """

    retrain: bool
    retire: bool
    reasons: tuple[str, ...]
    readings: tuple[Reading, ...]


def ic_readings(ics: FloatArray, config: LifecycleConfig, calibration: Calibration | None) -> tuple[Reading, ...]:
    """Read the triggers on information coefficients.

    Parameters
    ----------
    ics
        Shape (S,): of the model's predictions since it is in office, in the order of their sessions, as far as their
        labels are known; NaN where one is missing.
    calibration
        Thresholds from its validation; without them nothing calibrated fires.
    """
    means = rolling_mean(ics, config.ic_window)
    below, negative = run_below(means, config.ic_warning), run_below(ics, config.ic_retire)
    rates = calibration.design_false_alarms if calibration else {}
    acts = config.thresholds is Thresholds.DESIGN
    readings = [
        _reading(
            ("ic", Action.RETRAIN, Thresholds.DESIGN, acts),
            (_newest(below), config.ic_warning_sessions),
            f"sessions in a row with a mean IC over {config.ic_window} sessions below {config.ic_warning:g}",
            rates.get("ic", float("nan")),
        ),
        _reading(
            ("ic_retire", Action.RETIRE, Thresholds.DESIGN, acts),
            (_newest(negative), config.ic_retire_sessions),
            f"sessions in a row with an IC below {config.ic_retire:g}",
            rates.get("ic_retire", float("nan")),
        ),
    ]
    if calibration is None:
        return tuple(readings)
    known = means[np.isfinite(means)]
    readings += [
        _reading(
            ("ic", Action.RETRAIN, Thresholds.CALIBRATED, not acts),
            (-float(known[-1]) if len(known) else float("nan"), -calibration.lowest_mean),
            f"mean IC over {config.ic_window} sessions, with its sign turned",
            calibration.retrain_false_alarms,
        ),
        _reading(
            ("ic_retire", Action.RETIRE, Thresholds.CALIBRATED, not acts),
            (_newest(shortfall(ics, config.ic_retire)), calibration.largest_shortfall),
            f"shortfall of the IC below {config.ic_retire:g}, summed since it was last made up",
            calibration.retire_false_alarms,
        ),
    ]
    return tuple(readings)


def month_end_reading(month_end: bool, config: LifecycleConfig) -> Reading:
    """Read the calendar's trigger."""
    fired = month_end and config.month_end
    return Reading(
        "month_end", Action.RETRAIN, config.thresholds, float(month_end), 1.0, fired, True, "last session of its month"
    )


def decide(readings: tuple[Reading, ...], since_training: int | None, config: LifecycleConfig) -> Decision:
    """Sum the triggers up.

    Parameters
    ----------
    since_training
        Sessions since the last training, or since one was last asked for; None without any.
    """
    acting = [reading for reading in readings if reading.fired and reading.acts]
    retire = [reading for reading in acting if reading.action is Action.RETIRE]
    retrain = [reading for reading in acting if reading.action is not Action.WARN]
    reasons = [_because(reading) for reading in acting]
    waits = since_training is not None and since_training < config.spacing
    if retrain and waits:
        reasons.append(f"retraining waits: the last was {since_training} sessions ago, spacing is {config.spacing}")
    return Decision(bool(retrain) and not waits, bool(retire), tuple(reasons), readings)


def _because(reading: Reading) -> str:
    if reading.name == "month_end":
        return "month end: retrain"
    numbers = f"{reading.value:.4g}, fires at {reading.threshold:.4g} ({reading.thresholds})"
    return f"{reading.action}: {reading.about}: {numbers}"


def _reading(
    what: tuple[str, Action, Thresholds, bool], numbers: tuple[float, float], about: str, rate: float
) -> Reading:
    name, action, thresholds, acts = what
    value, threshold = numbers
    # NaN, not known, fires nothing.
    return Reading(name, action, thresholds, value, threshold, value >= threshold, acts, about, rate)


def _newest(values: FloatArray | IntegerArray) -> float:
    return float(values[-1]) if len(values) else 0.0

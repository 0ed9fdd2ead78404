"""Thresholds from a model's own past: what its information coefficients did while it was healthy -> `Calibration`.

Labels overlap, so daily information coefficients run below zero for weeks by chance: "below zero on 30 sessions in a
row" happened to 12-1 momentum, whose mean is .08, six times in ten years. Two statistics replace the design's:

- retrain: the mean over `ic_window` sessions, at most its own quantile ``1 - calibration_quantile`` at past dates;
- retire: the *shortfall*, Page's cumulative sum (1954, "Continuous Inspection Schemes", Biometrika 41): what was missed
  below `ic_retire`, added up, and never below zero. It finds a change of the mean soonest for a given rate of false
  alarms. It fires where paths of ten years, drawn in blocks from the model's validation, reach in expectation
  `false_retirements` times; a model leaves office at the first, so that is the share ``1 - exp(-false_retirements)``
  of paths. Blocks of two horizons on average keep the dependence of overlapping labels.

How soon a decay from .10 to -.10 is found depends on the noise alone: with independent sessions in about 50 sessions;
with 21-session labels on 15 assets in 100 to 200, which no rule can beat that retires so few healthy models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LifecycleConfig
from trading_lib.learning.lifecycle.statistics import DECADE, design_fires, false_alarms, rolling_mean, shortfall
from trading_lib.performance.significance.intervals import optimal_block_length

# With a shorter validation there is no telling what is usual.
FEWEST = 252
PATHS = 400


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where the calibrated triggers on information coefficients fire.

    Attributes
    ----------
    sessions
        Validation sessions that it is from.
    block_length
        Average block of the bootstrap, in sessions.
    lowest_mean
        Retrain at a mean over `ic_window` sessions of at most this.
    largest_shortfall
        Retire at a shortfall of at least this.
    retrain_false_alarms, retire_false_alarms
        How often the two would act in ten years of a healthy model's bootstrapped paths.
    design_false_alarms
        The same of the design's "ic" and "ic_retire".
    """

    sessions: int
    block_length: float
    lowest_mean: float
    largest_shortfall: float
    retrain_false_alarms: float
    retire_false_alarms: float
    design_false_alarms: Mapping[str, float]


def calibrate(validation: FloatArray, horizon: int, config: LifecycleConfig, seed: int) -> Calibration | None:
    """Calibrate on daily information coefficients out of sample; None with fewer than `FEWEST` sessions.

    Parameters
    ----------
    validation
        Shape (S,), in the order of the sessions, or (P, S) of assembled paths; NaN where one is missing.
    horizon
        Sessions of a label: as far as neighbours depend on one another.
    """
    paths = [path[np.isfinite(path)] for path in np.atleast_2d(validation)]
    paths = [path for path in paths if len(path) >= FEWEST]
    if not paths:
        return None
    block = max(2.0 * horizon, float(np.median([optimal_block_length(path) for path in paths])))
    generator = np.random.default_rng(seed)
    drawn = np.concatenate([resampled(path, block, -(-PATHS // len(paths)), generator) for path in paths])
    fallen = shortfall(drawn, config.ic_retire)
    largest = float(np.quantile(fallen.max(axis=1), math.exp(-config.false_retirements)))
    means = np.stack([rolling_mean(path, config.ic_window) for path in drawn])
    lowest = float(np.nanquantile(means, 1.0 - config.calibration_quantile))
    design = [design_fires(path, config) for path in drawn]
    return Calibration(
        sessions=min(len(path) for path in paths),
        block_length=block,
        lowest_mean=lowest,
        largest_shortfall=largest,
        retrain_false_alarms=_mean([false_alarms(path <= lowest, max(config.spacing, 1)) for path in means]),
        retire_false_alarms=float(-math.log(max(np.mean(fallen.max(axis=1) < largest), 1.0 / len(drawn)))),
        design_false_alarms={
            "ic": _mean([false_alarms(fires["ic"], max(config.spacing, 1)) for fires in design]),
            "ic_retire": _mean([false_alarms(fires["ic_retire"]) for fires in design]),
        },
    )


def resampled(values: FloatArray, block: float, paths: int, generator: np.random.Generator) -> FloatArray:
    """Draw paths of ten years in blocks of random length that wrap around the end (Politis and Romano 1994).

    Parameters
    ----------
    values
        Shape (S,), finite.

    Returns
    -------
    ndarray of shape (paths, 2520)
    """
    begins = generator.random((paths, DECADE)) < 1.0 / block
    begins[:, 0] = True
    at = np.arange(DECADE)
    newest = np.maximum.accumulate(np.where(begins, at, 0), axis=1)
    start = generator.integers(0, len(values), (paths, DECADE))
    position = (np.take_along_axis(start, newest, axis=1) + at - newest) % len(values)
    return np.asarray(values[position])


def _mean(values: list[float]) -> float:
    return float(np.mean(values))

"""Statistics that the triggers are read from: runs, rolling means, shortfalls, and how often a condition begins."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.learning.config import LifecycleConfig

# Sessions of ten years.
DECADE = 2520


def run_below(values: FloatArray, level: float) -> IntegerArray:
    """Length of the run of values below the level that ends at each of them, shape (S,).

    Parameters
    ----------
    values
        Shape (S,); an unknown value (NaN) neither lengthens nor ends a run.
    """
    at = np.arange(1, len(values) + 1)
    unknown = np.isnan(values)
    # Sessions so far that count, less those up to the newest that ended a run.
    counted = at - np.cumsum(unknown)
    ended = np.maximum.accumulate(np.where(values >= level, counted, 0)) if len(values) else counted
    return np.asarray(counted - ended)


def rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Mean of the newest ``window`` known values at each position, shape (S,); NaN while there are fewer."""
    known = np.flatnonzero(np.isfinite(values))
    means = np.full(len(values), np.nan)
    if len(known) >= window:
        total = np.concatenate(([0.0], np.cumsum(values[known])))
        means[known[window - 1 :]] = (total[window:] - total[:-window]) / window
    return means


def false_alarms(fires: BoolArray, spacing: int = 0) -> float:
    """How often a condition would have acted in ten years of sessions like these; NaN without a session.

    Parameters
    ----------
    fires
        Shape (S,): whether it held at past sessions, e.g. on the information coefficients of momentum, which is healthy
        by definition, or on a model's own out of sample.
    spacing
        It acts again after so many sessions while it holds, as a retraining does; 0: only when it begins to hold, as
        a model is retired once.
    """
    if not len(fires):
        return float("nan")
    if not spacing:
        count = int((fires & ~np.concatenate(([False], fires[:-1]))).sum())
        return count * DECADE / len(fires)
    count, newest = 0, -spacing
    for position in np.flatnonzero(fires).tolist():
        if position - newest >= spacing:
            count, newest = count + 1, position
    return count * DECADE / len(fires)


def shortfall(ics: FloatArray, level: float) -> FloatArray:
    """Add up what was missed below the level, never below zero, along the last axis; NaN adds nothing.

    Parameters
    ----------
    ics
        Shape (..., S).

    Returns
    -------
    ndarray of shape (..., S)
    """
    missed = np.where(np.isfinite(ics), level - ics, 0.0)
    total = np.cumsum(missed, axis=-1)
    # Page's sum is the total over its lowest point so far, of which the beginning is one.
    return np.asarray(total - np.minimum(np.minimum.accumulate(total, axis=-1), 0.0))


def design_fires(ics: FloatArray, config: LifecycleConfig) -> dict[str, BoolArray]:
    """Whether the design's two triggers on information coefficients hold at each session, shape (S,) each."""
    means = rolling_mean(ics, config.ic_window)
    return {
        "ic": run_below(means, config.ic_warning) >= config.ic_warning_sessions,
        "ic_retire": run_below(ics, config.ic_retire) >= config.ic_retire_sessions,
    }

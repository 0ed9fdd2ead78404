"""How far the recent sessions' features are from the training's (Kolmogorov-Smirnov) -> `Drift`.

Cross-sectional ranks pooled over assets are uniform by construction: their distance is 0 whatever happens, so they are
compared asset by asset and averaged; all others are compared as they are, assets pooled. Twenty sessions of a slow
feature differ from years of it without any drift, so beside the distance stands its own quantile at past dates, and
what acts is the largest ratio of the two over all features, against the quantile of that ratio at past dates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.learning.config import LifecycleConfig, Thresholds
from trading_lib.learning.lifecycle.statistics import DECADE
from trading_lib.learning.lifecycle.triggers import Action, Reading

RANKED = "cross_section"
# With fewer past windows a quantile of them says little.
FEWEST_WINDOWS = 20


@dataclass(frozen=True, slots=True)
class Drift:
    """Distances of the features of one session, F of them.

    Attributes
    ----------
    features
        Their names.
    distance
        Shape (F,): of the recent sessions from the training, in [0, 1]; NaN where either has no value.
    usual
        Shape (F,): its quantile at past dates; NaN where there were too few.
    worst, worst_usual
        Largest ratio of distance to ``usual``, and the quantile of that ratio at past dates; NaN where not known.
    false_alarms
        How often in ten years each reading would have acted at past dates: "ks_warning", "ks" and "calibrated".
    """

    features: tuple[str, ...]
    distance: FloatArray
    usual: FloatArray
    worst: float
    worst_usual: float
    false_alarms: dict[str, float]

    @property
    def largest(self) -> tuple[str, float]:
        """The feature that is farthest, and its distance; none and 0 where nothing is known."""
        if not np.isfinite(self.distance).any():
            return "", 0.0
        at = int(np.nanargmax(self.distance))
        return self.features[at], float(self.distance[at])


def distance(sample: FloatArray, reference: FloatArray) -> float:
    """Largest difference of the two empirical distributions, in [0, 1]; NaN where either is empty.

    Parameters
    ----------
    sample, reference
        Any length; the reference ascending and finite, the sample in any order, finite.
    """
    if not len(sample) or not len(reference):
        return float("nan")
    ordered = np.sort(sample)
    count, total = len(ordered), len(reference)
    # Just before and at each of the sample's values: in between the difference is never larger.
    below = np.searchsorted(reference, ordered, side="left") / total - np.searchsorted(ordered, ordered, "left") / count
    upto = np.searchsorted(ordered, ordered, "right") / count - np.searchsorted(reference, ordered, "right") / total
    return float(max(below.max(), upto.max(), 0.0))


def measure(
    features: tuple[str, ...],
    kinds: tuple[str, ...],
    training: FloatArray,
    recent: FloatArray,
    config: LifecycleConfig,
) -> Drift:
    """Measure the drift of every feature.

    Parameters
    ----------
    kinds
        Shape (F,): as in `FeaturePanel.kinds`; "cross_section" means ranks.
    training, recent
        Shapes (F, T, n) and (F, `ks_recent`, n): values in the sessions learned from, and in the newest; NaN where one
        is missing.
    """
    windows = [training[:, end - config.ks_recent : end] for end in _ends(training.shape[1], config.ks_recent)]
    now, past = np.full(len(features), np.nan), np.full((len(windows), len(features)), np.nan)
    for number, kind in enumerate(kinds):
        columns = _columns(training[number], kind == RANKED)
        now[number] = _mean_distance(_columns(recent[number], kind == RANKED), columns)
        for row, window in enumerate(windows):
            past[row, number] = _mean_distance(_columns(window[number], kind == RANKED), columns)
    usual, worst_past = _usual(past, config)
    worst_usual = float(np.quantile(worst_past, config.calibration_quantile)) if len(worst_past) else float("nan")
    ratios = now / usual
    return Drift(
        features=features,
        distance=now,
        usual=usual,
        worst=float(np.nanmax(ratios)) if np.isfinite(ratios).any() else float("nan"),
        worst_usual=worst_usual,
        false_alarms={
            "ks_warning": _rate(past > config.ks_warning, config),
            "ks": _rate(past > config.ks_critical, config),
            "calibrated": _rate((worst_past > worst_usual)[:, None], config) if len(worst_past) else float("nan"),
        },
    )


def drift_readings(drift: Drift, config: LifecycleConfig) -> tuple[Reading, ...]:
    """Read the triggers on drift."""
    feature, farthest = drift.largest
    design = config.thresholds is Thresholds.DESIGN
    about = f"Kolmogorov-Smirnov distance of {feature or 'the features'} from training"
    rates = drift.false_alarms
    warned, critical = farthest > config.ks_warning, farthest > config.ks_critical
    return (
        Reading(
            *("ks_warning", Action.WARN, Thresholds.DESIGN, farthest, config.ks_warning, warned, design, about),
            rates["ks_warning"],
        ),
        Reading(
            *("ks", Action.RETRAIN, Thresholds.DESIGN, farthest, config.ks_critical, critical, design, about),
            rates["ks"],
        ),
        Reading(
            *("ks", Action.RETRAIN, Thresholds.CALIBRATED, drift.worst, drift.worst_usual),
            drift.worst > drift.worst_usual,
            not design,
            "distance of a feature from training over its usual one, the largest of all",
            rates["calibrated"],
        ),
    )


def _ends(sessions: int, length: int) -> range:
    """Return the ends of windows that do not overlap, up to the last session."""
    return range(length + sessions % length, sessions + 1, length)


def _columns(values: FloatArray, ranked: bool) -> list[FloatArray]:
    """Ascending known values, (T, n): one array per asset for ranks, else one of all; macro values count once."""
    if ranked:
        columns = list(values.T)
    elif values.shape[1] > 1 and _same_everywhere(values):
        columns = [values[:, 0]]
    else:
        columns = [values.ravel()]
    return [np.sort(column[np.isfinite(column)]) for column in columns]


def _same_everywhere(values: FloatArray) -> bool:
    first = values[:, :1]
    return bool(np.all((values == first) | (np.isnan(values) & np.isnan(first))))


def _mean_distance(sample: list[FloatArray], reference: list[FloatArray]) -> float:
    distances = [distance(one, other) for one, other in zip(sample, reference, strict=False)]
    known = [value for value in distances if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _usual(past: FloatArray, config: LifecycleConfig) -> tuple[FloatArray, FloatArray]:
    """Each feature's quantile of its distances, (F,), and the largest ratio to it of each past window."""
    usual = np.full(past.shape[1], np.nan)
    enough = np.isfinite(past).sum(axis=0) >= FEWEST_WINDOWS
    if not enough.any():
        return usual, np.empty(0)
    usual[enough] = np.nanquantile(past[:, enough], config.calibration_quantile, axis=0)
    usual[usual <= 0.0] = np.nan
    ratios = np.where(np.isfinite(past), past, 0.0) / np.where(np.isnan(usual), np.inf, usual)
    return usual, ratios.max(axis=1)


def _rate(fires: BoolArray, config: LifecycleConfig) -> float:
    """In ten years: while it holds in a window, a retraining is asked for whenever the spacing allows."""
    return float(fires.any(axis=1).mean()) * DECADE / max(config.spacing, 1) if len(fires) else float("nan")

"""Where a model says nothing: too old, or an asset unlike what it learned from -> reasons, one per asset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.learning.config import LifecycleConfig

# A feature that an asset had in at least this share of the training's sessions is missed when it has none.
USUAL_COVERAGE = 0.5


@dataclass(frozen=True, slots=True)
class TrainingRange:
    """What the training part looked like, F features and n assets.

    Attributes
    ----------
    lowest, highest
        Shape (F,): extremes over all assets; NaN where the feature had no value.
    usual
        Shape (F, n): whether the asset had a value in most sessions.
    """

    lowest: FloatArray
    highest: FloatArray
    usual: BoolArray


def usually_known(values: FloatArray) -> BoolArray:
    """Whether each asset had each feature in most sessions of the training part, shape (F, n).

    Parameters
    ----------
    values
        Shape (F, T, n); NaN where a feature is missing. Without a session nothing is usual.
    """
    known = np.isfinite(values)
    if not known.shape[1]:
        return np.zeros(known.shape[::2], dtype=np.bool_)
    usual: BoolArray = known.mean(axis=1) >= USUAL_COVERAGE
    return usual


def abstentions(
    x: FloatArray,
    features: tuple[str, ...],
    symbols: tuple[str, ...],
    seen: TrainingRange,
    age: int,
    config: LifecycleConfig,
) -> dict[str, str]:
    """Symbol -> why there is no score for it; empty where all have one.

    Parameters
    ----------
    x
        Shape (F, n): features of the session.
    age
        Sessions since the end of the training.
    """
    if age > config.oldest:
        old = f"the model's training ended {age} sessions ago, more than {config.oldest}"
        return dict.fromkeys(symbols, old)
    known = np.isfinite(x)
    # A comparison with NaN is false: a feature without a training range is outside of it, and an unknown value is not.
    inside = (x >= seen.lowest[:, None]) & (x <= seen.highest[:, None])
    outside = known & ~inside
    missing = ~known & seen.usual
    reasons = {}
    for column, symbol in enumerate(symbols):
        if reason := _reason(known[:, column], outside[:, column], missing[:, column], features, config):
            reasons[symbol] = reason
    return reasons


def _reason(
    known: BoolArray, outside: BoolArray, missing: BoolArray, features: tuple[str, ...], config: LifecycleConfig
) -> str:
    if not known.any():
        return "it has no feature in this session"
    total = len(features)
    if missing.sum() > config.outside_share * total:
        return f"{int(missing.sum())} of {total} features are missing: {_some(missing, features)}"
    if outside.sum() > config.outside_share * total:
        return f"{int(outside.sum())} of {total} features lie outside the training range: {_some(outside, features)}"
    return ""


def _some(chosen: BoolArray, features: tuple[str, ...]) -> str:
    names = [features[position] for position in np.flatnonzero(chosen)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

"""The information coefficients of two models on the same sessions, as a promotion compares them.

Up to the end of a training they are those out of sample in its cross-validation, afterwards those of the predictions
that were made.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from trading_lib.learning.lifecycle.promotion import Comparison, compare
from trading_lib.learning.registered import Alias, StoredModel
from trading_lib.workflows.learning.registration.draft import DAILY

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from trading_lib.learning.config import LearningConfig

NOTHING = "no model has earned its place; nothing is traded on one"
NO_BASELINE = "the best untrained baseline"


def compared(engine: Engine, version: int, config: LearningConfig) -> Comparison:
    """Compare a version with the champion, or with the best untrained baseline where there is no champion."""
    from trading_lib.adapters.stores.learning.model_store import ModelStore

    store = ModelStore(engine)
    model, holder = store.version(version), store.aliases().holder(Alias.CHAMPION)
    own = coefficients(engine, model)
    if holder is not None and holder != version:
        other, against = coefficients(engine, store.version(holder)), f"version {holder}"
    else:
        other, against = _of_baseline(model)
    days = sorted(own.keys() | other.keys())
    series = [np.array([values.get(day, np.nan) for day in days]) for values in (own, other)]
    return compare(series[0], series[1], against, config)


def succession(
    champion: int | None, challenger: int | None, comparison: Comparison | None, trained: bool
) -> tuple[str, ...]:
    """Say what is used, and what would replace it.

    Parameters
    ----------
    champion, challenger
        Versions.
    comparison
        Of the challenger with what it would replace.
    trained
        Whether any training was stored.
    """
    lines = [] if champion else [NOTHING]
    if comparison is not None:
        then = "an operator may promote it" if comparison.better else "it would replace it only if it were better"
        lines.append(f"challenger version {challenger}: {comparison.reason}; {then}")
    elif not trained:
        lines.append("no training was stored yet: `trading train` makes one")
    else:
        against = f"the champion, version {champion}" if champion else "the best untrained baseline"
        lines.append(f"there is no challenger: one that passes in a training will be compared with {against}")
    return tuple(lines)


def coefficients(engine: Engine, model: StoredModel) -> dict[date, float]:
    """Session -> information coefficient of a version, where it is known."""
    from trading_lib.adapters.stores.learning.lifecycle_store import IC_READING, LifecycleStore

    daily = model.evidence.get(DAILY) or {}
    known = _dated(daily.get("sessions", ()), daily.get("ic", ()))
    after = LifecycleStore(engine).readings(model.version, IC_READING)
    return known | {day: value for day, value in after.items() if day > model.trained_until}


def _of_baseline(model: StoredModel) -> tuple[dict[date, float], str]:
    daily = model.evidence.get(DAILY) or {}
    values = _dated(daily.get("sessions", ()), daily.get("baseline_ic", ()))
    return values, daily.get("baseline") or NO_BASELINE


def _dated(sessions: list[str] | tuple[str, ...], values: list[float] | tuple[float, ...]) -> dict[date, float]:
    return {date.fromisoformat(day): value for day, value in zip(sessions, values, strict=False) if np.isfinite(value)}

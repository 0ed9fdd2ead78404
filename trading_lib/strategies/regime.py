"""Market regime from ^VIX (docs/specification.md#market-regime). Input: ^VIX and its age. Output: `RegimeReading`."""

from __future__ import annotations

import math

import numpy as np

from trading_lib.domain.decision.signals import REGIME_CODES, RegimeReading
from trading_lib.domain.kernels import compiled
from trading_lib.strategies.config import RegimeConfig

REGIMES = tuple(REGIME_CODES)


@compiled
def regime_code(
    volatility_index: float, age: int, max_age: int, elevated: float, high: float, extreme: float
) -> tuple[int, bool]:
    """Code of the regime as in `REGIME_CODES`, and whether ^VIX was missing or too old to tell."""
    if not np.isfinite(volatility_index) or age < 0 or age > max_age:
        return 2, True
    if volatility_index >= extreme:
        return 3, False
    if volatility_index >= high:
        return 2, False
    return (1 if volatility_index >= elevated else 0), False


def read_regime(volatility_index: float, age: int, config: RegimeConfig) -> RegimeReading:
    """Classify the session; a missing or stale ^VIX counts as HIGH_VOL, never as NORMAL."""
    code, missing = regime_code(
        volatility_index, age, config.max_age_sessions, config.elevated, config.high, config.extreme
    )
    return RegimeReading(REGIMES[code], volatility_index, age, missing)


def describe_regime(reading: RegimeReading) -> str:
    """Return the reason for the regime."""
    if reading.abstained:
        if not math.isfinite(reading.volatility_index) or reading.age < 0:
            return f"{reading.regime}: no ^VIX is known, which counts as high volatility"
        return (
            f"{reading.regime}: the newest ^VIX ({reading.volatility_index:.2f}) is {reading.age} sessions old, "
            "which counts as high volatility"
        )
    suffix = "" if reading.age == 0 else f" ({reading.age} session{'s' * (reading.age > 1)} old)"
    return f"{reading.regime}: ^VIX {reading.volatility_index:.2f}{suffix}"

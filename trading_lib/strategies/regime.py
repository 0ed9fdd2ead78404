"""Market regime from ^VIX (SPEC section 5). Input: the newest ^VIX and its age. Output: `RegimeReading`."""

from __future__ import annotations

import math

from trading_lib.domain.signals import MarketRegime, RegimeReading
from trading_lib.strategies.config import RegimeConfig


def read_regime(volatility_index: float, age: int, config: RegimeConfig) -> RegimeReading:
    """Classify the session; a missing or stale ^VIX counts as HIGH_VOL, never as NORMAL."""
    missing = not math.isfinite(volatility_index) or age < 0 or age > config.max_age_sessions
    if missing:
        regime = MarketRegime.HIGH_VOL
    elif volatility_index >= config.extreme:
        regime = MarketRegime.EXTREME
    elif volatility_index >= config.high:
        regime = MarketRegime.HIGH_VOL
    elif volatility_index >= config.elevated:
        regime = MarketRegime.ELEVATED
    else:
        regime = MarketRegime.NORMAL
    return RegimeReading(regime, volatility_index, age, missing)


def describe_regime(reading: RegimeReading) -> str:
    """Say in words what the regime rests on."""
    if reading.abstained:
        if not math.isfinite(reading.volatility_index) or reading.age < 0:
            return f"{reading.regime}: no ^VIX is known, which counts as high volatility"
        return (
            f"{reading.regime}: the newest ^VIX ({reading.volatility_index:.2f}) is {reading.age} sessions old, "
            "which counts as high volatility"
        )
    suffix = "" if reading.age == 0 else f" ({reading.age} session{'s' * (reading.age > 1)} old)"
    return f"{reading.regime}: ^VIX {reading.volatility_index:.2f}{suffix}"

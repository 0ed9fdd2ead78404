"""The regime from ^VIX: inclusive lower bounds, and a missing index is never calm.

See docs/specification.md#market-regime.
"""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from trading_lib.domain.decision.signals import MarketRegime
from trading_lib.strategies.config import RegimeConfig
from trading_lib.strategies.regime import describe_regime, read_regime

CONFIG = RegimeConfig()


@pytest.mark.parametrize(
    ("index", "regime"),
    [
        (9.0, MarketRegime.NORMAL),
        (19.99, MarketRegime.NORMAL),
        (20.0, MarketRegime.ELEVATED),
        (29.99, MarketRegime.ELEVATED),
        (30.0, MarketRegime.HIGH_VOL),
        (39.99, MarketRegime.HIGH_VOL),
        (40.0, MarketRegime.EXTREME),
        (82.69, MarketRegime.EXTREME),
    ],
)
def test_lower_bounds_are_inclusive(index: float, regime: MarketRegime) -> None:
    reading = read_regime(index, 0, CONFIG)
    assert reading.regime is regime
    assert not reading.abstained
    assert f"^VIX {index:.2f}" in describe_regime(reading)


@pytest.mark.parametrize(("index", "age"), [(math.nan, -1), (math.nan, 0), (12.0, -1), (12.0, 4), (55.0, 4)])
def test_a_missing_or_stale_index_counts_as_high_volatility(index: float, age: int) -> None:
    reading = read_regime(index, age, CONFIG)
    assert reading.regime is MarketRegime.HIGH_VOL
    assert reading.abstained


def test_three_sessions_is_the_oldest_reading_that_counts() -> None:
    assert read_regime(12.0, 3, CONFIG).regime is MarketRegime.NORMAL
    assert read_regime(12.0, 4, CONFIG).abstained


def test_the_words_name_the_age_or_the_absence() -> None:
    assert describe_regime(read_regime(12.0, 1, CONFIG)) == "NORMAL: ^VIX 12.00 (1 session old)"
    assert describe_regime(read_regime(12.0, 2, CONFIG)) == "NORMAL: ^VIX 12.00 (2 sessions old)"
    assert "(12.00) is 7 sessions old, which counts as high volatility" in describe_regime(read_regime(12.0, 7, CONFIG))
    assert "no ^VIX is known" in describe_regime(read_regime(math.nan, -1, CONFIG))


def test_bounds_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValidationError, match="elevated < high < extreme"):
        RegimeConfig(elevated=30, high=30)

"""Macro answers are remembered for the same and earlier instants, and for a while once their days are over."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pandas as pd
import pytest

from tests.builders.prices import instant
from tests.environment.moving_clock import MovingClock
from trading_lib.adapters.cache.answers import CachedAnswer, macro_key
from trading_lib.adapters.cache.cached_macro import CachedMacro
from trading_lib.adapters.cache.tiers import MemoryTier, TieredCache
from trading_lib.domain.market.prices import MacroSeries

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 31)
DURING, AFTER = instant("2024-01-20 12:00"), instant("2024-02-05 12:00")


def series(*rows: tuple[str, str]) -> MacroSeries:
    columns = {"series": "DFF", "date": pd.to_datetime([day for day, _ in rows]), "value": 5.25, "source": "fred"}
    known = pd.to_datetime([moment for _, moment in rows], utc=True)
    return MacroSeries.from_frame(pd.DataFrame(columns | {"available_at": known}))


class CountingMacro:
    """Answers what was known at the time, and counts."""

    name = "fred"

    def __init__(self) -> None:
        self.asked: list[datetime] = []
        self.known = series(("2024-01-10", "2024-01-11 21:00"), ("2024-01-30", "2024-01-31 21:00"))

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        self.asked.append(as_of)
        frame = self.known.frame
        return MacroSeries(frame[frame["available_at"] <= pd.Timestamp(as_of)].reset_index(drop=True))


@pytest.fixture(name="source")
def fixture_source() -> CountingMacro:
    return CountingMacro()


@pytest.fixture(name="clock")
def fixture_clock() -> MovingClock:
    return MovingClock(AFTER)


@pytest.fixture(name="cache")
def fixture_cache() -> TieredCache:
    return TieredCache([MemoryTier(10)])


@pytest.fixture(name="cached")
def fixture_cached(source: CountingMacro, cache: TieredCache, clock: MovingClock) -> CachedMacro:
    return CachedMacro(source, cache, clock, timedelta(hours=12))


def test_an_answer_stands_for_its_own_and_for_earlier_instants(cached: CachedMacro, source: CountingMacro) -> None:
    assert len(cached.macro(FIRST, LAST, AFTER).frame) == 2
    assert len(cached.macro(FIRST, LAST, AFTER).frame) == 2
    assert len(cached.macro(FIRST, LAST, DURING).frame) == 1
    assert source.asked == [AFTER]


def test_an_answer_about_days_that_were_not_over_does_not_stand_for_later(
    cached: CachedMacro, source: CountingMacro
) -> None:
    assert len(cached.macro(FIRST, LAST, DURING).frame) == 1
    assert len(cached.macro(FIRST, LAST, AFTER).frame) == 2
    assert source.asked == [DURING, AFTER]


def test_days_that_are_over_are_asked_for_again_after_a_while(
    cached: CachedMacro, source: CountingMacro, clock: MovingClock
) -> None:
    cached.macro(FIRST, LAST, AFTER)
    clock.advance(11 * 3600)
    cached.macro(FIRST, LAST, clock.now)
    assert len(source.asked) == 1
    clock.advance(2 * 3600)
    cached.macro(FIRST, LAST, clock.now)
    assert len(source.asked) == 2


def test_empty_and_damaged_answers_are_asked_for_again(
    cached: CachedMacro, source: CountingMacro, cache: TieredCache
) -> None:
    cache.put(macro_key("fred", FIRST, LAST), CachedAnswer(AFTER, AFTER, b"no parquet"))
    assert len(cached.macro(FIRST, LAST, AFTER).frame) == 2
    source.known = MacroSeries.empty()
    other = (date(2023, 1, 1), date(2023, 1, 31))
    cached.macro(*other, AFTER)
    cached.macro(*other, AFTER)
    assert len(source.asked) == 3

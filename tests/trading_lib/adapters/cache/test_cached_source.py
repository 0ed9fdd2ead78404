"""A cached source: the same answers with fewer questions, and never an answer beyond its own instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pandas as pd
import pytest

from tests.builders.prices import instant, price_rows, universe
from tests.contracts.source_contract import SourceContract
from tests.environment.moving_clock import MovingClock
from trading_lib.adapters.cache.answers import CachedAnswer, encode_bars, request_key
from trading_lib.adapters.cache.cached_source import CachedSource
from trading_lib.adapters.cache.tiers import MemoryTier, TieredCache
from trading_lib.adapters.sources.shared.bar_windows import answer_from_history, stamp_bars
from trading_lib.adapters.sources.simulated.source import SimulatedMarket
from trading_lib.domain.market.prices import MacroSeries
from trading_lib.market_data.source import MarketDataSource, SourceAnswer

DAYS = [date(2024, 3, day) for day in (4, 5, 6, 7, 8)]
FIRST, LAST = DAYS[0], DAYS[-1]
SETTLED = instant("2024-03-09 00:30")


class Vendor:
    """A source that counts its questions and may revise its bars."""

    name = "vendor"

    def __init__(self, days: Sequence[date] = DAYS) -> None:
        self.days = list(days)
        self.close = 100.0
        self.asked: list[str] = []

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        self.asked += symbols
        history = stamp_bars(price_rows("SPY", self.days, close=self.close), universe(), self.name)
        return answer_from_history(history, self.name, symbols, first, last, as_of)

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        return MacroSeries.empty()


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock(SETTLED)


@pytest.fixture
def source(vendor: Vendor, clock: MovingClock) -> CachedSource:
    return CachedSource(vendor, TieredCache([MemoryTier(100)]), universe(), clock, timedelta(hours=12))


def ask(source: CachedSource, as_of: datetime) -> SourceAnswer:
    return source.bars(["SPY"], FIRST, LAST, as_of)


def test_the_same_question_is_answered_from_memory_with_its_own_time(
    source: CachedSource, vendor: Vendor, clock: MovingClock
) -> None:
    first = ask(source, clock.now)
    clock.advance(600)
    second = ask(source, SETTLED)
    pd.testing.assert_frame_equal(first.bars.frame, second.bars.frame)
    assert vendor.asked == ["SPY"]
    assert second.notes == ("SPY: vendor's answer of 2024-03-09 00:30 UTC",)


def test_an_earlier_instant_sees_only_what_was_known_then(source: CachedSource, vendor: Vendor) -> None:
    ask(source, SETTLED)
    early = ask(source, instant("2024-03-06 12:00")).bars.frame
    assert list(early["date"].dt.date) == DAYS[:2]
    assert vendor.asked == ["SPY"]


def test_a_later_instant_asks_again_while_a_bar_was_still_to_come(
    source: CachedSource, vendor: Vendor, clock: MovingClock
) -> None:
    clock.now = instant("2024-03-08 20:00")
    assert len(ask(source, clock.now).bars) == 4
    clock.now = instant("2024-03-08 21:30")
    assert len(ask(source, clock.now).bars) == 5
    assert vendor.asked == ["SPY", "SPY"]


def test_a_later_instant_asks_again_when_the_vendor_was_late(vendor: Vendor, clock: MovingClock) -> None:
    vendor.days = DAYS[:-1]
    source = CachedSource(vendor, TieredCache([MemoryTier(100)]), universe(), clock, timedelta(hours=12))
    ask(source, clock.now)
    vendor.days = DAYS
    clock.advance(60)
    assert ask(source, clock.now).bars.frame["date"].dt.date.max() == LAST


def test_completed_days_are_trusted_for_a_while_and_then_asked_for_again(
    source: CachedSource, vendor: Vendor, clock: MovingClock
) -> None:
    ask(source, clock.now)
    vendor.close = 100.5
    clock.advance(12 * 3600)
    assert set(ask(source, clock.now).bars.frame["close"]) == {100.0}
    clock.advance(1)
    assert set(ask(source, clock.now).bars.frame["close"]) == {100.5}


def test_a_failure_is_not_remembered(source: CachedSource, vendor: Vendor, clock: MovingClock) -> None:
    for _ in range(2):
        assert list(source.bars(["GLD"], FIRST, LAST, clock.now).failures) == ["GLD"]
    assert vendor.asked == ["GLD", "GLD"]


@pytest.mark.parametrize("change", ["symbol", "source", "damaged"])
def test_an_answer_to_something_else_is_not_believed(vendor: Vendor, clock: MovingClock, change: str) -> None:
    memory = MemoryTier(10)
    rows = price_rows("GLD" if change == "symbol" else "SPY", DAYS, close=1.0)
    bars = stamp_bars(rows, universe(), "stranger" if change == "source" else "vendor")
    body = b"damaged" if change == "damaged" else encode_bars(bars)
    memory.put(request_key("vendor", "SPY", FIRST, LAST), CachedAnswer(clock.now, clock.now, body))
    source = CachedSource(vendor, TieredCache([memory]), universe(), clock, timedelta(hours=12))
    assert set(ask(source, clock.now).bars.frame["close"]) == {100.0}


class TestCachedSourceContract(SourceContract):
    known = ("BTC-USD", "SPY", "^VIX")
    first, last = date(2020, 3, 2), date(2020, 3, 31)
    as_of, cut = instant("2020-05-01"), instant("2020-03-16 12:00")

    @pytest.fixture
    def source(self) -> MarketDataSource:
        clock = MovingClock(instant("2020-05-01"))
        return CachedSource(
            SimulatedMarket(universe()), TieredCache([MemoryTier(100)]), universe(), clock, timedelta(hours=12)
        )

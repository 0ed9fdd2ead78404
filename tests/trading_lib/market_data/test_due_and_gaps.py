"""Which bars are due, and how a history compares with that."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders.prices import instant, universe
from trading_lib.domain.market.instruments import Universe
from trading_lib.market_data.availability.completeness import Gap, compare, runs_of_missing
from trading_lib.market_data.availability.expected_bars import due_dates, newest_due, settled_by


@pytest.mark.parametrize(
    ("symbol", "as_of", "newest"),
    [
        ("SPY", "2024-07-03 17:14", date(2024, 7, 2)),  # half day: closes at 13:00 New York
        ("SPY", "2024-07-03 17:15", date(2024, 7, 3)),
        ("^VIX", "2024-07-02 20:29", date(2024, 7, 1)),
        ("^VIX", "2024-07-02 20:30", date(2024, 7, 2)),
        ("BTC-USD", "2024-07-04 23:59", date(2024, 7, 3)),
        ("BTC-USD", "2024-07-05 00:00", date(2024, 7, 4)),
        ("SPY", "2024-07-04 23:00", date(2024, 7, 3)),  # a holiday brings nothing
    ],
)
def test_the_newest_bar_that_is_due(symbol: str, as_of: str, newest: date) -> None:
    assert newest_due(symbol, universe(), date(2024, 6, 1), date(2024, 7, 10), instant(as_of)) == newest


def test_nothing_is_due_before_inception() -> None:
    assets = Universe(tuple(replace(item, inception=date(2024, 7, 2)) for item in universe()))
    days = due_dates("SPY", assets, date(2024, 6, 1), date(2024, 7, 3), instant("2024-07-10"))
    assert [day.item() for day in days] == [date(2024, 7, 2), date(2024, 7, 3)]
    assert newest_due("SPY", assets, date(2024, 6, 1), date(2024, 7, 1), instant("2024-07-10")) is None


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "^VIX"])
def test_everything_is_due_once_a_day_is_settled(symbol: str) -> None:
    for day in (date(2024, 3, 8), date(2024, 7, 3), date(2024, 11, 1)):
        assert newest_due(symbol, universe(), day, day, settled_by(day)) == day


DUE = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-03-01"))


@given(st.sets(st.integers(0, len(DUE) - 1), min_size=1))
def test_gaps_and_stored_days_make_up_the_calendar(positions: set[int]) -> None:
    stored = DUE[sorted(positions)]
    found = compare(stored, DUE)
    assert found.before_first + found.behind + found.missing + len(stored) == len(DUE)
    days = [DUE[(np.datetime64(gap.first) <= DUE) & (np.datetime64(gap.last) >= DUE)] for gap in found.gaps]
    assert all(len(inside) == gap.days for inside, gap in zip(days, found.gaps, strict=True))
    assert not np.isin(stored, np.concatenate([*days, stored[:0]])).any()
    assert all(later.first > earlier.last for earlier, later in zip(found.gaps, found.gaps[1:], strict=False))


def test_days_that_follow_each_other_in_the_calendar_are_one_gap() -> None:
    due = np.array(["2024-03-07", "2024-03-08", "2024-03-11", "2024-03-12"], "datetime64[D]")
    gaps = runs_of_missing(due, due[[0, 3]])
    assert gaps == (Gap(date(2024, 3, 8), date(2024, 3, 11), 2),)


def test_days_of_no_calendar_are_counted() -> None:
    assert compare(np.array(["2024-01-01", "2025-05-05"], "datetime64[D]"), DUE).unexpected == 1

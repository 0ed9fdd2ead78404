"""When the daily run is late: half days, holidays, changes of the clocks; and clocks that are off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.monitoring.heartbeat import (
    HeartbeatConfig,
    Reading,
    clock_problem,
    decided_in_time,
    due,
    future_problem,
)

CALENDAR = exchange_sessions()
CONFIG = HeartbeatConfig(data_minutes=45, trade_minutes=60)


@pytest.mark.parametrize(
    ("now", "data", "trade"),
    [
        # An ordinary day in winter: the close is at 21:00 UTC, bars at 21:15, decisions at 21:30.
        ("2026-11-20T21:59:59", "2026-11-19", "2026-11-19"),
        ("2026-11-20T22:00:00", "2026-11-20", "2026-11-19"),
        ("2026-11-20T22:29:59", "2026-11-20", "2026-11-19"),
        ("2026-11-20T22:30:00", "2026-11-20", "2026-11-20"),
        # Weekend: nothing more is due.
        ("2026-11-22T23:00:00", "2026-11-20", "2026-11-20"),
        # Thanksgiving is silent, the half day after it is due three hours early.
        ("2026-11-26T23:59:00", "2026-11-25", "2026-11-25"),
        ("2026-11-27T18:59:59", "2026-11-25", "2026-11-25"),
        ("2026-11-27T19:00:00", "2026-11-27", "2026-11-25"),
        ("2026-11-27T19:30:00", "2026-11-27", "2026-11-27"),
        # Summer time in New York: an hour earlier in UTC, from the Sunday on.
        ("2026-03-06T22:30:00", "2026-03-06", "2026-03-06"),
        ("2026-03-09T20:59:59", "2026-03-06", "2026-03-06"),
        ("2026-03-09T21:30:00", "2026-03-09", "2026-03-09"),
        ("2026-10-30T21:30:00", "2026-10-30", "2026-10-30"),
        ("2026-11-02T21:30:00", "2026-10-30", "2026-10-30"),
        ("2026-11-02T22:30:00", "2026-11-02", "2026-11-02"),
    ],
)
def test_what_is_due(now: str, data: str, trade: str) -> None:
    found = due(CALENDAR, datetime.fromisoformat(now).replace(tzinfo=UTC), CONFIG)
    assert (str(found.data_session), str(found.trade_session)) == (data, trade)


def test_it_says_by_when() -> None:
    found = due(CALENDAR, datetime(2026, 11, 27, 23, 0, tzinfo=UTC), CONFIG)
    assert found.data_by == datetime(2026, 11, 27, 19, 0, tzinfo=UTC)
    assert found.trade_by == datetime(2026, 11, 27, 19, 30, tzinfo=UTC)


def test_before_the_calendar_nothing_is_due() -> None:
    assert due(CALENDAR, datetime(1980, 1, 1, tzinfo=UTC), CONFIG).trade_session is None


def test_a_replay_of_the_past_was_no_daily_run() -> None:
    session = date(2026, 11, 20)
    decided = CALENDAR.decision_time(session)
    assert decided_in_time(CALENDAR, session, decided + timedelta(minutes=5))
    assert not decided_in_time(CALENDAR, session, decided + timedelta(days=2))
    assert not decided_in_time(CALENDAR, date(2026, 11, 22), decided)


START = Reading(datetime(2026, 11, 20, 12, 0, tzinfo=UTC), "boot", 1000.0)


@pytest.mark.parametrize(
    ("went", "counted", "boot", "said"),
    [
        (60, 60, "boot", ""),
        (3660, 60, "boot", "set forward by 3600 s"),
        (-3540, 60, "boot", "set back by 3600 s"),
        # The counter runs on while the machine sleeps.
        (8 * 3600, 8 * 3600, "boot", ""),
        (8 * 3600, -900, "other", ""),
        (-3600, -900, "other", "went back by 3600 s while the machine was started"),
    ],
)
def test_a_clock_that_was_set_is_seen(went: float, counted: float, boot: str, said: str) -> None:
    now = Reading(START.at + timedelta(seconds=went), boot, START.counter + counted)
    assert said in clock_problem(START, now, 120.0)
    assert bool(clock_problem(START, now, 120.0)) == bool(said)


def test_a_stored_time_in_the_future_is_seen() -> None:
    ahead = START.at + timedelta(hours=1)
    assert future_problem([("bar", None), ("backup", START.at)], START.at, 120.0) == ""
    assert "newest backup is 3600 s in the future" in future_problem([("backup", ahead)], START.at, 120.0)
    assert clock_problem(None, START, 120.0) == ""

"""When the exchange trades, and when each kind of observation is known (docs/specification.md#availability)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from tests.builders.prices import instant
from trading_lib.domain.errors import NaiveDatetimeError, SessionError
from trading_lib.domain.market.sessions import (
    daily_bar_available_at,
    exchange_sessions,
    new_york_time,
    parse_session,
    require_aware,
    session_bar_available_at,
    volatility_index_available_at,
)

CALENDAR = exchange_sessions()
HALF_DAY = date(2023, 11, 24)  # the day after Thanksgiving: New York closes at 13:00


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


def moments(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("day", "close"),
    [
        (date(2023, 7, 3), "2023-07-03 17:00"),  # half day in summer time
        (HALF_DAY, "2023-11-24 18:00"),  # half day in winter time
        (date(2023, 11, 27), "2023-11-27 21:00"),
        (date(2023, 6, 1), "2023-06-01 20:00"),
    ],
)
def test_data_and_decision_follow_the_close_of_the_day(day: date, close: str) -> None:
    assert CALENDAR.close(day) == instant(close)
    assert CALENDAR.data_time(day) == instant(close) + timedelta(minutes=15)
    assert CALENDAR.decision_time(day) == instant(close) + timedelta(minutes=30)


def test_opening_follows_summer_time() -> None:
    assert CALENDAR.open(date(2023, 3, 10)) == instant("2023-03-10 14:30")
    assert CALENDAR.open(date(2023, 3, 13)) == instant("2023-03-13 13:30")


def test_neighbours_skip_weekends_and_holidays() -> None:
    assert CALENDAR.next(date(2023, 12, 22)) == date(2023, 12, 26)
    assert CALENDAR.previous(date(2024, 1, 2)) == date(2023, 12, 29)
    assert CALENDAR.offset(date(2023, 12, 22), 3) == date(2023, 12, 28)
    assert CALENDAR.offset(date(2023, 12, 28), -3) == date(2023, 12, 22)
    assert CALENDAR.contains(date(2023, 12, 26))
    assert not CALENDAR.contains(date(2023, 12, 25))
    assert not CALENDAR.contains(date(2050, 1, 3))


def test_a_date_that_is_no_session_is_answered_with_its_neighbours() -> None:
    with pytest.raises(SessionError, match=r"2023-12-25 \(Monday\) is no trading session.*2023-12-22 and 2023-12-26"):
        CALENDAR.position(date(2023, 12, 25))


@pytest.mark.parametrize("day", [date(1980, 1, 2), date(2050, 1, 3)])
def test_a_date_outside_the_calendar_says_so(day: date) -> None:
    with pytest.raises(SessionError, match=f"{day} is outside the exchange calendar: use a session between"):
        CALENDAR.position(day)


def test_stepping_off_either_end_of_the_calendar_is_an_error_not_the_other_end() -> None:
    first, last = CALENDAR.sessions[0].item(), CALENDAR.sessions[-1].item()
    for step in (
        lambda: CALENDAR.previous(first),
        lambda: CALENDAR.next(last),
        lambda: CALENDAR.offset(first, -5),
        lambda: CALENDAR.offset(last, 5),
    ):
        with pytest.raises(SessionError, match="the exchange calendar ends before"):
            step()


def test_between_takes_both_ends_in_and_tolerates_non_sessions() -> None:
    found = CALENDAR.between(date(2023, 12, 23), date(2024, 1, 1))
    assert found.astype(str).tolist() == ["2023-12-26", "2023-12-27", "2023-12-28", "2023-12-29"]


def test_the_newest_session_moves_on_exactly_when_its_data_and_decision_are_due() -> None:
    assert CALENDAR.latest_with_data(instant("2023-11-24 18:14")) == date(2023, 11, 22)
    assert CALENDAR.latest_with_data(instant("2023-11-24 18:15")) == HALF_DAY
    assert CALENDAR.latest_decidable(instant("2023-11-24 18:29")) == date(2023, 11, 22)
    assert CALENDAR.latest_decidable(instant("2023-11-24 18:30")) == HALF_DAY


def test_before_the_first_close_there_is_no_session() -> None:
    with pytest.raises(SessionError, match="no session had closed by"):
        CALENDAR.latest_with_data(instant("1990-01-01"))


def test_a_session_whose_bars_are_not_out_lies_in_the_future() -> None:
    assert CALENDAR.require_data(HALF_DAY, instant("2023-11-24 18:15")) == HALF_DAY
    with pytest.raises(SessionError, match="known at 2023-11-24 18:15 UTC, in the future: the newest session is 2023"):
        CALENDAR.require_data(HALF_DAY, instant("2023-11-24 18:14"))


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(NaiveDatetimeError, match="as_of 2024-01-01T00:00:00 has no time zone"):
        require_aware(datetime(2024, 1, 1), "as_of")
    with pytest.raises(NaiveDatetimeError):
        CALENDAR.latest_decidable(datetime(2024, 1, 1))


@pytest.mark.parametrize("text", ["yesterday", "2024-02-30", "20240103", "2024-W01-3", "2024-1-3", ""])
def test_a_session_is_written_one_way(text: str) -> None:
    with pytest.raises(SessionError, match="write it as YYYY-MM-DD"):
        parse_session(text)
    assert parse_session("2024-01-03") == date(2024, 1, 3)


def test_bars_are_known_after_the_close_and_stray_bars_the_next_day() -> None:
    known = session_bar_available_at(days("2023-11-24", "2023-11-25", "2023-11-27"))
    assert (known == moments("2023-11-24 18:15", "2023-11-26 00:00", "2023-11-27 21:15")).all()


def test_coins_are_known_at_midnight_and_the_index_in_the_late_afternoon_even_on_half_days() -> None:
    assert daily_bar_available_at(days("2023-11-25"))[0] == np.datetime64("2023-11-26T00:00")
    known = volatility_index_available_at(days("2023-07-03", "2023-11-24"))
    assert (known == moments("2023-07-03 20:30", "2023-11-24 21:30")).all()
    assert known[1] > np.datetime64(CALENDAR.decision_time(HALF_DAY).replace(tzinfo=None))


def test_new_york_clocks_change_with_summer_time() -> None:
    found = new_york_time(days("2023-03-10", "2023-03-13"), datetime(2023, 1, 1, 9, 30).time())
    assert (found == moments("2023-03-10 14:30", "2023-03-13 13:30")).all()


@pytest.mark.parametrize(
    ("day", "moment"),
    [
        (date(2024, 3, 9), datetime(2024, 3, 9, 21, 30, tzinfo=UTC)),
        (date(2024, 7, 4), datetime(2024, 7, 4, 20, 30, tzinfo=UTC)),
    ],
)
def test_stops_of_a_day_without_a_session_are_checked_at_half_past_four(day: date, moment: datetime) -> None:
    assert exchange_sessions().stop_check_time(day) == moment


def test_a_session_has_no_check_of_its_own() -> None:
    with pytest.raises(SessionError, match="2024-07-05 is a session: its stops are checked by its decision"):
        exchange_sessions().stop_check_time(date(2024, 7, 5))


def test_the_session_before_a_day() -> None:
    assert exchange_sessions().session_before(date(2024, 7, 7)) == date(2024, 7, 5)
    assert exchange_sessions().session_before(date(2024, 7, 5)) == date(2024, 7, 3)
    with pytest.raises(SessionError, match="no session before"):
        exchange_sessions().session_before(date(1980, 1, 1))

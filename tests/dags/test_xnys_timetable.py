"""The timetable runs every session exactly once, at the right moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_lib.domain.market.sessions import exchange_sessions

pytestmark = pytest.mark.airflow

CALENDAR = exchange_sessions()


@pytest.fixture(scope="module", name="timetable")
def fixture_timetable() -> Any:
    from xnys_timetable import XnysSessionTimetable

    return XnysSessionTimetable()


def runs_between(timetable: Any, earliest: datetime, latest: datetime) -> list[Any]:
    """All runs a backfill of this range makes."""
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(pendulum.instance(earliest), pendulum.instance(latest), catchup=True)
    runs: list[Any] = []
    last = None
    while (run := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)) is not None:
        runs.append(run)
        last = run.data_interval
    return runs


def session_of(run: Any) -> date:
    return CALENDAR.latest_with_data(run.data_interval.end)


@settings(max_examples=40, deadline=None)
@given(
    start=st.datetimes(datetime(2004, 1, 2), datetime(2026, 6, 1), timezones=st.just(UTC)),
    days=st.integers(min_value=0, max_value=60),
)
def test_every_session_of_a_range_runs_exactly_once(timetable: Any, start: datetime, days: int) -> None:
    end = start + timedelta(days=days)
    runs = runs_between(timetable, start, end)
    sessions = CALENDAR.between((start - timedelta(days=7)).date(), (end + timedelta(days=7)).date())
    expected = [
        session.item() for session in sessions if start <= CALENDAR.data_time(CALENDAR.previous(session.item())) <= end
    ]
    assert [session_of(run) for run in runs] == expected
    assert all(run.run_after == run.data_interval.end for run in runs)


def test_intervals_join_without_gap_or_overlap(timetable: Any) -> None:
    runs = runs_between(timetable, datetime(2021, 1, 1, tzinfo=UTC), datetime(2022, 12, 31, tzinfo=UTC))
    assert len(runs) == len(CALENDAR.between(date(2021, 1, 5), date(2023, 1, 3)))
    for earlier, later in pairwise(runs):
        assert earlier.data_interval.end == later.data_interval.start


@pytest.mark.parametrize(
    ("session", "run_at"),
    [
        # Published by the New York Stock Exchange: closes at 16:00 New York time, on these half days at 13:00.
        ("2022-06-15", "2022-06-15T20:15:00Z"),  # summer time
        ("2022-11-25", "2022-11-25T18:15:00Z"),  # half day after Thanksgiving, winter time
        ("2023-07-03", "2023-07-03T17:15:00Z"),  # half day before Independence Day, summer time
        ("2024-03-08", "2024-03-08T21:15:00Z"),  # last session before the clocks went forward
        ("2024-03-11", "2024-03-11T20:15:00Z"),  # first session after
        ("2024-11-01", "2024-11-01T20:15:00Z"),  # last session before they went back
        ("2024-11-04", "2024-11-04T21:15:00Z"),  # first session after
    ],
)
def test_runs_fifteen_minutes_after_the_close(timetable: Any, session: str, run_at: str) -> None:
    wanted = date.fromisoformat(session)
    noon_before = datetime.combine(wanted - timedelta(days=5), datetime.min.time(), UTC)
    runs = runs_between(timetable, noon_before, datetime.combine(wanted, datetime.min.time(), UTC))
    found = {session_of(run): run.run_after for run in runs}
    assert found[wanted] == datetime.fromisoformat(run_at)


@pytest.mark.parametrize("closed", ["2022-06-18", "2022-06-19", "2022-06-20", "2018-12-05", "2012-10-29"])
def test_no_run_on_days_the_exchange_is_closed(timetable: Any, closed: str) -> None:
    day = date.fromisoformat(closed)
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    runs = runs_between(timetable, midnight - timedelta(days=10), midnight + timedelta(days=3))
    assert runs
    assert day not in {run.run_after.date() for run in runs}


def test_a_manual_run_gets_the_newest_complete_session(timetable: Any) -> None:
    before = timetable.infer_manual_data_interval(run_after=pendulum.parse("2022-06-15T20:14:59Z"))
    after = timetable.infer_manual_data_interval(run_after=pendulum.parse("2022-06-15T20:15:00Z"))
    assert CALENDAR.latest_with_data(before.end) == date(2022, 6, 14)
    assert CALENDAR.latest_with_data(after.end) == date(2022, 6, 15)
    assert after.start == before.end


def test_a_fresh_installation_waits_for_the_next_close(timetable: Any) -> None:
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(pendulum.parse("2004-01-02T00:00:00Z"), None, catchup=False)
    before = datetime.now(UTC)
    run = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert run.run_after >= before
    assert session_of(run) in (CALENDAR.next(CALENDAR.latest_with_data(before)), CALENDAR.next(session_of(run)))


@pytest.mark.parametrize(("sessions_ago", "made_up_for"), [(1, True), (3, True), (4, False), (1000, False)])
def test_after_an_outage_the_newest_missed_session_runs_but_not_after_a_backfill_of_the_past(
    timetable: Any, sessions_ago: int, made_up_for: bool
) -> None:
    from airflow.timetables.base import DataInterval, TimeRestriction

    newest = CALENDAR.latest_with_data(datetime.now(UTC))
    end = pendulum.instance(CALENDAR.data_time(CALENDAR.offset(newest, -sessions_ago)))
    restriction = TimeRestriction(pendulum.parse("2004-01-02T00:00:00Z"), None, catchup=False)
    run = timetable.next_dagrun_info(
        last_automated_data_interval=DataInterval(end.subtract(days=1), end), restriction=restriction
    )
    assert session_of(run) == (newest if made_up_for else CALENDAR.next(newest))


def test_without_catchup_a_run_is_followed_by_the_next_session(timetable: Any) -> None:
    from airflow.timetables.base import DataInterval, TimeRestriction

    restriction = TimeRestriction(None, None, catchup=False)
    newest = CALENDAR.latest_with_data(datetime.now(UTC))
    end = pendulum.instance(CALENDAR.data_time(newest))
    run = timetable.next_dagrun_info(
        last_automated_data_interval=DataInterval(end.subtract(days=1), end), restriction=restriction
    )
    assert session_of(run) == CALENDAR.next(newest)
    assert run.data_interval.start == end


def test_restriction_ends_the_schedule(timetable: Any) -> None:
    runs = runs_between(timetable, datetime(2022, 6, 13, tzinfo=UTC), datetime(2022, 6, 14, 20, 15, tzinfo=UTC))
    assert [session_of(run) for run in runs] == [date(2022, 6, 14), date(2022, 6, 15)]

"""The timetable runs every day without a session once, when its stops are checked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
import pytest

from trading_lib.domain.market.sessions import exchange_sessions

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module", name="timetable")
def fixture_timetable() -> Any:
    from closed_day_timetable import ClosedDayTimetable

    return ClosedDayTimetable()


def runs_between(timetable: Any, earliest: datetime, latest: datetime) -> list[Any]:
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(pendulum.instance(earliest), pendulum.instance(latest), catchup=True)
    runs: list[Any] = []
    last = None
    while (run := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)) is not None:
        runs.append(run)
        last = run.data_interval
    return runs


def test_every_weekend_and_holiday_of_a_year_runs_once(timetable: Any) -> None:
    runs = runs_between(timetable, datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 30, 22, tzinfo=UTC))
    days = [date(2024, 1, 1) + timedelta(days=k) for k in range(366)]
    closed = [day for day in days if not exchange_sessions().contains(day)]
    assert [run.data_interval.end.date() for run in runs] == closed
    assert all(run.run_after == run.data_interval.end for run in runs)


@pytest.mark.parametrize(
    ("day", "hour"), [(date(2024, 3, 9), 21), (date(2024, 3, 10), 20), (date(2024, 11, 3), 21), (date(2024, 7, 4), 20)]
)
def test_the_moment_follows_the_clocks_of_new_york(timetable: Any, day: date, hour: int) -> None:
    interval = timetable.infer_manual_data_interval(run_after=pendulum.datetime(day.year, day.month, day.day, 23))
    assert interval.end == pendulum.datetime(day.year, day.month, day.day, hour, 30)


def test_a_missed_day_is_not_made_up_for(timetable: Any) -> None:
    from airflow.timetables.base import DataInterval, TimeRestriction

    old = DataInterval.exact(pendulum.datetime(2020, 1, 4, 21, 30))
    info = timetable.next_dagrun_info(
        last_automated_data_interval=old, restriction=TimeRestriction(None, None, catchup=False)
    )
    assert info.run_after > pendulum.now("UTC").subtract(minutes=3)


def test_airflow_can_store_it(timetable: Any) -> None:
    assert type(timetable).deserialize(timetable.serialize()).summary == "days without a session"

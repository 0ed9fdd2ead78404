"""The timetable runs every session once, a minute after its opening."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
import pytest

from trading_lib.domain.market.sessions import exchange_sessions

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module", name="timetable")
def fixture_timetable() -> Any:
    from opening_timetable import OpeningTimetable

    return OpeningTimetable()


def runs_between(timetable: Any, earliest: datetime, latest: datetime) -> list[Any]:
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(pendulum.instance(earliest), pendulum.instance(latest), catchup=True)
    runs: list[Any] = []
    last = None
    while (run := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)) is not None:
        runs.append(run)
        last = run.data_interval
    return runs


def test_every_session_of_a_year_runs_once_a_minute_after_its_opening(timetable: Any) -> None:
    calendar = exchange_sessions()
    runs = runs_between(timetable, datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 30, 22, tzinfo=UTC))
    sessions = calendar.between(date(2024, 1, 1), date(2024, 12, 31)).astype(object).tolist()
    assert [run.run_after for run in runs] == [calendar.open(day) + timedelta(minutes=1) for day in sessions]
    assert all(run.run_after == run.data_interval.end for run in runs)


@pytest.mark.parametrize(
    ("asked", "moment"),
    [
        ("2024-03-08 14:31", "2024-03-08 14:31"),
        ("2024-03-08 14:30", "2024-03-07 14:31"),
        ("2024-03-11 12:00", "2024-03-08 14:31"),
        ("2024-03-11 13:31", "2024-03-11 13:31"),  # New York's clocks went forward in between
        ("2024-07-04 23:00", "2024-07-03 13:31"),
    ],
)
def test_by_hand_it_is_about_the_newest_opening(timetable: Any, asked: str, moment: str) -> None:
    interval = timetable.infer_manual_data_interval(run_after=pendulum.parse(asked, tz="UTC"))
    assert interval.end == pendulum.parse(moment, tz="UTC")
    assert interval.start < interval.end


def test_an_opening_of_long_ago_is_not_made_up_for(timetable: Any) -> None:
    from airflow.timetables.base import DataInterval, TimeRestriction

    old = DataInterval.exact(pendulum.datetime(2020, 1, 3, 14, 31))
    info = timetable.next_dagrun_info(
        last_automated_data_interval=old, restriction=TimeRestriction(None, None, catchup=False)
    )
    assert info.run_after > pendulum.now("UTC").subtract(hours=6, minutes=1)


def test_airflow_can_store_it(timetable: Any) -> None:
    assert type(timetable).deserialize(timetable.serialize()).summary == "XNYS open + 1 min"

"""A timetable of the days on which the New York Stock Exchange does not trade.

The run of such a day starts when its stops are checked, half past four in New York; its data interval is the day before
that moment.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from trading_lib.domain.market.sessions import SessionCalendar, exchange_sessions

# A day that is just due still runs: the DAG may be read again before the scheduler has looked.
GRACE = timedelta(minutes=2)


class ClosedDayTimetable(Timetable):
    """One run per day without a session.

    A missed day is not made up for: what a stop would have sold then cannot be sold any more, and the next session's
    decision checks the stops anew.
    """

    description = "Every day without a session of the New York Stock Exchange, 16:30 in New York"

    @property
    def summary(self) -> str:
        """Shown in the list of DAGs."""
        return "days without a session"

    def serialize(self) -> dict[str, Any]:
        """Return nothing: the timetable has no parameters."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ClosedDayTimetable:
        """Return a timetable; ``data`` is what `serialize` returned."""
        return cls()

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the interval of the newest such day whose moment has come at ``run_after``."""
        calendar = exchange_sessions()
        return _interval(calendar, calendar.latest_stop_check(run_after))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the first such day after the last run's that the restriction allows; None when there is none."""
        calendar = exchange_sessions()
        bounds = [restriction.earliest] if restriction.earliest else []
        if last_automated_data_interval is not None:
            bounds.append(last_automated_data_interval.end + timedelta(seconds=1))
        if not restriction.catchup:
            bounds.append(pendulum.instance(datetime.now(UTC) - GRACE))
        if not bounds:
            return None
        interval = _interval(calendar, _first_from(calendar, max(bounds)))
        if restriction.latest is not None and interval.start > restriction.latest:
            return None
        return DagRunInfo.interval(start=interval.start, end=interval.end)


def _first_from(calendar: SessionCalendar, moment: datetime) -> date:
    day = moment.astimezone(UTC).date() - timedelta(days=1)
    while calendar.contains(day) or calendar.stop_check_time(day) < moment:
        day += timedelta(days=1)
    return day


def _interval(calendar: SessionCalendar, day: date) -> DataInterval:
    end = pendulum.instance(calendar.stop_check_time(day))
    return DataInterval(start=end.subtract(days=1), end=end)


class ClosedDayTimetablePlugin(AirflowPlugin):
    """Makes the timetable known, so that Airflow can store DAGs that use it."""

    name = "closed_day_timetable"
    timetables = [ClosedDayTimetable]  # noqa: RUF012 - Airflow declares this attribute

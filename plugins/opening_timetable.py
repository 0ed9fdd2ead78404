"""A timetable of the openings of the New York Stock Exchange: a minute after each, when orders have met it.

The data interval of a run reaches from the close of the session before to that moment.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from trading_lib.domain.market.sessions import SessionCalendar, exchange_sessions

AFTER_OPENING = timedelta(minutes=1)
# After a short outage of the scheduler the day's orders are watched all the same.
GRACE = timedelta(hours=6)


class OpeningTimetable(Timetable):
    """One run per session, a minute after its opening; an opening of long ago is not made up for."""

    description = "Every session of the New York Stock Exchange, a minute after its opening"

    @property
    def summary(self) -> str:
        """Shown in the list of DAGs."""
        return "XNYS open + 1 min"

    def serialize(self) -> dict[str, Any]:
        """Return nothing: the timetable has no parameters."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> OpeningTimetable:
        """Return a timetable; ``data`` is what `serialize` returned."""
        return cls()

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the interval of the newest opening before ``run_after``."""
        calendar = exchange_sessions()
        following = _first_from(calendar, run_after)
        return _interval(
            calendar, following if _moment(calendar, following) == run_after else calendar.previous(following)
        )

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the first opening after the last run's that the restriction allows; None when there is none."""
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


def _moment(calendar: SessionCalendar, session: date) -> datetime:
    return calendar.open(session) + AFTER_OPENING


def _first_from(calendar: SessionCalendar, moment: datetime) -> date:
    """Return the first session whose moment is not before ``moment``."""
    session = calendar.session_before(moment.astimezone(UTC).date())
    while _moment(calendar, session) < moment:
        session = calendar.next(session)
    return session


def _interval(calendar: SessionCalendar, session: date) -> DataInterval:
    start = calendar.close(calendar.previous(session))
    return DataInterval(start=pendulum.instance(start), end=pendulum.instance(_moment(calendar, session)))


class OpeningTimetablePlugin(AirflowPlugin):
    """Makes the timetable known, so that Airflow can store DAGs that use it."""

    name = "opening_timetable"
    timetables = [OpeningTimetable]  # noqa: RUF012 - Airflow declares this attribute

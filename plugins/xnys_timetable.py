"""A timetable that follows the sessions of the New York Stock Exchange, half days and daylight saving included.

The data interval of a session reaches from the moment the previous session's daily bars are known (its close plus
15 minutes) to the moment its own are; the run starts at the interval's end.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from trading_lib.domain.market.sessions import SessionCalendar, exchange_sessions

GRACE = timedelta(minutes=2)
# Sessions: after a longer outage the next close begins anew, which settles what was missed.
MADE_UP_FOR = 3


class XnysSessionTimetable(Timetable):
    """One run per session.

    A DAG that has never run starts with the next close, not with the last one: a fresh installation must not race
    its own set-up. After an outage it makes up for the newest missed session, with ``catchup=True`` for all of them.
    Runs of long ago are no schedule to make up for: Airflow counts those of a backfill, which asks for the past alone.
    """

    description = "Every session of the New York Stock Exchange, 15 minutes after its close"

    @property
    def summary(self) -> str:
        """Shown in the list of DAGs."""
        return "XNYS close + 15 min"

    def serialize(self) -> dict[str, Any]:
        """Return nothing: the timetable has no parameters."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> XnysSessionTimetable:
        """Return a timetable; ``data`` is what `serialize` returned."""
        return cls()

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the interval of the newest session whose bars are known at ``run_after``."""
        return _interval(exchange_sessions(), exchange_sessions().latest_with_data(run_after))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the first session after the last run's that the restriction allows; None when there is none."""
        calendar = exchange_sessions()
        bounds = [_first_at_or_after(calendar, restriction.earliest)] if restriction.earliest else []
        if last_automated_data_interval is not None:
            bounds.append(calendar.next(calendar.latest_with_data(last_automated_data_interval.end)))
        if not restriction.catchup:
            # A session that is just due still runs: the DAG may be read again before the scheduler has looked.
            newest = calendar.latest_with_data(datetime.now(UTC) - GRACE)
            missed = last_automated_data_interval is not None and _is_recent(last_automated_data_interval, newest)
            bounds.append(newest if missed else calendar.next(newest))
        if not bounds:
            return None
        interval = _interval(calendar, max(bounds))
        if restriction.latest is not None and interval.start > restriction.latest:
            return None
        return DagRunInfo.interval(start=interval.start, end=interval.end)


def _is_recent(interval: DataInterval, newest: date) -> bool:
    return bool(interval.end >= exchange_sessions().data_time(exchange_sessions().offset(newest, -MADE_UP_FOR)))


def _interval(calendar: SessionCalendar, session: date) -> DataInterval:
    start = calendar.data_time(calendar.previous(session))
    return DataInterval(start=pendulum.instance(start), end=pendulum.instance(calendar.data_time(session)))


def _first_at_or_after(calendar: SessionCalendar, moment: datetime) -> date:
    """Return the first session whose interval starts at or after ``moment``."""
    known = calendar.latest_with_data(moment)
    following = calendar.next(known)
    # The interval of `following` starts when the bars of `known` are there; anything later misses its start.
    return following if calendar.data_time(known) == moment else calendar.next(following)


class XnysTimetablePlugin(AirflowPlugin):
    """Makes the timetable known, so that Airflow can store DAGs that use it."""

    name = "xnys_timetable"
    timetables = [XnysSessionTimetable]  # noqa: RUF012 - Airflow declares this attribute

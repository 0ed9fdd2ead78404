"""Cron timetables with data intervals that start nothing nobody asked for; a backfill gets all of their intervals.

Airflow's own starts a run of the last interval as soon as the DAG is there, and again after a backfill of the past,
whose runs it takes for the schedule's last ones.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

# An interval that has just ended still runs: the DAG may be read again before the scheduler has looked.
GRACE = timedelta(minutes=2)


class NextIntervalTimetable(CronDataIntervalTimetable):
    """Runs at the end of every interval from the present one on, whatever ran before.

    Expression and time zone as for `CronDataIntervalTimetable`.
    """

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the interval that has not ended yet, or the one after it when that one has its run."""
        if not restriction.catchup:
            present = self._align_to_prev(pendulum.now("UTC") - GRACE)
            earliest = max(present, restriction.earliest) if restriction.earliest else present
            restriction = TimeRestriction(earliest=earliest, latest=restriction.latest, catchup=True)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )


class OnRequestTimetable(CronDataIntervalTimetable):
    """Never runs by itself: its intervals are there for backfills and for runs by hand."""

    @property
    def summary(self) -> str:
        """Shown in the list of DAGs."""
        return "by hand or backfill"

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next interval of a backfill; None for the schedule."""
        if not restriction.catchup:
            return None
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )


class ResearchTimetablePlugin(AirflowPlugin):
    """Makes the timetables known, so that Airflow can store DAGs that use them."""

    name = "research_timetable"
    timetables = [NextIntervalTimetable, OnRequestTimetable]  # noqa: RUF012 - Airflow declares this attribute

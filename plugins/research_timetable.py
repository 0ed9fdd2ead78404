"""A cron timetable with data intervals whose first run is the next one, not the last one.

Airflow's own would start a run as soon as the DAG is there, and a fresh installation has better things to do than last
year's backtest. Backfills ask for their intervals themselves and get all of them.
"""

from __future__ import annotations

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable


class NextIntervalTimetable(CronDataIntervalTimetable):
    """Cron expression and time zone, as for `CronDataIntervalTimetable`."""

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the interval after the last run's; for a DAG that has never run, the one that has not ended yet."""
        if last_automated_data_interval is None and not restriction.catchup:
            present = self._align_to_prev(pendulum.now("UTC"))
            earliest = max(present, restriction.earliest) if restriction.earliest else present
            restriction = TimeRestriction(earliest=earliest, latest=restriction.latest, catchup=True)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )


class ResearchTimetablePlugin(AirflowPlugin):
    """Makes the timetable known, so that Airflow can store DAGs that use it."""

    name = "research_timetable"
    timetables = [NextIntervalTimetable]  # noqa: RUF012 - Airflow declares this attribute

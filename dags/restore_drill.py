"""restore_drill: once a week the newest backup is restored and its last sessions decided again; dags/docs/."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import dag, task
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import page
from pipeline.tasks import plainly
from research_timetable import NextIntervalTimetable


@dag(
    schedule=NextIntervalTimetable("30 4 * * 0", timezone="UTC"),
    start_date=datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["operations"],
    description="Restore the newest backups elsewhere, decide the last sessions again, and mail how long it took",
    doc_md=page(__file__),
)
def restore_drill() -> None:
    @task(multiple_outputs=False)
    @plainly
    def drill() -> dict[str, Any]:
        from trading_lib.workflows.backups.drill import hold as workflow

        # A failure is told like that of any task.
        return workflow.hold_drill(tell_failure=False).as_record()

    drill()


restore_drill()

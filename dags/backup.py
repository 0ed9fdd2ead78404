"""backup: every hour the databases, the configuration when it changed, the logs once a day; dags/docs/backup.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import chain, dag, task
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import page
from pipeline.tasks import plainly
from research_timetable import NextIntervalTimetable


@dag(
    schedule=NextIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["operations"],
    description="Back up databases, configuration and logs; a backup counts once it was restored and compared",
    doc_md=page(__file__),
)
def backup() -> None:
    def stored(task_id: str, kind: str) -> Any:
        @task(task_id=task_id, multiple_outputs=False)
        @plainly
        def run() -> dict[str, Any]:
            from trading_lib.workflows.backups import jobs as workflow

            return workflow.back_up(kind)

        return run()

    @task(multiple_outputs=False)
    @plainly
    def remove_old() -> dict[str, Any]:
        from trading_lib.workflows.backups import jobs as workflow

        return workflow.prune()

    made = [stored("databases", "database"), stored("configuration", "config"), stored("logs", "logs")]
    # Nothing old goes while nothing new comes.
    chain(made, remove_old())


backup()

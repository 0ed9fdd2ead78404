"""stop_checks: check Bitcoin's stop on days without a session; dags/docs/stop_checks.md."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from airflow.sdk import chain, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from closed_day_timetable import ClosedDayTimetable
from pipeline.defaults import TASK_DEFAULTS, VENDOR_RETRIES
from pipeline.forms import book_field, folder_field, optional_date, page, source_field
from pipeline.sending import wait_for_window, watch_at_once
from pipeline.tasks import left_by, plainly

from trading_lib.workflows.stages.plans import StopCheckPlan
from trading_lib.workflows.stages.xcom import plain


@dag(
    schedule=ClosedDayTimetable(),
    start_date=datetime.fromisoformat("2004-01-02T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "day": optional_date("Day", "Day without a session. Empty: the run's own, by hand the newest."),
        "source": source_field(),
        "data": folder_field(),
        "book": book_field(),
    },
    tags=["daily"],
    description="Check the stops of what trades every day on days without a session, and sell what they say",
    doc_md=page(__file__),
)
def stop_checks() -> None:
    @task(multiple_outputs=False)
    @plainly
    def plan(params: dict[str, Any], dag_run: Any, data_interval_end: datetime | None = None) -> dict[str, Any]:
        from trading_lib.workflows.dag_runs import notes, parameters
        from trading_lib.workflows.trade import stop_checks as workflow

        if not workflow.is_configured():
            raise AirflowSkipException("risk.yaml: stops.days_without_session is false")
        day = params.get("day") or None
        if day is None and dag_run.run_type == "scheduled" and data_interval_end is not None:
            day = data_interval_end.date().isoformat()
        asked = parameters.of_session(params)
        planned = workflow.plan(day, asked["source"], asked["data"], asked["book"])
        if dag_run.run_type == "scheduled" and not workflow.has_book(planned):
            raise AirflowSkipException(f"there is no book {planned.session.book!r} yet, so nothing has a stop")
        words = [f"day {planned.day}", f"book {planned.session.book}"]
        notes.note_run(dag_run.dag_id, dag_run.run_id, notes.prices_line(planned.session.source_name, *words))
        return dict(plain(planned))

    @task(multiple_outputs=False, **VENDOR_RETRIES)
    @plainly
    def ingest(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.trade import stop_checks as workflow

        return dict(workflow.ingest(left_by(ti, StopCheckPlan, "plan")))

    @task(multiple_outputs=False)
    @plainly
    def check(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.trade import stop_checks as workflow

        return dict(workflow.check(left_by(ti, StopCheckPlan, "plan")))

    def about(ti: Any) -> tuple[str, date]:
        planned = left_by(ti, StopCheckPlan, "plan")
        return planned.session.book, planned.day

    @task(multiple_outputs=False)
    @plainly
    def send(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.trade import stop_checks as workflow

        return dict(workflow.send(left_by(ti, StopCheckPlan, "plan")))

    chain(plan(), ingest(), check(), wait_for_window(about), send(), watch_at_once(about))


stop_checks()

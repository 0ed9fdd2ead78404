"""market_data: bring one session's prices in, judge them, compute the factors; dags/docs/market_data.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import Param, chain, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from pipeline.defaults import TASK_DEFAULTS, VENDOR_RETRIES
from pipeline.forms import MARKET_DATA, book_field, folder_field, optional_date, page, source_field
from pipeline.tasks import plainly, session_plan
from xnys_timetable import XnysSessionTimetable

from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.stages.catalogue import DATA_STAGES, Stage
from trading_lib.workflows.stages.xcom import plain


@dag(
    schedule=XnysSessionTimetable(),
    start_date=datetime.fromisoformat("2004-01-02T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "session": optional_date("Session", "Trading day to fetch. Empty: the run's own, by hand the newest."),
        "source": source_field(),
        "data": folder_field(),
        "book": book_field(),
        "refresh": Param(
            False, type="boolean", title="Fetch again", description_md="Fetch a past session though it was before."
        ),
    },
    tags=["daily"],
    description="Fetch, check and store one session's prices, 15 minutes after the close; starts trade_daily",
    doc_md=page(__file__),
)
def market_data() -> None:
    @task(multiple_outputs=False)
    @plainly
    def plan(params: dict[str, Any], ti: Any, data_interval_end: datetime | None = None) -> list[str]:
        from trading_lib.workflows.dag_runs import notes, parameters
        from trading_lib.workflows.data import tasks as workflow

        wanted = parameters.of_session(params)
        if wanted["session"] is None and data_interval_end is not None:
            wanted["session"] = exchange_sessions().latest_with_data(data_interval_end).isoformat()
        planned = workflow.plan(**wanted)
        ti.xcom_push(key="plan", value=plain(planned))
        notes.note_run(ti.dag_id, ti.run_id, notes.about_session(planned, book=False))
        return workflow.groups_to_ingest(planned, params["refresh"])

    @task(pool="market_data", map_index_template="{{ task.op_kwargs['group'] }}", **VENDOR_RETRIES)
    @plainly
    def ingest(group: str, ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.dag_runs import latency
        from trading_lib.workflows.data import tasks as workflow

        return {**workflow.ingest(session_plan(ti, "plan"), group), "received_at": latency.now()}

    def judged(stage: Stage[Any]) -> Any:
        # With nothing to fetch, ingest is skipped, which is no reason to stop.
        @task(task_id=stage.name, doc_md=stage.doc, multiple_outputs=False, trigger_rule="none_failed")
        @plainly
        def run(ti: Any = None) -> dict[str, Any]:
            return dict(stage.load()(session_plan(ti, "plan"), None))

        return run()

    # The outlet sits on one unmapped task at the end: an event says that everything before it is stored.
    @task(outlets=[MARKET_DATA], multiple_outputs=False)
    @plainly
    def publish(*, outlet_events: Any, dag_run: Any, ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.dag_runs import reports

        if (run_type := str(getattr(dag_run.run_type, "value", dag_run.run_type))) == "backfill":
            raise AirflowSkipException("a backfill repairs the past; nobody is told, so that nothing trades on it")
        fetched = ti.xcom_pull(task_ids="ingest") or []
        done = reports.finish_market_data(ti.dag_id, ti.run_id, session_plan(ti, "plan"), run_type, list(fetched))
        outlet_events[MARKET_DATA].extra = done["event"]
        return done

    groups: Any = plan()
    chain(ingest.expand(group=groups), *[judged(stage) for stage in DATA_STAGES], publish())


market_data()

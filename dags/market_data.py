"""market_data: bring one session's prices in, judge them, compute the factors and announce the result.

plan -> ingest (one task per group of symbols) -> validate -> factors -> publish (asset `market_data`)

`plan` returns the groups to fetch (of a past session those not fetched before); the plan itself is its XCom `plan`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk import Param, dag, task
from pipeline_assets import MARKET_DATA, SOURCES
from task_defaults import TASK_DEFAULTS, VENDOR_RETRIES
from xnys_timetable import XnysSessionTimetable

from trading_lib.domain.errors import InputError
from trading_lib.domain.sessions import exchange_sessions

Plan = dict[str, Any]


@dag(
    schedule=XnysSessionTimetable(),
    start_date=datetime.fromisoformat("2004-01-02T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "session": Param(None, type=["null", "string"], description="YYYY-MM-DD; empty: the interval's session"),
        "source": Param(None, type=["null", "string"], enum=[None, *SOURCES]),
        "data": Param(None, type=["null", "string"], description="Folder of prices, for the source `files`"),
        "book": Param(None, type=["null", "string"], description="Whose source to use; empty: the default book"),
        "refresh": Param(False, type="boolean", description="Fetch a past session even if it was fetched before"),
    },
    tags=["daily"],
    doc_md=__doc__,
)
def market_data() -> None:
    @task(multiple_outputs=False)
    def plan(params: dict[str, Any], ti: Any, data_interval_end: datetime | None = None) -> list[str]:
        from trading_lib.workflows import market_data as workflow

        session = params["session"]
        if session is None and data_interval_end is not None:
            session = exchange_sessions().latest_with_data(data_interval_end).isoformat()
        planned = workflow.plan(session, params["source"], params["data"], params["book"])
        ti.xcom_push(key="plan", value=planned)
        return workflow.groups_to_ingest(planned, params["refresh"])

    @task(pool="market_data", **VENDOR_RETRIES)
    def ingest(plan: Plan, group: str) -> Plan:
        from trading_lib.workflows import market_data as workflow

        try:
            return workflow.ingest(plan, group)
        except InputError as error:  # asking again would get the same answer
            raise AirflowFailException(str(error)) from error

    # With nothing to fetch, ingest is skipped, which is no reason to stop.
    @task(multiple_outputs=False, trigger_rule="none_failed")
    def validate(plan: Plan) -> Plan:
        from trading_lib.workflows import market_data as workflow

        return workflow.validate(plan)

    @task(multiple_outputs=False)
    def factors(plan: Plan) -> Plan:
        from trading_lib.workflows import market_data as workflow

        return workflow.factors(plan)

    # The outlet sits on one unmapped task at the end: an event says that everything before it is stored.
    @task(outlets=[MARKET_DATA], multiple_outputs=False)
    def publish(plan: Plan, *, outlet_events: Any, dag_run: Any) -> Plan:
        if (run_type := str(getattr(dag_run.run_type, "value", dag_run.run_type))) == "backfill":
            raise AirflowSkipException("a backfill repairs the past; nobody is told, so that nothing trades on it")
        from trading_lib.workflows.market_data import publish as announced

        extra = outlet_events[MARKET_DATA].extra = {**announced(plan), "run_type": run_type}
        return extra

    groups: Any = plan()
    planned = groups["plan"]
    ingest.partial(plan=planned).expand(group=groups) >> validate(planned) >> factors(planned) >> publish(planned)


market_data()

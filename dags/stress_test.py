"""stress_test: the strategy in crises, one task per scenario; monthly, or by hand.

scenarios -> run (one task per scenario) -> report -> verdict

The report's button leads to its page in MLflow. A criterion that fails makes the verdict fail, and the failure mail
says which.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import Param, chain, dag, task
from airflow.sdk.exceptions import AirflowFailException
from research_timetable import NextIntervalTimetable
from run_links import URL_KEY, StressReportLink
from task_defaults import TASK_DEFAULTS

from trading_lib.domain.errors import DataQualityError

Plan = dict[str, Any]


@dag(
    schedule=NextIntervalTimetable("0 3 1 * *", timezone="UTC"),
    start_date=datetime.fromisoformat("2005-01-01T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "scenarios": Param(None, type=["null", "array"], description="Names from stress.yaml; empty: all"),
        "data": Param(None, type=["null", "string"], description="Folder of prices; empty: the simulated market"),
    },
    tags=["research"],
    doc_md=__doc__,
)
def stress_test() -> None:
    @task
    def scenarios(params: dict[str, Any]) -> list[Plan]:
        from trading_lib.workflows import stress_runs as workflow

        return workflow.scenarios(params)

    @task(multiple_outputs=False)
    def run(plan: Plan) -> Plan:
        from trading_lib.workflows import stress_runs as workflow

        return workflow.run(plan)

    @task(multiple_outputs=False)
    def report(params: dict[str, Any], ti: Any = None) -> Plan:
        from trading_lib.workflows import stress_runs as workflow

        written = workflow.report(params)
        ti.xcom_push(key=URL_KEY, value=written["url"])
        return written

    @task(multiple_outputs=False)
    def verdict(found: Any) -> Plan:
        from trading_lib.workflows import stress_runs as workflow

        try:
            return workflow.verdict(list(found))
        except DataQualityError as error:
            raise AirflowFailException(str(error)) from error

    planned: Any = scenarios()
    found, written = run.expand(plan=planned), report()
    written.operator.operator_extra_links = (StressReportLink(),)
    chain(found, written, verdict(found))


stress_test()

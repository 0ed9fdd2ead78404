"""backtest: what the strategy would have made of a window: a year by schedule or backfill, any window by hand.

window -> backtest -> tear_sheet -> mlflow_run

A backfill over 2010-2020 gives eleven yearly runs that compare in MLflow; the last task's button leads to each.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import Param, chain, dag, task
from research_timetable import NextIntervalTimetable
from run_links import URL_KEY, TearSheetLink
from task_defaults import TASK_DEFAULTS

Plan = dict[str, Any]


@dag(
    schedule=NextIntervalTimetable("0 0 1 1 *", timezone="UTC"),
    start_date=datetime.fromisoformat("2005-01-01T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "from": Param(None, type=["null", "string"], format="date", description="First day; empty: the run's year"),
        "to": Param(None, type=["null", "string"], format="date", description="Last day"),
        "data": Param(None, type=["null", "string"], description="Folder of prices; empty: the simulated market"),
        "sleeves": Param(None, type=["null", "object"], description='e.g. {"trend": 0.5, "rotation": 0.5}'),
    },
    tags=["research"],
    doc_md=__doc__,
)
def backtest() -> None:
    @task(multiple_outputs=False)
    def window(params: dict[str, Any], data_interval_start: Any = None, data_interval_end: Any = None) -> Plan:
        from trading_lib.workflows import backtest_runs as workflow

        return workflow.window(params, data_interval_start, data_interval_end)

    @task(task_id="backtest", multiple_outputs=False)
    def run(plan: Plan) -> Plan:
        from trading_lib.workflows import backtest_runs as workflow

        return workflow.run(plan)

    @task
    def tear_sheet(plan: Plan) -> str:
        from trading_lib.workflows import backtest_runs as workflow

        return workflow.tear_sheet(plan)

    @task(multiple_outputs=False)
    def mlflow_run(plan: Plan, ti: Any = None) -> Plan:
        from trading_lib.workflows import backtest_runs as workflow

        logged = workflow.log(plan)
        ti.xcom_push(key=URL_KEY, value=logged["url"])
        return logged

    plan = window()
    logged: Any = mlflow_run(plan)
    logged.operator.operator_extra_links = (TearSheetLink(),)
    chain(run(plan), tear_sheet(plan), logged)


backtest()

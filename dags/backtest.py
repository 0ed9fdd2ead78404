"""backtest: what the strategy would have made of a window, a year per run in a backfill; docs/research/backtest.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import Param, chain, dag, task
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import folder_field, optional_date, page
from pipeline.links import URL_KEY, TearSheetLink
from pipeline.tasks import left_by, plainly
from research_timetable import OnRequestTimetable

from trading_lib.workflows.stages.plans import BacktestPlan
from trading_lib.workflows.stages.research_results import BacktestFigures
from trading_lib.workflows.stages.xcom import plain


@dag(
    schedule=OnRequestTimetable("0 0 1 1 *", timezone="UTC"),
    start_date=datetime.fromisoformat("2005-01-01T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "from": optional_date("From", "First day. Both dates empty: the run's year, by hand the last whole one."),
        "to": optional_date("To", "Last day."),
        "data": folder_field(),
        "sleeves": Param(
            None,
            type=["null", "object"],
            title="Sleeves",
            description_md='Strategies and their shares, e.g. `{"trend": 0.5, "rotation": 0.5}`. Empty: those of'
            " `include/config/strategy.yaml`.",
        ),
    },
    tags=["research"],
    description="Backtest a window, or every year of a backfill, with a tear sheet in MLflow",
    doc_md=page(__file__),
)
def backtest() -> None:
    @task(multiple_outputs=False)
    @plainly
    def window(
        params: dict[str, Any], ti: Any, data_interval_start: Any = None, data_interval_end: Any = None
    ) -> dict[str, Any]:
        from trading_lib.workflows.dag_runs import notes
        from trading_lib.workflows.research import backtest_tasks as workflow

        planned = workflow.window(params, data_interval_start, data_interval_end)
        notes.note_run(ti.dag_id, ti.run_id, notes.about_window(planned))
        return dict(plain(planned))

    @task(task_id="backtest", multiple_outputs=False)
    @plainly
    def run(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.research import backtest_tasks as workflow

        return dict(plain(workflow.run(left_by(ti, BacktestPlan, "window"))))

    @task
    @plainly
    def tear_sheet(ti: Any = None) -> str:
        from trading_lib.workflows.research import backtest_tasks as workflow

        return workflow.tear_sheet(left_by(ti, BacktestPlan, "window"))

    @task(multiple_outputs=False)
    @plainly
    def mlflow_run(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.dag_runs import reports
        from trading_lib.workflows.research import backtest_tasks as workflow

        planned = left_by(ti, BacktestPlan, "window")
        logged = workflow.log(planned)
        ti.xcom_push(key=URL_KEY, value=logged.url)
        figures = left_by(ti, BacktestFigures, "backtest")
        reports.finish_backtest(ti.dag_id, ti.run_id, planned, figures, logged)
        return dict(plain(logged))

    logged: Any = mlflow_run()
    logged.operator.operator_extra_links = (TearSheetLink(),)
    chain(window(), run(), tear_sheet(), logged)


backtest()

"""stress_test: the strategy in crises, one task per scenario; monthly, or by hand; dags/docs/stress_test.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import chain, dag, task
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import folder_field, page, scenarios_field
from pipeline.links import URL_KEY, StressReportLink
from pipeline.tasks import plainly
from research_timetable import NextIntervalTimetable

from trading_lib.workflows.stages.plans import ScenarioPlan
from trading_lib.workflows.stages.research_results import ScenarioFigures
from trading_lib.workflows.stages.xcom import plain, read, read_all


@dag(
    schedule=NextIntervalTimetable("0 3 1 * *", timezone="UTC"),
    start_date=datetime.fromisoformat("2005-01-01T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={"scenarios": scenarios_field(), "data": folder_field()},
    tags=["research"],
    description="Run the strategy through crises and judge it; a criterion that fails ends red and is mailed",
    doc_md=page(__file__),
)
def stress_test() -> None:
    @task
    @plainly
    def scenarios(params: dict[str, Any], ti: Any = None) -> list[dict[str, Any]]:
        from trading_lib.workflows.dag_runs import notes
        from trading_lib.workflows.research import stress_tasks as workflow

        planned = workflow.scenarios(params)
        notes.note_run(ti.dag_id, ti.run_id, notes.prices_line(planned[0].prices, f"{len(planned)} scenarios"))
        return [plain(one) for one in planned]

    @task(multiple_outputs=False, map_index_template="{{ task.op_kwargs['plan']['scenario'] }}")
    @plainly
    def run(plan: dict[str, Any]) -> dict[str, Any]:
        from trading_lib.workflows.research import stress_tasks as workflow

        return dict(plain(workflow.run(read(ScenarioPlan, plan, "scenarios"))))

    @task(multiple_outputs=False)
    @plainly
    def report(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.research import stress_tasks as workflow

        written = workflow.report(read_all(ScenarioPlan, ti.xcom_pull(task_ids="scenarios"), "scenarios"))
        ti.xcom_push(key=URL_KEY, value=written.url)
        return dict(plain(written))

    @task(multiple_outputs=False)
    @plainly
    def verdict(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.research import stress_tasks as workflow

        return workflow.verdict(read_all(ScenarioFigures, ti.xcom_pull(task_ids="run"), "run"))

    written: Any = report()
    written.operator.operator_extra_links = (StressReportLink(),)
    planned: Any = scenarios()
    chain(run.expand(plan=planned), written, verdict())


stress_test()

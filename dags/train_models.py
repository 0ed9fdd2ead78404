"""train_models: models that rank assets, fitted and judged out of sample; dags/docs/train_models.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, chain, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import folder_field, optional_date, page
from pipeline.links import URL_KEY, TrainingLink
from pipeline.tasks import left_by, plainly
from research_timetable import NextIntervalTimetable

from trading_lib.workflows.stages.training import SplitPlan, TrainingFigures, TrainingPlan
from trading_lib.workflows.stages.xcom import plain, read

PLAN_KEY = "plan"
NULLS = ["shuffled", "rotated"]


@dag(
    schedule=NextIntervalTimetable("0 4 1 * *", timezone="UTC"),
    start_date=datetime.fromisoformat("2005-01-01T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "from": optional_date("From", "First session to learn from. Empty: as far back as the data reaches."),
        "to": optional_date("To", "Last session; no label ends after it. Empty: the last of the run's month."),
        "data": folder_field(),
        "window": Param(
            None,
            type=["null", "string"],
            enum=[None, "expanding", "3y"],
            title="Window",
            description_md="What models learn from: everything, or the last three years. Empty: as in"
            " `include/config/learning.yaml`.",
        ),
    },
    tags=["models"],
    description="Train models at each month's end, judge them, register what passes, ask before one is promoted",
    doc_md=page(__file__),
)
def train_models() -> None:
    @task
    @plainly
    def features(params: dict[str, Any], dag_run: Any, ti: Any, data_interval_end: Any = None) -> list[dict[str, Any]]:
        from trading_lib.workflows.dag_runs import notes
        from trading_lib.workflows.learning import tasks as workflow

        scheduled = dag_run.run_type == "scheduled"
        if scheduled and not workflow.due():
            raise AirflowSkipException("lifecycle.month_end of learning.yaml is off")
        planned, splits = workflow.features(params, data_interval_end, dag_run.run_id, scheduled=scheduled)
        window = f"{planned.first} to {planned.last}"
        notes.note_run(dag_run.dag_id, dag_run.run_id, notes.prices_line(planned.prices, window))
        ti.xcom_push(key=PLAN_KEY, value=plain(planned))
        return [plain(one) for one in splits]

    @task(multiple_outputs=False, map_index_template="{{ task.op_kwargs['plan']['label'] }}")
    @plainly
    def split(plan: dict[str, Any]) -> dict[str, Any]:
        from trading_lib.workflows.learning import tasks as workflow

        return workflow.split(read(SplitPlan, plan, "features"))

    @task(multiple_outputs=False)
    @plainly
    def paths(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.learning import tasks as workflow

        return workflow.paths(left_by(ti, TrainingPlan, "features", PLAN_KEY))

    @task(multiple_outputs=False, map_index_template="labels {{ task.op_kwargs['null'] }}")
    @plainly
    def nulls(null: str, ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.learning import tasks as workflow

        return workflow.nulls(left_by(ti, TrainingPlan, "features", PLAN_KEY), null)

    @task(multiple_outputs=False)
    @plainly
    def overfitting(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.learning import tasks as workflow

        figures = workflow.overfitting(left_by(ti, TrainingPlan, "features", PLAN_KEY))
        ti.xcom_push(key=URL_KEY, value=figures.url)
        return dict(plain(figures))

    @task(multiple_outputs=False)
    @plainly
    def register(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.learning import tasks as workflow

        plan = left_by(ti, TrainingPlan, "features", PLAN_KEY)
        return workflow.register(plan, left_by(ti, TrainingFigures, "overfitting"))

    @task.short_circuit
    @plainly
    def promotion_due() -> dict[str, Any]:
        from trading_lib.workflows.learning.registration import questions

        return questions.promotion_to_ask()

    # The operator answers in a run of its own, so that the next training waits for nobody.
    promote = TriggerDagRunOperator(
        task_id="promote",
        trigger_dag_id="model_promotion",
        trigger_run_id="{{ ti.xcom_pull(task_ids='promotion_due')['run_id'] }}",
        conf={"version": "{{ ti.xcom_pull(task_ids='promotion_due')['version'] }}"},
        logical_date=None,
        skip_when_already_exists=True,
    )
    judged: Any = overfitting()
    judged.operator.operator_extra_links = (TrainingLink(),)
    splits: Any = features()
    null: Any = nulls.expand(null=NULLS)
    chain(split.expand(plan=splits), paths(), null, judged, register(), promotion_due(), promote)


train_models()

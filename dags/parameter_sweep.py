"""parameter_sweep: a backtest for every combination of configuration values; dags/docs/parameter_sweep.md."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import folder_field, page
from pipeline.tasks import plainly

from trading_lib.workflows.stages.plans import ChunkPlan
from trading_lib.workflows.stages.research_results import ChunkCounts
from trading_lib.workflows.stages.xcom import plain, read


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "from": Param("2015-01-02", type="string", format="date", title="From", description_md="First day."),
        "to": Param("2019-12-31", type="string", format="date", title="To", description_md="Last day."),
        "data": folder_field(),
        "grid": Param(
            {"strategy.rotation.top_share": [0.2, 0.3, 0.5], "risk.target_volatility": [0.10, 0.15]},
            type="object",
            title="Grid",
            description_md="Keys of `strategy.yaml`, `risk.yaml` and `execution.yaml` with a list of values each; every"
            " combination is one point.",
        ),
        "points_per_chunk": Param(
            25,
            type="integer",
            minimum=1,
            # As many as a sweep may have. Airflow's own processes stop at a number beyond 64 bits.
            maximum=5000,
            title="Points per task",
            description_md="How many points one task runs.",
        ),
    },
    tags=["research"],
    description="Backtest every combination of configuration values, in chunks that any worker may run",
    doc_md=page(__file__),
)
def parameter_sweep() -> None:
    @task
    @plainly
    def chunks(params: dict[str, Any], ti: Any = None) -> list[dict[str, Any]]:
        from trading_lib.workflows.dag_runs import notes
        from trading_lib.workflows.research.sweep import tasks as workflow

        planned = workflow.chunks(params)
        notes.note_run(ti.dag_id, ti.run_id, notes.about_window(planned[0]), f"sweep {planned[0].sweep}")
        return [plain(chunk) for chunk in planned]

    @task(multiple_outputs=False, map_index_template="{{ task.op_kwargs['plan']['label'] }}")
    @plainly
    def run(plan: dict[str, Any]) -> dict[str, Any]:
        from trading_lib.workflows.research.sweep import tasks as workflow

        return dict(plain(workflow.run(read(ChunkPlan, plan, "chunks"))))

    @task(multiple_outputs=False)
    @plainly
    def collect(finished: Any) -> dict[str, Any]:
        from trading_lib.workflows.research.sweep import tasks as workflow

        return workflow.collect(read(ChunkCounts, next(iter(finished)), "run").sweep)

    planned: Any = chunks()
    collect(run.expand(plan=planned))


parameter_sweep()

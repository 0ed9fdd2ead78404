"""parameter_sweep: a backtest for every combination of configuration values, in chunks that any worker may run.

chunks -> run (one task per chunk) -> collect

Finished points stand in the trading database, also after a run was cancelled.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task
from task_defaults import TASK_DEFAULTS

Plan = dict[str, Any]


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "from": Param("2015-01-02", type="string", format="date"),
        "to": Param("2019-12-31", type="string", format="date"),
        "data": Param(None, type=["null", "string"], description="Folder of prices; empty: the simulated market"),
        "grid": Param(
            {"strategy.signals.momentum_high": [0.08, 0.10, 0.12]},
            type="object",
            description="Dotted configuration keys with lists of values",
        ),
        "points_per_chunk": Param(25, type="integer", minimum=1),
    },
    tags=["research"],
    doc_md=__doc__,
)
def parameter_sweep() -> None:
    @task
    def chunks(params: dict[str, Any]) -> list[Plan]:
        from trading_lib.workflows import sweep_runs as workflow

        return workflow.chunks(params)

    @task(multiple_outputs=False)
    def run(plan: Plan) -> Plan:
        from trading_lib.workflows import sweep_runs as workflow

        return workflow.run(plan)

    @task(multiple_outputs=False)
    def collect(finished: Any) -> Plan:
        from trading_lib.workflows import sweep_runs as workflow

        return workflow.collect(next(iter(finished))["sweep"])

    planned: Any = chunks()
    collect(run.expand(plan=planned))


parameter_sweep()

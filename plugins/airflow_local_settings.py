"""Airflow imports this module at the start of each of its processes, before anything else of ours.

The scheduler's workers are copies of it, and every task is a copy of a worker: what the scheduler has loaded, no task
loads again. That is about a second of modules, a third of a second of machine code and a tenth of calendar for each.
"""

import sys
from importlib import import_module

# What tasks of the daily DAGs import.
TASK_MODULES = (
    "psycopg2",
    "airflow.api.common.trigger_dag",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.decorators.sensor",
    "airflow.providers.standard.decorators.short_circuit",
    "airflow.providers.standard.operators.trigger_dagrun",
    "airflow.sdk.definitions.retry_policy",
    "trading_lib.adapters.services.airflow.rest",
    "trading_lib.workflows.operations.airflow_answers",
    "trading_lib.workflows.dag_runs.reports",
    "trading_lib.workflows.data.tasks",
    "trading_lib.workflows.stages.catalogue",
    "trading_lib.workflows.trade.tasks",
    "trading_lib.workflows.stages.xcom",
)
# Airflow takes every public name of this module for a setting of its own.
__all__: list[str] = []


def _load() -> None:
    for module in TASK_MODULES:
        import_module(module)
    try:
        import_module("trading_lib.workflows.operations.preload").load_machine_code()
    except Exception as error:
        # Whatever is wrong, say a key of the configuration, is told by the task that meets it.
        print(f"the rules are not loaded beforehand: {error}", file=sys.stderr)


if sys.argv[1:2] == ["scheduler"]:
    _load()

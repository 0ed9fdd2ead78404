"""Airflow imports this module at the start of each of its processes, before anything else of ours.

The scheduler's workers are copies of it, and every task is a copy of a worker: what the scheduler has imported, no task
imports again, which is about a second of each.
"""

import sys
from importlib import import_module

# What tasks of the daily DAGs import; it starts nothing, opens nothing and reads no data.
TASK_MODULES = (
    "psycopg2",
    "trading_lib.workflows.market_data",
    "trading_lib.workflows.trading",
)
# Airflow takes every public name of this module for a setting of its own.
__all__: list[str] = []

if sys.argv[1:2] == ["scheduler"]:
    for module in TASK_MODULES:
        import_module(module)

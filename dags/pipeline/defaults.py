"""What every task of the DAGs has: known parameters, failure mail, another try where something could not be reached.

Only that is tried again. Every stage stores what it has done and finds it again, so a second try changes nothing; an
input that is wrong stays wrong, and fails at once. A task that was killed is tried again as well.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from pipeline.failure_alerts import notify_failure
from pipeline.tasks import Refused, TryAgain, known_parameters_only

# By name, as importing them would slow down every parsing of the DAGs. What our own functions raise has become one of
# the endings of tasks.py; the others come from Airflow, or from a task that does not end plainly.
UNREACHABLE: list[Any] = [
    TryAgain,
    "trading_lib.domain.errors.StorageUnavailableError",
    "trading_lib.adapters.services.airflow.rest.AirflowError",
    "sqlalchemy.exc.OperationalError",
    "sqlalchemy.exc.InterfaceError",
    "airflow.sdk.exceptions.AirflowRuntimeError",
]
TASK_DEFAULTS: dict[str, Any] = {
    "on_failure_callback": notify_failure,
    "pre_execute": known_parameters_only,
    # With the delay they outlast a database that is away for two minutes.
    "retries": 8,
    "retry_delay": timedelta(seconds=15),
    "retry_policy": ExceptionRetryPolicy([RetryRule(UNREACHABLE)], default=RetryAction.FAIL),
}
# A vendor may be busy for whatever reason it gives, so every error but a wrong input is tried again.
VENDOR_RETRIES: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "retry_policy": ExceptionRetryPolicy([RetryRule(Refused, RetryAction.FAIL)]),
}

"""Answers given at Airflow's Required Actions, read from where Airflow keeps them (docs/adr/0007-approvals.md)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trading_lib.adapters.services.airflow_access import airflow_of_environment
from trading_lib.adapters.services.airflow_rest import AirflowClient


def response_to(
    dag_id: str, run_id: str, task_id: str, returned: Mapping[str, Any] | None, client: AirflowClient | None = None
) -> Mapping[str, Any] | None:
    """Return the answer to a task that waits for a human; None when nobody answered.

    Parameters
    ----------
    returned
        Return value of the task, a shortcut. A task that was answered may have none: Airflow can mark it failed while
        it resumes (apache/airflow#71580), and its result is refused then. What counts is what Airflow stored when the
        answer came.
    client
        Of the Airflow that this process is a task of, unless given.

    Raises
    ------
    AirflowError
        When Airflow cannot be asked or its record cannot be read. That is never the same as no answer.
    """
    if returned is not None:
        return returned
    found = (client or airflow_of_environment(os.environ)).human_answer(dag_id, run_id, task_id)
    return None if found is None else asdict(found)


def was_answered(dag_id: str, run_id: str, task_id: str, client: AirflowClient | None = None) -> bool:
    """Whether a task that waits for a human has its answer, whatever its state says."""
    return response_to(dag_id, run_id, task_id, None, client) is not None

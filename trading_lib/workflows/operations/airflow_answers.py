"""Answers given at Airflow's Required Actions (docs/adr/0007-approvals.md)."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trading_lib.adapters.services.airflow.access import airflow_of_environment
from trading_lib.adapters.services.airflow.rest import AirflowClient, AirflowError
from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.books import approvals
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import SessionPlan

DAG, TASK = "risk_approval", "approval"
log = logging.getLogger(__name__)


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
    response = (client or airflow_of_environment(os.environ)).human_answer(dag_id, run_id, task_id)
    return None if response is None else asdict(response)


def was_answered(dag_id: str, run_id: str, task_id: str, client: AirflowClient | None = None) -> bool:
    """Whether a task that waits for a human has its answer, whatever its state says."""
    return response_to(dag_id, run_id, task_id, None, client) is not None


def store_late_answer(
    plan: SessionPlan, settings: Settings | None = None, client: AirflowClient | None = None
) -> dict[str, Any]:
    """Store an answer that was given after the run that asked had ended; empty when there is none.

    Airflow takes an answer also to a task that has failed, say because its time was over, and then nothing records it.
    So each session with an open question looks. That Airflow cannot be asked is logged and stops nothing: the question
    stays open, and there is no new risk.
    """
    active = settings or load_settings()
    question = approvals.open_question(plan.book, active)
    if question is None or question.session == plan.session:
        return {}
    try:
        airflow = client or airflow_of_environment(os.environ)
        answers = [airflow.human_answer(DAG, run_id, TASK) for run_id in approvals.run_ids(question, active)]
    except (AirflowError, ConfigurationError) as error:
        log.warning("late answers to session %s of book %s: %s", question.session, question.book, error)
        return {}
    response = next((answer for answer in answers if answer), None)
    if response is None:
        return {}
    return approvals.record_response(approvals.question_record(question), asdict(response), active)

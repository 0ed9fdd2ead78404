"""Asking the operator in Airflow: an approval that waits without a slot, and a task that records the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, chain, task

from pipeline.failure_alerts import notify_unless_answered
from pipeline.tasks import plainly

Question = dict[str, Any]


def ask_operator(question: Any, record_response: Callable[[Question, Any], dict[str, Any]]) -> None:
    """Ask what the task ``question`` returns, as subject and body, and record the answer.

    What counts is the answer as Airflow stored it when it was given (hitlDetails): Airflow can mark the approval failed
    while it resumes. There is no default answer.
    """
    approval = ApprovalOperator(
        task_id="approval",
        subject="{{ ti.xcom_pull(task_ids='question')['subject'] }}",
        body="{{ ti.xcom_pull(task_ids='question')['body'] }}",
        params={"note": Param("", type="string", maxLength=500, description="Why, for the record")},
        response_timeout=timedelta(days=7),
        # Another try would ask again what may have been answered.
        retries=0,
        on_failure_callback=notify_unless_answered,
    )
    # Airflow skips what directly follows a rejection, and a rejection has to be recorded as well.
    approved = EmptyOperator(task_id="approved")

    @task(trigger_rule="all_done")
    @plainly
    def record(ti: Any = None) -> dict[str, Any]:
        from trading_lib.domain.errors import InputError
        from trading_lib.workflows.operations import airflow_answers

        returned, asked = ti.xcom_pull(task_ids="approval"), ti.xcom_pull(task_ids="question")
        if asked is None:
            # A run ends as its last task does: this one would make it green though nobody has been asked.
            raise InputError("the task question failed, so nobody was asked", "clear it and what follows it")
        return record_response(asked, airflow_answers.response_to(ti.dag_id, ti.run_id, "approval", returned))

    chain(question, approval, approved, record())

"""risk_approval: the operator answers what risk level 3 or 4 of a book asks; dags/docs/risk_approval.md.

What counts is the answer as Airflow stored it when it was given (hitlDetails). Airflow can mark the approval failed
while it resumes, and its return value is lost then: record asks Airflow, and an answered question is no failure mail.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, chain, dag, task
from pipeline.defaults import TASK_DEFAULTS
from pipeline.failure_alerts import notify_unless_answered
from pipeline.forms import page
from pipeline.tasks import plainly

Question = dict[str, Any]


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=50,
    is_paused_upon_creation=False,
    default_args=TASK_DEFAULTS,
    params={"book": Param("paper", type="string", minLength=1, title="Book", description_md="Book that asks.")},
    tags=["risk"],
    description="A person answers what risk level 3 or 4 asks; started by trade_daily, waits without a slot",
    doc_md=page(__file__),
)
def risk_approval() -> None:
    @task.short_circuit
    @plainly
    def question(params: dict[str, Any]) -> Question:
        from trading_lib.workflows.books import approvals

        return approvals.asked_in_airflow(params["book"])

    # No default answer: when the time is over the task fails, which is mailed, and nobody has approved anything.
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
        from trading_lib.workflows.books import approvals
        from trading_lib.workflows.operations import airflow_answers

        returned, asked = ti.xcom_pull(task_ids="approval"), ti.xcom_pull(task_ids="question")
        if asked is None:
            # A run ends as its last task does: this one would make it green though nobody has been asked.
            raise InputError("the task question failed, so nobody was asked", "clear it and what follows it")
        return approvals.record_response(asked, airflow_answers.response_to(ti.dag_id, ti.run_id, "approval", returned))

    chain(question(), approval, approved, record())


risk_approval()

"""risk_approval: a person answers what risk level 3 or 4 of a book asks, at Required Actions or by REST.

question -> approval (waits, uses no slot) -> approved (skipped after a rejection) -> record

A DAG of its own, because a waiting run must hold up no other: neither the next session's stops nor another book.
Without an answer nothing changes, so there is no new risk; trade_daily asks anew after five sessions.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, chain, dag, task
from failure_mail import notify_failure

Question = dict[str, Any]


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=50,
    is_paused_upon_creation=False,
    default_args={"on_failure_callback": notify_failure},
    params={"book": Param("paper", type="string", minLength=1, description="Book that asks")},
    tags=["risk"],
    doc_md=__doc__,
)
def risk_approval() -> None:
    @task.short_circuit
    def question(params: dict[str, Any]) -> Question:
        from trading_lib.workflows import approvals

        return approvals.asked_in_airflow(params["book"])

    # No default answer: when the time is over the task fails, which is mailed, and nobody has approved anything.
    approval = ApprovalOperator(
        task_id="approval",
        subject="{{ ti.xcom_pull(task_ids='question')['subject'] }}",
        body="{{ ti.xcom_pull(task_ids='question')['body'] }}",
        params={"note": Param("", type="string", maxLength=500, description="Why, for the record")},
        response_timeout=timedelta(days=7),
    )
    # Airflow skips what directly follows a rejection, and a rejection has to be recorded as well.
    approved = EmptyOperator(task_id="approved")

    @task(trigger_rule="all_done")
    def record(asked: Question, ti: Any) -> dict[str, Any]:
        from trading_lib.workflows import approvals

        return approvals.record_response(asked, ti.xcom_pull(task_ids="approval"))

    asked: Any = question()
    chain(asked, approval, approved, record(asked))


risk_approval()

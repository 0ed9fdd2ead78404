"""risk_approval: the operator answers what risk level 3 or 4 of a book asks; dags/docs/risk_approval.md.

What counts is the answer as Airflow stored it when it was given (hitlDetails). Airflow can mark the approval failed
while it resumes, and its return value is lost then: record asks Airflow, and an answered question is no failure mail.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task
from pipeline.approval import Question, ask_operator
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import page
from pipeline.tasks import plainly


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

    def recorded(asked: Question, response: Any) -> dict[str, Any]:
        from trading_lib.workflows.books import approvals

        return approvals.record_response(asked, response)

    # No default answer: when the time is over the task fails, which is mailed, and nobody has approved anything.
    ask_operator(question(), recorded)


risk_approval()

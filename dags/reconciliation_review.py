"""reconciliation_review: the operator settles an open break with a broker; dags/docs/reconciliation_review.md.

As in risk_approval, what counts is the answer as Airflow stored it when it was given.
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
    params={
        "book": Param("paper", type="string", minLength=1, title="Book", description_md="Book that differs."),
        "number": Param(1, type="integer", minimum=1, title="Break", description_md="Number of the open break."),
    },
    tags=["risk"],
    description="A person settles a break between a book and its broker; started by trade_daily, waits without a slot",
    doc_md=page(__file__),
)
def reconciliation_review() -> None:
    @task.short_circuit
    @plainly
    def question(params: dict[str, Any]) -> Question:
        from trading_lib.workflows.orders import break_questions

        return break_questions.asked_in_airflow(params["book"], params["number"])

    def recorded(asked: Question, response: Any) -> dict[str, Any]:
        from trading_lib.workflows.orders import break_questions

        return break_questions.record_response(asked, response)

    # No default answer: a break that nobody answers stays open, and nothing is bought.
    ask_operator(question(), recorded)


reconciliation_review()

"""model_promotion: the operator lets a challenger become champion; dags/docs/model_promotion.md.

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
        "version": Param(
            "1", type="string", pattern="^[1-9][0-9]*$", title="Version", description_md="The challenger's version."
        )
    },
    tags=["models"],
    description="A person lets a better challenger become champion; started by train_models, waits without a slot",
    doc_md=page(__file__),
)
def model_promotion() -> None:
    @task.short_circuit
    @plainly
    def question(params: dict[str, Any]) -> Question:
        from trading_lib.workflows.learning.registration import questions

        return questions.asked_in_airflow(int(params["version"]))

    def recorded(asked: Question, response: Any) -> dict[str, Any]:
        from trading_lib.workflows.learning.registration import questions

        return questions.record_response(asked, response)

    # No default answer: without one the challenger stays what it is.
    ask_operator(question(), recorded)


model_promotion()

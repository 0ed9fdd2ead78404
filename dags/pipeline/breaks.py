"""Tasks that ask the operator about open breaks with brokers."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import task

from pipeline.tasks import plainly, session_plan


@task
@plainly
def breaks_to_ask(ti: Any = None) -> list[dict[str, Any]]:
    """Return a run of reconciliation_review for each open break of the book."""
    from trading_lib.workflows.orders import break_questions

    return break_questions.questions(session_plan(ti).book)


def ask_about_breaks() -> Any:
    """Ask about each open break, once; nothing waits for the answers. Returns the task that comes first."""
    found = breaks_to_ask()
    TriggerDagRunOperator.partial(
        task_id="ask_about_breaks",
        trigger_dag_id="reconciliation_review",
        logical_date=None,
        skip_when_already_exists=True,
        map_index_template="{{ task.trigger_run_id }}",
    ).expand_kwargs(found)
    return found

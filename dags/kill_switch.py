"""kill_switch: halt trading from Airflow, and cancel what works at brokers; dags/docs/kill_switch.md."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, chain, dag, task
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import page
from pipeline.tasks import plainly


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=TASK_DEFAULTS,
    params={
        "reason": Param(
            "by hand in Airflow",
            type="string",
            minLength=1,
            maxLength=500,
            title="Reason",
            description_md="Why, for the record.",
        ),
        "cancel_working": Param(
            False, type="boolean", title="Cancel orders", description_md="Cancel what works at real brokers, too."
        ),
        "allow_reducing": Param(
            False, type="boolean", title="Allow sales", description_md="Still send orders that reduce risk."
        ),
    },
    tags=["risk"],
    description="Halt trading at once, and cancel what works at brokers; by hand only",
    doc_md=page(__file__),
)
def kill_switch() -> None:
    @task(multiple_outputs=False)
    @plainly
    def halt(params: dict[str, Any]) -> dict[str, Any]:
        from datetime import UTC, datetime

        from trading_lib.workflows.books.kill_switch import halt_trading

        allowed = True if params["allow_reducing"] else None
        switch = halt_trading(params["reason"], datetime.now(UTC), None, params["cancel_working"], allowed)
        return dict(switch.describe())

    @task(multiple_outputs=False)
    @plainly
    def cancel(params: dict[str, Any]) -> dict[str, Any]:
        from trading_lib.workflows.orders import watching

        return watching.cancel_working() if params["cancel_working"] else {"asked": False}

    chain(halt(), cancel())


kill_switch()

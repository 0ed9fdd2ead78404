"""trade_daily: decide and trade one session, from yesterday's fills to today's report.

plan -> await_decision_time -> settle -> signals -> targets -> risk -> orders -> place -> fills -> reconcile -> report
                                                            risk -> approval_needed -> ask_for_approval

At risk levels 3 and 4 a run of risk_approval asks a person. Nothing here waits: the next session finds the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airflow.exceptions import AirflowSkipException
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, PokeReturnValue, chain, dag, task
from pipeline_assets import MARKET_DATA, SOURCES
from task_defaults import TASK_DEFAULTS

Plan = dict[str, Any]
STAGES = ("settle", "signals", "targets", "risk", "orders", "place", "fills", "reconcile", "report")


@dag(
    schedule=[MARKET_DATA],
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "session": Param(None, type=["null", "string"], description="YYYY-MM-DD, when started by hand"),
        "source": Param(None, type=["null", "string"], enum=[None, *SOURCES]),
        "data": Param(None, type=["null", "string"], description="Folder of prices, for the source `files`"),
        "book": Param(None, type=["null", "string"], description="Book to trade; empty: the default book"),
    },
    tags=["daily"],
    doc_md=__doc__,
)
def trade_daily() -> None:
    @task(multiple_outputs=False)
    def plan(params: dict[str, Any], triggering_asset_events: Any = None) -> Plan:
        wanted = params
        events = [event for group in (triggering_asset_events or {}).values() for event in group]
        if events:
            # A backfill repairs stored data of the past; it must never lead to orders.
            current = [event.extra for event in events if event.extra.get("run_type") != "backfill"]
            if not current:
                raise AirflowSkipException("the market data came from a backfill, which is never traded")
            wanted = max(current, key=lambda extra: str(extra["session"]))
        from trading_lib.workflows import market_data as workflow

        return workflow.plan(wanted["session"], wanted["source"], wanted["data"], wanted["book"])

    @task.sensor(poke_interval=60, timeout=24 * 3600, mode="reschedule")
    def await_decision_time(plan: Plan) -> PokeReturnValue:
        from trading_lib.workflows import trading

        return PokeReturnValue(is_done=datetime.fromisoformat(trading.decision_time(plan)) <= datetime.now(UTC))

    def stage(name: str) -> Callable[[Any], Any]:
        @task(task_id=name, multiple_outputs=False)
        def run(plan: Plan) -> Plan:
            from trading_lib.workflows import trading

            return dict(getattr(trading, name)(plan))

        return run

    @task.short_circuit
    def approval_needed(plan: Plan) -> Plan:
        from trading_lib.workflows import airflow_answers, approvals

        airflow_answers.store_late_answer(plan)
        return approvals.asked_by_session(plan)

    ask_for_approval = TriggerDagRunOperator(
        task_id="ask_for_approval",
        trigger_dag_id="risk_approval",
        trigger_run_id="{{ ti.xcom_pull(task_ids='approval_needed')['run_id'] }}",
        conf={"book": "{{ ti.xcom_pull(task_ids='approval_needed')['book'] }}"},
        logical_date=None,
        skip_when_already_exists=True,
    )
    planned = plan()
    stages = {name: stage(name)(planned) for name in STAGES}
    chain(await_decision_time(planned), *stages.values())
    chain(stages["risk"], approval_needed(planned), ask_for_approval)


trade_daily()
